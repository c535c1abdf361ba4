//! Passive health checks: what requests show of a task, held against what they show of its peers.
//!
//! Three rules take a task out, and each asks first whether it is the task's doing:
//!
//! - *Failures in a row*. One request that fails everywhere counts once, however often it comes.
//! - *The share of failures*, against the share of the peers, and by more than chance.
//! - *Latency*, against the peers' typical one, and only if it lasts: no single pause is enough.
//!
//! A verdict is an [`Ejection`]: each in a row is longer, and a trial by one request comes before the
//! return. A passing check does not clear it, for a task that fails its requests may well pass its
//! checks. How many may be out is counted in tasks and by the state *after* the verdict, so that it
//! is right for two tasks as for nine; and where everyone looks bad, or late only since another is out or
//! was missing, it is held against none.
//!
//! Two more things that requests show are no verdicts: that nobody listens, and that a task says of
//! itself that it wants no more. They last until checks pass.
//!
//! Source of the numbers: Envoy, "Outlier detection", whose percentages and host counts are for large
//! fleets and are not used.

mod conduct;
mod hold;
mod standing;
mod suspects;
mod typical;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::breaker::window::Sums;

pub(super) use conduct::{Conduct, Row};
pub(super) use hold::Hold;
pub(super) use standing::{Place, Standing};

/// Whether so many failures are a task's own: a share twice as large as that of its peers, and by
/// four standard deviations more than chance gives (the pooled test of two shares). Few tasks are no
/// sample, but their requests are.
pub(super) fn is_worse(own: Sums, peers: Sums) -> bool {
    let [failed, calls, peers_failed, peers_calls] =
        [own.failures, own.calls, peers.failures, peers.calls].map(u128::from);
    let (found, expected) = (failed * peers_calls, peers_failed * calls);
    if found <= 2 * expected {
        return false;
    }
    let (all_failed, all) = (failed + peers_failed, calls + peers_calls);
    let variance = all_failed * (all - all_failed) * calls * peers_calls;
    (found - expected).pow(2) * all >= 16 * variance
}

/// When requests take a task out, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Failures in a row that take a task out. At least 1.
    pub consecutive: u32,
    /// A share of failures is judged over so long, and a verdict is forgotten by one for each.
    pub window: Duration,
    /// A share, and a latency, is judged by so many requests at least.
    pub minimum_requests: u32,
    /// The share of failures that takes a task out, unless its peers have half as large a one: 1 to
    /// 100.
    pub failure_percent: u32,
    /// An answer is slow when it takes more than so many times what is typical of the peers, …
    pub latency_factor: u32,
    /// … and so much more than that.
    pub latency_floor: Duration,
    /// Nothing but slow answers for so long takes a task out.
    pub latency_for: Duration,
    /// The first ejection lasts so long, the second in a row twice as long, …
    pub ejection: Duration,
    /// … up to this.
    pub longest_ejection: Duration,
    /// No verdict leaves fewer tasks than this. At least 1.
    pub minimum_in_rotation: u32,
}

/// A verdict, for whoever takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ejection {
    /// Which one in a row it is: 1, 2, …
    pub times: u32,
    /// For so much longer. Zero: it is on trial.
    pub left: Duration,
}

/// Why a task is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Too many failures in a row.
    InARow {
        /// As many.
        failures: u32,
    },
    /// Too large a share of failures.
    Share {
        /// Failures in the window.
        failed: u64,
        /// Of so many requests.
        requests: u64,
        /// Failures of its peers.
        peers_failed: u64,
        /// Of so many requests.
        peers_requests: u64,
    },
    /// Nothing but slow answers.
    Slow {
        /// As many.
        answers: u32,
        /// For so long.
        span: Duration,
        /// Each was slower than this, or another task's answer came first.
        limit: Duration,
        /// What is typical of its peers.
        typical: Duration,
    },
    /// Its trial did not go well.
    Trial,
}

// === impl Config ===

