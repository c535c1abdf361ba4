//! Waiting for a moment, on a machine that is never quite on time.

use std::ops::Range;
use std::time::Duration;

use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

use super::physics::{Physics, Stalls};
use crate::distribution::Dice;

/// When somebody wants to be told the time, and when that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    meant: Option<Instant>,
    pub(super) wakes: Option<Instant>,
}

/// A machine that stands still now and then.
#[derive(Debug)]
pub(super) struct Standstill {
    stalls: Stalls,
    seed: u64,
    lengths: Dice,
    /// In which of these times it does so next,
    next: u64,
    /// and from when until when it did last.
    begun: Range<Instant>,
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
    /// None where the machine never stands still; when it does is drawn from `seed`.
    pub(super) fn of(physics: &Physics, seed: u64) -> Option<Self> {
        let stalls = physics.stalls?;
        let lengths = Dice::new(seed, Stream::Standstills);
        Some(Self { stalls, seed, lengths, next: 0, begun: Instant::EPOCH..Instant::EPOCH })
    }

    /// When what is due at `at` is done, before anything else is. It stands still from the first moment on, after a
    /// random one of each time, when something is due: how long it does is known by what was late for it.
    pub(super) fn done(&mut self, at: Instant) -> Instant {
        let Stalls { every, .. } = self.stalls;
        let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let number = at.as_nanos() / every;
        let random = (unit(self.seed, Stream::Machine, number) * every as f64) as u64;
        if number >= self.next && at.as_nanos() >= number * every + random {
            self.next = number + 1;
            // Nobody is done before who was due before.
            self.begun = at..self.begun.end.max(at + self.length());
        }
        if self.begun.contains(&at) { self.begun.end } else { at }
    }

    /// For how long it stands still this time.
    fn length(&mut self) -> Duration {
        let Stalls { every, length, spread } = self.stalls;
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
        let mut standstill = Standstill::of(&physics, 7).unwrap();
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
