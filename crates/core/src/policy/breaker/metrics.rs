//! What a breaker has seen.

use super::config::Config;
use super::window::{Counted, Sums};
use crate::policy::Rejection;

/// Counts since the beginning. Calls that passed are counted when they are settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Calls that did not fail.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls of both kinds that were slow, or had no answer by their deadline.
    pub slow: u64,
    /// Calls that were dropped before their time.
    pub cancelled: u64,
    /// Of all these, those that came too late for a verdict: let pass by an earlier state, by a
    /// lease that was over, or by a breaker that only counts and would have rejected them.
    pub late: u64,
    /// Trials whose lease ended without a result.
    pub expired: u64,
    /// Calls that did not pass; in a breaker that only counts, would not have passed.
    pub rejected: Rejected,
    /// Transitions that nobody fetched in time.
    pub transitions_lost: u64,
}

/// Calls that did not pass, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// The breaker was open.
    pub open: u64,
    /// It was half-open and had its trials.
    pub trials: u64,
    /// It had just closed.
    pub ramp: u64,
    /// It was held open by hand.
    pub forced: u64,
}

/// What the window holds now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Outcomes in the window.
    pub calls: u64,
    /// The share that failed, 0 to 1; none before the minimum is reached.
    pub failures: Option<f64>,
    /// The share that was slow, 0 to 1; none before its own minimum is reached, or if slowness
    /// does not count.
    pub slow: Option<f64>,
}

// === impl Metrics ===

impl Metrics {
    /// Counts a call that is settled; `None` is one that was cancelled.
    pub(super) fn settled(&mut self, outcome: Option<Counted>) {
        match outcome {
            None => self.cancelled += 1,
            Some(outcome) => {
                self.successes += u64::from(!outcome.failed);
                self.failures += u64::from(outcome.failed);
                self.slow += u64::from(outcome.slow);
            }
        }
    }

    pub(super) fn rejected(&mut self, why: Rejection) {
        match why {
            Rejection::Open { .. } => self.rejected.open += 1,
            Rejection::TrialsTaken { .. } => self.rejected.trials += 1,
            Rejection::Ramp { .. } => self.rejected.ramp += 1,
            Rejection::ForcedOpen => self.rejected.forced += 1,
            // Those of other policies: a breaker gives none of them.
            Rejection::DeadlinePassed | Rejection::Full { .. } | Rejection::KeysInUse { .. } => {}
        }
    }
}

// === impl Rejected ===

impl Rejected {
    /// For whatever reason.
    pub fn all(self) -> u64 {
        self.open + self.trials + self.ramp + self.forced
    }
}

// === impl Rates ===

impl Rates {
    pub(super) fn new(config: &Config, sums: Sums, reachable: impl Fn(u32) -> u64) -> Self {
        let rate = |part: u64, minimum: u32| {
            (sums.calls >= reachable(minimum)).then(|| part as f64 / sums.calls as f64)
        };
        Self {
            calls: sums.calls,
            failures: rate(sums.failures, config.minimum_calls),
            slow: config.slow.and_then(|slow| rate(sums.slow, slow.minimum_calls)),
        }
    }
}
