//! Retry: which call is tried again, and after how long.
//!
//! *What it protects*: the caller, from a failure that the next try would not meet; and by its
//! [`budget`] the service, from retries that multiply. *When it trips*: when a call fails, has tries
//! and time left, and the budget has a retry for it. *How it recovers*: see [`budget`]. *What it does
//! not do*: say which requests may be sent twice, or wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::{self, Budget};
use super::{Ask, Outcome, Policy, Rejection};
use crate::random::{Stream, duration_between};
use crate::time::Instant;

/// When a call is tried again, and when no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Tries in all, the first included.
    pub tries: u32,
    /// Before the first retry; twice as long before each further one,
    pub pause: Duration,
    /// but never longer than this.
    pub longest_pause: Duration,
    /// Up to so large a share of a pause is taken off at random, so that many callers do not try
    /// again at the same moment: 0 to 100.
    pub jitter_percent: u32,
    /// What all calls together may try again.
    pub budget: budget::Config,
}

/// The retries of one service.
#[derive(Clone, Debug)]
pub struct Retry {
    config: Config,
    seed: u64,
    budget: Budget,
    metrics: Metrics,
}

/// Counts since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Retries.
    pub retries: u64,
    /// Retries that were wanted when the budget had none.
    pub spent: u64,
}

// === impl Config ===

impl Config {
    /// The longest pause before the try after so many.
    fn full_pause(&self, tries: u32) -> Duration {
        let times = 2u32.saturating_pow(tries.saturating_sub(1));
        self.pause.saturating_mul(times).min(self.longest_pause)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // One more is for the task that dies, the other for the next one.
            tries: 3,
            // Shorter than people notice, long enough for a balancer to look elsewhere.
            pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(1),
            jitter_percent: 50,
            budget: budget::Config::default(),
        }
    }
}

// === impl Retry ===

impl Retry {
    /// With a full budget. `seed` draws the pauses.
    pub fn new(now: Instant, config: Config, seed: u64) -> Self {
        let budget = Budget::new(now, config.budget);
        Self { config, seed, budget, metrics: Metrics::default() }
    }

    /// The pause before the next try of a call that has just failed after so many; none if there is
    /// none. A try that could not begin before the deadline takes nothing out of the budget.
    pub fn again(
        &mut self,
        now: Instant,
        tries: u32,
        deadline: Option<Instant>,
    ) -> Option<Duration> {
        // The longest pause is asked about: what the budget gives must not go to waste.
        let full = self.config.full_pause(tries);
        if tries >= self.config.tries || deadline.is_some_and(|deadline| deadline <= now + full) {
            return None;
        }
        if self.budget.withdraw(now).is_err() {
            self.metrics.spent += 1;
            return None;
        }
        self.metrics.retries += 1;
        let jitter = full.saturating_mul(self.config.jitter_percent) / 100;
        let (shortest, ordinal) = (full.saturating_sub(jitter), self.metrics.retries);
        Some(duration_between(shortest, full, self.seed, Stream::Pause, ordinal))
    }

    /// Whole retries that are left.
    pub fn left(&mut self, now: Instant) -> u32 {
        self.budget.left(now)
    }

    /// What it did so far.
    pub fn metrics(&self) -> Metrics {
        self.metrics
    }
}

/// Lets everything pass, and learns from what succeeds.
impl Policy for Retry {
    type Pass = ();

    fn admit(&mut self, _now: Instant, _ask: &Ask) -> Result<(), Rejection> {
        Ok(())
    }

    fn settle(&mut self, now: Instant, _pass: (), outcome: Outcome) {
        if outcome == Outcome::Success {
            self.budget.deposit(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const NOW: Instant = Instant::EPOCH;

    fn retry(cap: u32) -> Retry {
        let budget = budget::Config { success_percent: 50, per_second: 0, cap };
        let config =
            Config { tries: 5, pause: MS(100), longest_pause: MS(250), jitter_percent: 50, budget };
        Retry::new(NOW, config, 7)
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_shortened_at_random() {
        let mut retry = retry(10);
        for (tries, longest) in [(1, 100), (2, 200), (3, 250), (4, 250)] {
            let pause = retry.again(NOW, tries, None).unwrap();
            assert!((MS(longest / 2)..=MS(longest)).contains(&pause), "{tries}: {pause:?}");
        }
        assert_eq!(retry.again(NOW, 5, None), None, "it had its tries");
        assert_eq!(retry.metrics(), Metrics { retries: 4, spent: 0 });
    }

    #[test]
    fn a_try_that_would_come_too_late_costs_nothing() {
        let mut retry = retry(1);
        assert_eq!(retry.again(NOW, 1, Some(NOW + MS(100))), None);
        assert_eq!(retry.left(NOW), 1);
        assert!(retry.again(NOW, 1, Some(NOW + MS(101))).is_some());
    }

    #[test]
    fn what_succeeds_pays_for_retries() {
        let mut retry = retry(1);
        assert!(retry.again(NOW, 1, None).is_some());
        assert_eq!(retry.again(NOW, 1, None), None);
        retry.settle(NOW, (), Outcome::Success);
        retry.settle(NOW, (), Outcome::Failure);
        assert_eq!(retry.again(NOW, 1, None), None, "half a retry is none");
        retry.settle(NOW, (), Outcome::Success);
        assert!(retry.again(NOW, 1, None).is_some());
        assert_eq!(retry.metrics(), Metrics { retries: 2, spent: 2 });
    }
}
