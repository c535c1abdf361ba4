//! Hedge: a request whose answer is late is sent to a second task, and the first answer counts.
//!
//! *What it protects*: callers, from a task that hangs or pauses. *When it trips*: when no answer
//! has begun after most others would have. *How it recovers*: there is nothing to recover. *What it
//! does not do*: cut the first try short; or help a service that is slow as a whole, for which its
//! budget is too small on purpose.
//!
//! Source: Dean and Barroso, "The tail at scale" (2013), "hedged requests".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::{self, Budget};
use super::latencies::Latencies;
use crate::time::Instant;

/// What is usual is known by the answers of the last ten to twenty seconds.
const TURNS: Duration = Duration::from_secs(10);

/// When a request is sent once more, and how often that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// When so many of the others would have been answered, in percent.
    pub quantile_percent: u32,
    /// Never earlier than this.
    pub at_least: Duration,
    /// What hedges are taken from. It is their own, so that they never use up the retries.
    pub budget: budget::Config,
}

/// The hedges of one route.
#[derive(Clone, Debug)]
pub struct Hedge {
    at_least: Duration,
    latencies: Latencies,
    budget: Budget,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            // One request in a hundred at most is later than that, whatever the service is like.
            quantile_percent: 99,
            // Below this the machine's own noise would be hedged against.
            at_least: Duration::from_millis(5),
            // Twice what the quantile asks for in good times, so that some is always left for bad
            // ones: as many as one task may have in flight when it hangs.
            budget: budget::Config { success_percent: 2, per_second: 1, cap: 100 },
        }
    }
}

// === impl Hedge ===

impl Hedge {
    /// Nothing was answered yet.
    pub fn new(config: Config) -> Self {
        Self {
            at_least: config.at_least,
            latencies: Latencies::new(config.quantile_percent, TURNS),
            // It is full, so it does not matter since when.
            budget: Budget::new(Instant::EPOCH, config.budget),
        }
    }

    /// So long an answer is waited for before the request is sent once more; none while it is not
    /// known what is usual.
    pub fn delay(&mut self, now: Instant) -> Option<Duration> {
        self.latencies.quantile(now).map(|usual| usual.max(self.at_least))
    }

    /// An answer began after so long, or had not begun when another one did.
    pub fn record(&mut self, now: Instant, latency: Duration) {
        self.latencies.record(now, latency);
    }

    /// A call has succeeded.
    pub fn deposit(&mut self, now: Instant) {
        self.budget.deposit(now);
    }

    /// Whole hedges that are left.
    pub fn left(&mut self, now: Instant) -> u32 {
        self.budget.left(now)
    }

    /// Whether one more may be sent now. If so, it is counted.
    pub fn withdraw(&mut self, now: Instant) -> bool {
        self.budget.withdraw(now).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const NOW: Instant = Instant::EPOCH;

    fn hedge() -> Hedge {
        let budget = budget::Config { success_percent: 50, per_second: 0, cap: 1 };
        Hedge::new(Config { quantile_percent: 90, at_least: MS(5), budget })
    }

    #[test]
    fn what_is_usual_must_be_known() {
        let mut hedge = hedge();
        assert_eq!(hedge.delay(NOW), None);
        (0..20).for_each(|_| hedge.record(NOW, MS(1)));
        assert_eq!(hedge.delay(NOW), Some(MS(5)), "never earlier");
        (0..20).for_each(|_| hedge.record(NOW, MS(100)));
        assert!(hedge.delay(NOW).unwrap() >= MS(100));
    }

    #[test]
    fn hedges_are_paid_by_successes() {
        let mut hedge = hedge();
        assert!(hedge.withdraw(NOW));
        assert!(!hedge.withdraw(NOW));
        hedge.deposit(NOW);
        assert!(!hedge.withdraw(NOW));
        hedge.deposit(NOW);
        assert!(hedge.withdraw(NOW));
    }
}
