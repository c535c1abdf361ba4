//! How quickly a task answers, as its requests show it.

use crate::time::Instant;

/// The time to the head of an answer, as what lasts: up at once, down step by step. And how long
/// nothing came while something was due.
///
/// One slow answer says little where the slowest of a hundred takes ten times as long as the median,
/// so it goes up to the *quickest of the last three* answers, not to single ones (where Finagle's
/// peak EWMA does). A task that has become slow has shown it with its third answer, and by its
/// silence before.
///
/// Quicker answers bring it down by their count and not by time, so a peak weighs the same at any
/// rate; time alone brings it down as well, so that a task that gets nothing is asked again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    /// Nanoseconds, at `since`.
    lasting: u64,
    since: Instant,
    /// The last samples, in nanoseconds.
    last: [u64; 3],
    /// Requests without the head of an answer.
    awaited: u32,
    /// The last head came then, or the first request that waits for one.
    heard: Instant,
}

/// What lasts halves in `2^29` ns, which is 0.54 s: what was 250 times too slow is asked again after
/// 4 s.
const HALF_LIFE_BITS: u32 = 29;
/// A quicker answer takes off one part in so many of the difference.
const SMOOTHING: u64 = 16;

// === impl Pulse ===

impl Pulse {
    /// Nobody waits, and `latency` is taken for what it would show.
    pub(super) fn new(now: Instant, latency: u64) -> Self {
        Self { lasting: latency, since: now, ..Self::default() }
    }

    /// The same requests, all else as new.
    pub(super) fn renew(&mut self, now: Instant, latency: u64) {
        *self = Self { awaited: self.awaited, heard: now, ..Self::new(now, latency) };
    }

    /// Nanoseconds that the next answer is likely to take.
    pub(super) fn latency(&self, now: Instant) -> u64 {
        self.lasting(now).max(self.silence(now))
    }

    /// A request waits for its answer.
    pub(super) fn wait(&mut self, now: Instant) {
        if self.awaited == 0 {
            self.heard = now;
        }
        self.awaited += 1;
    }

    /// A request was answered, as well or as badly as `latency` says.
    pub(super) fn hear(&mut self, now: Instant, latency: u64) {
        self.awaited = self.awaited.saturating_sub(1);
        self.heard = now;
        self.sample(now, latency);
    }

    /// A request does not wait any more, and had no answer: a silence that was longer than an answer
    /// takes is a sample.
    pub(super) fn give_up(&mut self, now: Instant) {
        let silence = self.silence(now);
        if silence > self.lasting(now) {
            self.sample(now, silence);
        }
        self.awaited = self.awaited.saturating_sub(1);
    }

    /// What was heard last has turned out to be worth no more than `latency`: its answer was cut short.
    pub(super) fn correct(&mut self, now: Instant, latency: u64) {
        let before = self.lasting(now);
        self.last[2] = latency;
        self.lasting = self.last.into_iter().min().unwrap_or(latency).max(before);
        self.since = now;
    }

    fn sample(&mut self, now: Instant, nanos: u64) {
        self.last = [self.last[1], self.last[2], nanos];
        let quickest = self.last.into_iter().min().unwrap_or(nanos);
        let before = self.lasting(now);
        self.lasting = quickest.max(before - before.saturating_sub(nanos) / SMOOTHING);
        self.since = now;
    }

    fn silence(&self, now: Instant) -> u64 {
        if self.awaited == 0 { 0 } else { nanos(now, self.heard) }
    }

    /// Halved with each half-life, and in a straight line between.
    fn lasting(&self, now: Instant) -> u64 {
        let age = nanos(now, self.since);
        let halved =
            self.lasting.checked_shr((age >> HALF_LIFE_BITS).try_into().unwrap_or(u32::MAX));
        let halved = halved.unwrap_or(0);
        let parts = (age >> (HALF_LIFE_BITS - 10)) & 0x3ff;
        halved - (halved >> 11) * parts
    }
}

fn nanos(now: Instant, earlier: Instant) -> u64 {
    now.as_nanos().saturating_sub(earlier.as_nanos())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: u64 = 1_000_000;

    fn at(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn three_slow_answers_in_a_row_are_a_slow_task_and_one_is_not() {
        let mut pulse = Pulse::default();
        let mut hear = |n, latency| {
            pulse.wait(at(n));
            pulse.hear(at(n), latency * MS);
            pulse.latency(at(n)) / MS
        };
        for (n, latency) in [(0, 3), (1, 500), (2, 4), (3, 500), (4, 500)] {
            assert!(hear(n, latency) <= 4, "{n}");
        }
        assert_eq!(hear(5, 600), 500);
    }

    #[test]
    fn what_was_slow_is_forgotten_with_time_and_without_requests() {
        let pulse = Pulse::new(at(0), 512 * MS);
        let after = |millis| pulse.latency(at(millis)) / MS;
        assert_eq!([0, 537, 1074, 5370].map(after), [512, 256, 128, 0]);
        assert!((380..=390).contains(&after(268)), "{}", after(268));
        assert_eq!(after(1 << 40), 0);
    }

    #[test]
    fn quick_answers_bring_it_down_step_by_step() {
        let mut pulse = Pulse::new(at(0), 160 * MS);
        let mut hear = |latency| {
            pulse.wait(at(0));
            pulse.hear(at(0), latency * MS);
            pulse.latency(at(0)) / MS
        };
        assert_eq!([0, 0, 150, 300].map(&mut hear), [150, 140, 140, 140]);
        assert_eq!((0..200).map(|_| hear(5)).last(), Some(5), "never lower than they were");
    }

    /// Their heads come quickly, so they would attract everything.
    #[test]
    fn answers_that_are_cut_short_are_errors() {
        let mut pulse = Pulse::default();
        for n in 0..3 {
            assert!(pulse.latency(at(n)) <= 2 * MS, "one says little: {n}");
            pulse.wait(at(n));
            pulse.hear(at(n), MS);
            pulse.correct(at(n), 30_000 * MS);
        }
        assert_eq!(pulse.latency(at(2)), 30_000 * MS);
    }

    #[test]
    fn a_task_that_says_nothing_is_as_slow_as_it_is_silent() {
        let mut pulse = Pulse::default();
        pulse.wait(at(0));
        pulse.wait(at(100));
        assert_eq!(pulse.latency(at(300)), 300 * MS);
        pulse.hear(at(300), 300 * MS);
        assert_eq!(pulse.latency(at(300)), 0, "something came");
        assert_eq!(pulse.latency(at(350)), 50 * MS, "another one is due");
        pulse.wait(at(400));
        pulse.give_up(at(1000));
        assert_eq!(pulse.latency(at(1000)), 700 * MS, "it is silent all the same");
        pulse.give_up(at(1100));
        assert_eq!(
            pulse.latency(at(1100)),
            300 * MS,
            "two silences and an answer are three in a row"
        );
        assert_eq!(pulse.silence(at(2000)), 0, "nobody waits");
    }
}
