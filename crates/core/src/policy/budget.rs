//! Retry budget: how many calls may be tried again.
//!
//! *What it protects*: a service that is failing, from being called several times as often just
//! then. *When it trips*: when fewer calls succeed than retries would need. *How it recovers*: each
//! success brings back a share of a retry, and each second a little, so that a quiet service has
//! some too. *What it does not do*: say which calls may be tried again, or when.
//!
//! A token bucket in whole numbers: nothing is rounded, whatever the order of events.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// How large a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Each success brings so much of a retry: 20 means one for five successes.
    pub success_percent: u32,
    /// Each second brings so many, whatever happens.
    pub per_second: u32,
    /// No more than so many are saved.
    pub cap: u32,
}

/// What is left for retries. Full at first.
#[derive(Clone, Debug)]
pub struct Budget {
    config: Config,
    /// In [`RETRY`]s.
    balance: u128,
    /// Until when the seconds are counted.
    counted: Instant,
}

/// Nothing is left for this retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Whole retries that are left: none.
    pub left: u32,
    /// So many can be saved.
    pub cap: u32,
}

/// One retry, in a unit in which a nanosecond's and a success's share are whole.
const RETRY: u128 = 100 * NANOS;
const NANOS: u128 = 1_000_000_000;

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        // A fifth more calls is what Finagle, Envoy and failsafe-go allow. One a second helps a
        // quiet service and is no load; a hundred are what one busy task has in flight when it dies.
        Self { success_percent: 20, per_second: 1, cap: 100 }
    }
}

// === impl Budget ===

impl Budget {
    /// A full budget.
    pub fn new(now: Instant, config: Config) -> Self {
        Self { config, balance: u128::from(config.cap) * RETRY, counted: now }
    }

    /// A call has succeeded.
    pub fn deposit(&mut self, now: Instant) {
        self.add(now, u128::from(self.config.success_percent) * NANOS);
    }

    /// Takes one retry out, if one is left.
    pub fn withdraw(&mut self, now: Instant) -> Result<(), Spent> {
        self.add(now, 0);
        match self.balance.checked_sub(RETRY) {
            Some(rest) => self.balance = rest,
            None => return Err(Spent { left: self.whole(), cap: self.config.cap }),
        }
        Ok(())
    }

    /// Whole retries that are left.
    pub fn left(&mut self, now: Instant) -> u32 {
        self.add(now, 0);
        self.whole()
    }

    /// Adds this, and what the seconds until `now` have brought.
    fn add(&mut self, now: Instant, amount: u128) {
        let passed: Duration = now.since(self.counted);
        self.counted = self.counted.max(now);
        let brought = passed.as_nanos() * u128::from(self.config.per_second) * (RETRY / NANOS);
        let cap = u128::from(self.config.cap) * RETRY;
        self.balance = (self.balance + brought + amount).min(cap);
    }

    fn whole(&self) -> u32 {
        (self.balance / RETRY) as u32
    }
}

// === impl Spent ===

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the retry budget is spent: {} of {}", self.left, self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Succeed(u32),
        Retry(u32),
        Spent,
    }
    use Step::{Retry, Spent as Refused, Succeed};

    /// Goes through `(milliseconds, step)`; each retry of a `Retry` must be granted.
    fn check(config: Config, steps: &[(u64, Step)]) {
        let mut budget = Budget::new(Instant::EPOCH, config);
        for (n, &(at, step)) in steps.iter().enumerate() {
            let now = Instant::EPOCH + Duration::from_millis(at);
            match step {
                Succeed(times) => (0..times).for_each(|_| budget.deposit(now)),
                Retry(times) => {
                    (0..times).for_each(|_| assert_eq!(budget.withdraw(now), Ok(()), "step {n}"));
                }
                Refused => {
                    let spent = Spent { left: 0, cap: config.cap };
                    assert_eq!(budget.withdraw(now), Err(spent), "step {n}");
                }
            }
        }
    }

    #[test]
    fn five_successes_bring_one_retry_and_four_do_not() {
        let config = Config { success_percent: 20, per_second: 0, cap: 2 };
        let tail = [(0, Succeed(4)), (0, Refused), (0, Succeed(1)), (0, Retry(1)), (0, Refused)];
        check(config, &[&[(0, Retry(2)), (0, Refused)][..], &tail].concat());
    }

    #[test]
    fn a_quiet_service_has_some_every_second_up_to_the_cap() {
        let config = Config { success_percent: 0, per_second: 2, cap: 3 };
        check(config, &[(0, Retry(3)), (499, Refused), (500, Retry(1)), (500, Refused)]);
        check(config, &[(0, Retry(3)), (60_000, Retry(3)), (60_000, Refused)]);
    }

    #[test]
    fn a_ratio_of_60_percent_is_60_percent() {
        // tower's budget once took 0.6 for 1.
        let config = Config { success_percent: 60, per_second: 0, cap: 1000 };
        check(config, &[(0, Retry(1000)), (0, Succeed(100)), (0, Retry(60)), (0, Refused)]);
    }

    #[test]
    fn a_refusal_says_its_numbers() {
        assert_eq!(Spent { left: 0, cap: 10 }.to_string(), "the retry budget is spent: 0 of 10");
    }

    proptest! {
        /// Counted by hand, in hundredths of a retry and milliseconds.
        #[test]
        fn it_is_exact(
            success_percent in 0u32..300, per_second in 0u32..30, cap in 0u32..20,
            story in prop::collection::vec((0u64..2000, any::<bool>()), 0..200),
        ) {
            let config = Config { success_percent, per_second, cap };
            let mut budget = Budget::new(Instant::EPOCH, config);
            let most = u64::from(cap) * 100_000;
            let (mut now, mut balance) = (Instant::EPOCH, most);
            for (wait, succeeds) in story {
                now = now + Duration::from_millis(wait);
                balance = (balance + wait * u64::from(per_second) * 100).min(most);
                if succeeds {
                    budget.deposit(now);
                    balance = (balance + u64::from(success_percent) * 1000).min(most);
                } else {
                    prop_assert_eq!(budget.withdraw(now).is_ok(), balance >= 100_000);
                    balance = if balance >= 100_000 { balance - 100_000 } else { balance };
                }
                prop_assert_eq!(u64::from(budget.left(now)), balance / 100_000);
            }
        }
    }
}
