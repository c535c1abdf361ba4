//! What is known of a program without running it: what a simulation has to be told, since nobody decides it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::written::as_written;

/// How the program of a service behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Program {
    /// From the start of its process until it listens.
    pub start: Distribution,
    /// How long it works on a request.
    pub work: Distribution,
    /// It works on so many requests at once; others wait, in order. At least 1.
    pub concurrency: u32,
    /// So many may wait, and more are answered with 503 at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u32>,
    /// It answers requests with this status.
    pub status: u16,
    /// It answers so many of 100 requests with 500 instead.
    pub failing_percent: u32,
    /// It answers checks with this status.
    pub check_status: u16,
    /// It crashes so long after it has begun to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashes_after: Option<Duration>,
    /// It ignores SIGTERM.
    pub stubborn: bool,
}

/// A distribution of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Always the same.
    Constant(#[serde(with = "as_written")] Duration),
    /// Between the two, each equally likely.
    Uniform(#[serde(with = "as_written")] Duration, #[serde(with = "as_written")] Duration),
    /// Exponential, with this mean.
    Exponential(#[serde(with = "as_written")] Duration),
    /// Log-normal, which answers of most services are nearly: half of them take at most `median`, and 99
    /// of 100 at most `p99`.
    LogNormal {
        /// At least 1 ns.
        #[serde(with = "as_written")]
        median: Duration,
        /// At least as long.
        #[serde(with = "as_written")]
        p99: Duration,
    },
}

// === impl Default ===

/// No time at all.
impl Default for Distribution {
    fn default() -> Self {
        Self::Constant(Duration::ZERO)
    }
}

/// A good program, like the example store.
impl Default for Program {
    fn default() -> Self {
        Self {
            start: Distribution::Uniform(Duration::from_millis(40), Duration::from_millis(80)),
            work: Distribution::LogNormal {
                median: Duration::from_micros(400),
                p99: Duration::from_millis(3),
            },
            concurrency: 64,
            waiting: None,
            status: 200,
            failing_percent: 0,
            check_status: 200,
            crashes_after: None,
            stubborn: false,
        }
    }
}
