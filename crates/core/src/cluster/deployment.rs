//! Rolling deployments: how a new revision takes the place of an old one, and when it is given up.
//!
//! Source of the arithmetic: ECS API reference, `DeploymentConfiguration`,
//! `DeploymentCircuitBreaker` and `ThresholdConfiguration`.

mod view;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use view::{DeploymentView, State};

/// How deployments of one service go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// A new task counts as healthy once it has been so for this long without a break: one that passes
    /// its first check and then dies takes nobody's place.
    pub settle: Duration,
    /// When a deployment has failed.
    pub breaker: Breaker,
    /// Whether one that failed goes back to the last completed revision.
    pub rollback: bool,
    /// What clients must not see while it lasts, if that matters.
    pub alarm: Option<Alarm>,
    /// A first step with a small share of the requests, if there is one.
    pub canary: Option<Canary>,
    /// A deployment ends when every new task has answered requests, or got none for so long: one interval
    /// of the health checks.
    pub quiet: Duration,
}

/// The deployment circuit breaker: so many new tasks may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Of the desired count, rounded up.
    pub percent: u32,
    /// Not fewer than this.
    pub minimum: u32,
    /// Not more than this.
    pub maximum: u32,
    /// Whether a task that settles leaves the count as it is (cumulative) or starts it anew
    /// (consecutive).
    pub cumulative: bool,
}

/// What the gateway sees of clients that gives a deployment up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// More failed requests than this share, if that matters.
    pub failed_percent: Option<u32>,
    /// 99 of 100 requests take longer than this, if that matters.
    pub p99: Option<Duration>,
    /// Over so long a time.
    pub window: Duration,
    /// Fewer requests in a window say nothing.
    pub minimum_requests: u32,
}

/// A first step of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The new revision gets this share of the requests, and of the tasks, rounded up.
    pub percent: u32,
    /// The rest follows after so long without an alarm.
    pub bake: Duration,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(10),
            breaker: Breaker::default(),
            rollback: true,
            alarm: None,
            canary: None,
            quiet: Duration::from_secs(10),
        }
    }
}

// === impl Canary ===

impl Canary {
    /// So many tasks of the new revision come first.
    pub fn tasks(&self, desired_count: u32) -> u32 {
        (desired_count * self.percent).div_ceil(100).clamp(1, desired_count.max(1))
    }
}

// === impl Breaker ===

impl Breaker {
    /// So many failed tasks are too many.
    pub fn threshold(&self, desired_count: u32) -> u32 {
        let share = (desired_count * self.percent).div_ceil(100);
        share.clamp(self.minimum, self.maximum)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { percent: 50, minimum: 3, maximum: 200, cumulative: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ECS's own table, with today's floor of 3.
    #[test]
    fn the_threshold_is_half_of_the_desired_count_within_bounds() {
        let threshold = |count| Breaker::default().threshold(count);
        assert_eq!([1, 6, 7, 25, 400, 800].map(threshold), [3, 3, 4, 13, 200, 200]);
    }
}