impl Config {
    /// How long the ejection with this number lasts.
    pub fn lasts(&self, times: u32) -> Duration {
        self.ejection.saturating_mul(times).min(self.longest_ejection)
    }

    /// After how many failures in a row a task is out that fails all it gets, where no other task is asked
    /// the same again: `own` of its requests are in a window, and `peers` of its peers', all of them well.
    /// None if those are too few to tell.
    pub fn failures_that_tell(&self, own: u64, peers: u64) -> Option<u64> {
        let peers = Sums { calls: peers, ..Sums::default() };
        let consecutive = u64::from(self.consecutive);
        (1..=own.max(consecutive)).find(|failures| {
            let own = Sums { calls: own, failures: own.min(*failures), ..Sums::default() };
            (*failures >= consecutive || self.is_bad(own, peers)) && is_worse(own, peers)
        })
    }

    /// Whether enough requests came to judge a share of failures, and it is too large.
    pub(super) fn is_bad(&self, own: Sums, peers: Sums) -> bool {
        own.calls.min(peers.calls) >= u64::from(self.minimum_requests)
            && own.failures * 100 >= own.calls * u64::from(self.failure_percent)
    }

    /// Changes every duration, but those that are held against how long answers take.
    pub(crate) fn durations(&mut self, change: impl Fn(&mut Duration)) {
        let Self { window, ejection, longest_ejection, .. } = self;
        [window, ejection, longest_ejection].into_iter().for_each(change);
    }

    /// From what on an answer is slow where `typical` is.
    pub(super) fn slow_from(&self, typical: Duration) -> Duration {
        typical.saturating_mul(self.latency_factor).max(typical + self.latency_floor)
    }

    /// How many of so many in a row are left after so much calm: one is forgotten for each window.
    fn left_of(&self, times: u32, calm: Duration) -> u32 {
        let windows = calm.as_nanos() / self.window.as_nanos().max(1);
        times.saturating_sub(u32::try_from(windows).unwrap_or(u32::MAX))
    }

    /// How many of `count` tasks may be out by a rule that compares them with their peers: not half of
    /// them, or the peers are no measure; but one of two and of three.
    pub(super) fn most_out(count: u32) -> u32 {
        (count.saturating_sub(1) / 2).max(1)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Envoy's. A healthy task does not fail five requests in a row that others answer.
            consecutive: 5,
            // Envoy's sweep; tenths of it are a second, so a share is of *lately*.
            window: Duration::from_secs(10),
            // One request a second is enough, and one failure is a tenth and not a half.
            minimum_requests: 10,
            // More of its requests fail than succeed, and its peers do at least twice as well.
            failure_percent: 50,
            // A healthy p99 is up to ten times the median, but not many in a row.
            latency_factor: 5,
            // What no user feels is no reason to lose a task; no pause of a garbage collector is
            // as long.
            latency_floor: Duration::from_millis(200),
            // Longer than a pause.
            latency_for: Duration::from_secs(1),
            // Envoy has 30 s. One of few tasks is missed sooner, and one trial request costs little.
            ejection: Duration::from_secs(5),
            // Envoy's.
            longest_ejection: Duration::from_secs(300),
            // Somebody must answer.
            minimum_in_rotation: 1,
        }
    }
}

// === impl Fault ===

impl Fault {
    /// Whether it was found by comparing with the peers.
    pub(super) fn is_relative(self) -> bool {
        matches!(self, Self::Share { .. } | Self::Slow { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow { failures } => write!(f, "{failures} requests failed in a row"),
            Self::Share { failed, requests, peers_failed, peers_requests } => {
                write!(
                    f,
                    "{failed} of {requests} requests failed, of its peers' {peers_failed} of \
                     {peers_requests}"
                )
            }
            Self::Slow { answers, span, limit, typical } => {
                write!(
                    f,
                    "{answers} requests in a row over {span:.1?} were slower than {limit:.1?} or overtaken, \
                     its peers take {typical:.1?}"
                )
            }
            Self::Trial => write!(f, "the trial request did not go well"),
        }
    }
}
