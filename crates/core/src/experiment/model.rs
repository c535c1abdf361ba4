//! What is known of a program without running it: what a simulation has to be told, since nobody decides it.

use std::ops::Not;
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
    /// It answers checks with this status,
    pub check_status: u16,
    /// and only when it has come to them, as to any request; otherwise at once, however much it has to do.
    #[serde(skip_serializing_if = "Not::not")]
    pub checks_wait: bool,
    /// It crashes so long after it has begun to listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashes_after: Option<Duration>,
    /// It ignores SIGTERM.
    pub stubborn: bool,
    /// How long it works on what it has not answered since its start, if that differs: what it has, it finds
    /// in its cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<Distribution>,
    /// What is not done by then it gives up, and answers with 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gives_up: Option<Duration>,
    /// It drops what it has of a request when the connection on which that came is closed.
    #[serde(skip_serializing_if = "Not::not")]
    pub notices: bool,
    /// It takes memory and never gives it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak: Option<Leak>,
    /// What a user has stored with a task is known to that task alone, and is 404 for everybody who does not
    /// come from there.
    #[serde(skip_serializing_if = "Not::not")]
    pub remembers: bool,
}

/// Memory that is taken and never given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// At least 1.
    pub bytes_per_second: u64,
    /// With so many the process dies.
    pub limit: u64,
    /// By then each request takes so much longer, and before that less in a straight line.
    #[serde(with = "as_written")]
    pub slows: Duration,
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

// === impl Leak ===

impl Leak {
    /// From its beginning to the death of its process.
    pub fn lasts(&self) -> Duration {
        Duration::from_secs_f64(self.limit as f64 / self.bytes_per_second as f64)
    }

    /// How much longer a request takes so long `after` its beginning.
    pub fn slower(&self, after: Duration) -> Duration {
        self.slows.mul_f64((after.as_secs_f64() / self.lasts().as_secs_f64()).min(1.0))
    }
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
            checks_wait: false,
            crashes_after: None,
            stubborn: false,
            cold: None,
            gives_up: None,
            notices: false,
            leak: None,
            remembers: false,
        }
    }
}
