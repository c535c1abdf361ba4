//! How an outcome counts, and how many are too many.

use std::time::Duration;

use super::config::{Config, Opening, Slow};
use super::transition::Cause;
use super::window::{Counted, Sums};
use crate::policy::Outcome;
use crate::random::{self, Stream};

// === impl Config ===

impl Config {
    /// Whether a call of this age is slow.
    pub(super) fn is_slow(&self, age: Duration) -> bool {
        self.slow.is_some_and(|slow| age > slow.threshold)
    }

    /// How an outcome at this age counts, if it does. `overdue`: it came after the deadline, or is
    /// slow.
    pub(super) fn weigh(&self, age: Duration, overdue: bool, outcome: Outcome) -> Option<Counted> {
        let slow = self.is_slow(age);
        match outcome {
            Outcome::Success => Some(Counted { failed: false, slow }),
            Outcome::Failure => Some(Counted { failed: true, slow }),
            Outcome::Timeout => Some(Counted { failed: true, slow: true }),
            Outcome::Cancelled => overdue.then_some(Counted { failed: true, slow: true }),
        }
    }

    /// What there is too much of among `of` calls, where there are `enough` to judge by.
    pub(super) fn excess(
        &self,
        sums: Sums,
        of: u64,
        enough: impl Fn(u32) -> bool,
    ) -> Option<Cause> {
        let too_many =
            |part: u64, percent, minimum| enough(minimum) && part * 100 >= of * u64::from(percent);
        let Self { failure_percent: percent, minimum_calls, slow, .. } = *self;
        if too_many(sums.failures, percent, minimum_calls) {
            return Some(Cause::Failures { failures: sums.failures, of, percent });
        }
        let Slow { threshold, percent, minimum_calls } = slow?;
        let cause = Cause::Slow { slow: sums.slow, of, percent, threshold };
        too_many(sums.slow, percent, minimum_calls).then_some(cause)
    }
}

// === impl Opening ===

impl Opening {
    /// For how long, after `before` others in a row: twice as long for each of them up to the
    /// longest, less the jitter that `seed` and `ordinal` draw.
    pub(super) fn time(&self, before: u32, seed: u64, ordinal: u64) -> Duration {
        let full = self.first.saturating_mul(2u32.saturating_pow(before)).min(self.longest);
        let shortest = full.saturating_sub(full.saturating_mul(self.jitter_percent) / 100);
        random::duration_between(shortest, full, seed, Stream::OpenTime, ordinal)
    }
}
