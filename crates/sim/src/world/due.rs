//! Waiting for a moment, on a machine that is never quite on time.

use std::ops::Range;
use std::time::Duration;

use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

use super::physics::{Physics, Stalls};
use crate::distribution::{Dice, Distribution};

/// When somebody wants to be told the time, and when that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    meant: Option<Instant>,
    pub(super) wakes: Option<Instant>,
}

/// A machine that stands still now and then.
#[derive(Debug)]
pub(super) struct Standstill {
    /// When it does so by itself, if that happens.
    stalls: Option<Stalls>,
    seed: u64,
    lengths: Dice,
    /// In which of these times it does so next,
    next: u64,
    /// and from when until when it did last.
    begun: Range<Instant>,
    /// From when on, and for how long, as processes start.
    starts: Vec<(Instant, Duration)>,
}

// === impl Due ===

impl Due {
    /// At this moment, and not before.
    pub(super) fn at(at: Instant) -> Self {
        Self { meant: Some(at), wakes: Some(at) }
    }

    pub(super) fn has_come(self, now: Instant) -> bool {
        self.wakes.is_some_and(|at| at <= now)
    }

    /// It is `meant` now. Whoever waits for the same moment as before does not begin to wait anew.
    pub(super) fn next(self, meant: Option<Instant>, physics: &Physics, dice: &mut Dice) -> Self {
        if meant == self.meant {
            return self;
        }
        Self { meant, wakes: meant.map(|at| at + physics.timer(dice)) }
    }
}

// === impl Standstill ===

impl Standstill {
    /// When it does so by itself is drawn from `seed`.
    pub(super) fn of(physics: &Physics, seed: u64) -> Self {
        let (stalls, lengths) = (physics.stalls, Dice::new(seed, Stream::Standstills));
        let begun = Instant::EPOCH..Instant::EPOCH;
        Self { stalls, seed, lengths, next: 0, begun, starts: Vec::new() }
    }

    /// A process starts in this time, in some moment of which the machine stands still.
    pub(super) fn starts(&mut self, time: Range<Instant>, physics: &Physics) {
        if physics.lag != Distribution::default() {
            let from = time.start + self.lengths.part_of(time.end.since(time.start));
            self.starts.push((from, self.lengths.duration(physics.lag)));
        }
    }

    /// When what is due at `at` is done, before anything else is. It stands still from the first moment on, after a
    /// random one of each time, when something is due: how long it does is known by what was late for it.
    pub(super) fn done(&mut self, at: Instant) -> Instant {
        if let Some(length) = self.by_itself(at) {
            self.begin(at, length);
        }
        while let Some(n) = self.starts.iter().position(|(from, _)| *from <= at) {
            let (_, length) = self.starts.swap_remove(n);
            self.begin(at, length);
        }
        if self.begun.contains(&at) { self.begun.end } else { at }
    }

    /// Nobody is done before who was due before.
    fn begin(&mut self, at: Instant, length: Duration) {
        self.begun = at..self.begun.end.max(at + length);
    }

    /// For how long it stands still, if it is time for that.
    fn by_itself(&mut self, at: Instant) -> Option<Duration> {
        let stalls = self.stalls?;
        let every = u64::try_from(stalls.every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let number = at.as_nanos() / every;
        let random = (unit(self.seed, Stream::Machine, number) * every as f64) as u64;
        let has_come = number >= self.next && at.as_nanos() >= number * every + random;
        has_come.then(|| {
            self.next = number + 1;
            self.length(stalls)
        })
    }

    fn length(&mut self, stalls: Stalls) -> Duration {
        let Stalls { every, length, spread } = stalls;
        if spread <= 0.0 {
            return length;
        }
        let drawn = length.as_secs_f64() * self.lengths.factor(spread);
        Duration::from_secs_f64(drawn.min(every.as_secs_f64() / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these moments are late, one after the other, on a machine that stands still for 10 ms of each second, or
    /// for about as long.
    fn late(spread: f64, millis: impl Iterator<Item = u64>) -> Vec<Duration> {
        let time = Duration::from_millis;
        let stalls = Some(Stalls { every: time(1000), length: time(10), spread });
        let physics = Physics { stalls, ..Physics::default() };
        let mut standstill = Standstill::of(&physics, 7);
        let dues: Vec<Instant> = millis.map(|n| Instant::EPOCH + time(n)).collect();
        let done: Vec<Instant> = dues.iter().map(|due| standstill.done(*due)).collect();
        assert!(done.is_sorted(), "nobody overtakes");
        let late = done.iter().zip(dues).map(|(done, due)| done.since(due));
        late.filter(|late| !late.is_zero()).collect()
    }

    #[test]
    fn once_in_each_time_nothing_is_done_for_a_while() {
        assert_eq!(late(0.0, 0..10_000).len(), 100);
        // However seldom something is due, it is late for the whole time.
        assert_eq!(late(0.0, (0..10_000).step_by(25)), [Duration::from_millis(10); 10]);
    }

    #[test]
    fn it_stands_still_in_a_moment_of_each_start() {
        let time = Duration::from_millis;
        let at = |n| Instant::EPOCH + time(n);
        let physics = Physics { lag: Distribution::Constant(time(5)), ..Physics::default() };
        let mut standstill = Standstill::of(&physics, 7);
        standstill.starts(at(100)..at(200), &physics);
        standstill.starts(at(1000)..at(1000), &physics);
        let late = (0..2000).filter(|n| standstill.done(at(*n)) > at(*n));
        let late: Vec<u64> = late.collect();
        assert!((100..=200).contains(&late[0]) && late[4] == late[0] + 4, "{late:?}");
        assert_eq!(late[5..], [1000, 1001, 1002, 1003, 1004]);
    }

    #[test]
    fn each_time_it_may_be_for_longer_or_shorter() {
        // Nearly all are shorter than the second that is between these.
        let mut late = late(1.0, (999..1_000_000).step_by(1000));
        late.sort_unstable();
        assert_eq!(late.len(), 1000);
        // Half of them are longer, and one in six by more than e.
        assert!((9..=11).contains(&late[500].as_millis()), "{:?}", late[500]);
        assert!((25..=30).contains(&late[841].as_millis()), "{:?}", late[841]);
        assert!(late[999] <= Duration::from_millis(500));
    }
}
