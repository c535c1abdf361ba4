//! The outcomes that count: the last so many, or those of the last so long.

use std::time::Duration;

use super::config;
use crate::time::Instant;

/// One outcome as a breaker counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// What some outcomes add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Outcomes in all.
    pub(crate) calls: u64,
    /// Those that failed.
    pub(crate) failures: u64,
    /// Those that were slow, failed or not.
    pub(crate) slow: u64,
}

/// Outcomes that leave as they grow old. Allocates when it is made, and never again.
#[derive(Debug)]
pub(crate) enum Window {
    Ring(Ring),
    Buckets(Buckets),
}

/// The last so many.
#[derive(Debug)]
pub(crate) struct Ring {
    outcomes: Box<[Counted]>,
    /// Where the next one goes; when the ring is full, the oldest is there.
    next: usize,
    sums: Sums,
}

const BUCKETS: u64 = 10;

/// Those of the last so long, in tenths.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// Nanoseconds that one bucket covers.
    width: u64,
    tenths: Box<[Sums; BUCKETS as usize]>,
    /// The bucket of now, counted from the epoch.
    current: u64,
    sums: Sums,
}

// === impl Window ===

impl Window {
    pub(crate) fn new(config: config::Window) -> Self {
        match config {
            config::Window::Calls(calls) => Self::Ring(Ring::new(calls.max(1) as usize)),
            config::Window::Time(length) => Self::Buckets(Buckets::new(length)),
        }
    }

    /// Counts an outcome that came `now`.
    pub(crate) fn record(&mut self, now: Instant, outcome: Counted) {
        match self {
            Self::Ring(ring) => ring.record(outcome),
            Self::Buckets(buckets) => buckets.record(now, outcome),
        }
    }

    /// What it holds `now`.
    pub(crate) fn sums(&mut self, now: Instant) -> Sums {
        match self {
            Self::Ring(ring) => ring.sums,
            Self::Buckets(buckets) => {
                buckets.advance(now);
                buckets.sums
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Ring(ring) => (ring.next, ring.sums) = (0, Sums::default()),
            Self::Buckets(buckets) => {
                *buckets.tenths = Default::default();
                buckets.sums = Sums::default();
            }
        }
    }

    /// The minimum that can be reached: a ring is judged when it is full at the latest.
    pub(super) fn reachable(&self, minimum: u32) -> u64 {
        let minimum = u64::from(minimum.max(1));
        match self {
            Self::Ring(ring) => minimum.min(ring.outcomes.len() as u64),
            Self::Buckets(_) => minimum,
        }
    }
}

// === impl Ring ===

impl Ring {
    fn new(calls: usize) -> Self {
        let outcomes = vec![Counted::default(); calls].into_boxed_slice();
        Self { outcomes, next: 0, sums: Sums::default() }
    }

    fn record(&mut self, outcome: Counted) {
        let full = self.sums.calls == self.outcomes.len() as u64;
        let oldest = std::mem::replace(&mut self.outcomes[self.next], outcome);
        if full {
            self.sums.remove(Sums::of(oldest));
        }
        self.sums.add(Sums::of(outcome));
        self.next += 1;
        if self.next == self.outcomes.len() {
            self.next = 0;
        }
    }
}

// === impl Buckets ===

impl Buckets {
    fn new(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            width: (nanos / BUCKETS).max(1),
            tenths: Box::default(),
            current: 0,
            sums: Sums::default(),
        }
    }

    fn record(&mut self, now: Instant, outcome: Counted) {
        self.advance(now);
        let outcome = Sums::of(outcome);
        self.tenths[(self.current % BUCKETS) as usize].add(outcome);
        self.sums.add(outcome);
    }

    fn advance(&mut self, now: Instant) {
        // Mostly it is still the same one, and to multiply is cheaper than to divide.
        if now.as_nanos() < (self.current + 1).saturating_mul(self.width) {
            return;
        }
        let current = now.as_nanos() / self.width;
        let passed = current.saturating_sub(self.current).min(BUCKETS);
        for n in 1..=passed {
            let bucket = &mut self.tenths[((self.current + n) % BUCKETS) as usize];
            self.sums.remove(std::mem::take(bucket));
        }
        self.current = self.current.max(current);
    }
}

// === impl Sums ===

impl Sums {
    pub(super) fn of(outcome: Counted) -> Self {
        Self { calls: 1, failures: u64::from(outcome.failed), slow: u64::from(outcome.slow) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow += other.slow;
    }

    fn remove(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow -= other.slow;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome() -> impl Strategy<Value = Counted> {
        any::<(bool, bool)>().prop_map(|(failed, slow)| Counted { failed, slow })
    }

    fn total<'a>(outcomes: impl Iterator<Item = &'a Counted>) -> Sums {
        let mut sums = Sums::default();
        outcomes.for_each(|outcome| sums.add(Sums::of(*outcome)));
        sums
    }

    proptest! {
        #[test]
        fn a_ring_is_the_last_so_many(
            calls in 1u32..20, outcomes in prop::collection::vec(outcome(), 0..60),
        ) {
            let mut window = Window::new(config::Window::Calls(calls));
            for (n, outcome) in outcomes.iter().enumerate() {
                window.record(Instant::EPOCH, *outcome);
                let oldest = (n + 1).saturating_sub(calls as usize);
                prop_assert_eq!(window.sums(Instant::EPOCH), total(outcomes[oldest..=n].iter()));
            }
        }

        #[test]
        fn buckets_are_those_of_the_last_ten_tenths(
            length in 10u64..300, story in prop::collection::vec((0u64..120, outcome()), 0..60),
        ) {
            let mut window = Window::new(config::Window::Time(Duration::from_nanos(length)));
            let (mut now, mut known) = (0, Vec::new());
            for (wait, outcome) in story {
                now += wait;
                window.record(Instant::from_nanos(now), outcome);
                known.push((now, outcome));
                let bucket = |at: u64| at / (length / 10);
                let kept = known.iter().filter(|(at, _)| bucket(*at) + 10 > bucket(now));
                let naive = total(kept.map(|(_, outcome)| outcome));
                prop_assert_eq!(window.sums(Instant::from_nanos(now)), naive);
            }
        }
    }
}
