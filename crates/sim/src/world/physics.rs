//! What a simulation has to be told of the world: everything that nobody decides.

use std::time::Duration;

use crate::distribution::Distribution;

/// The networks of a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Physics {
    /// From the gateway to a task, and back again.
    pub hop: Duration,
    /// The link between agent and gateway.
    pub link: Network,
}

/// A network on which messages are late or lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// How late a message is.
    pub latency: Distribution,
    /// The share that is lost, 0 to 1.
    pub loss: f64,
}

/// How the program of a service behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Program {
    /// From the start of its process until it listens.
    pub start: Distribution,
    /// How long it works on a request.
    pub work: Distribution,
    /// It works on so many requests at once; others wait, in order. At least 1.
    pub concurrency: u32,
    /// It answers requests with this status.
    pub status: u16,
    /// It answers such a share of the requests with 500 instead, 0 to 1.
    pub failing: f64,
    /// It answers checks with this status.
    pub check_status: u16,
    /// It crashes so long after it has begun to listen.
    pub crashes_after: Option<Duration>,
    /// It ignores SIGTERM.
    pub stubborn: bool,
}

// === impl Default ===

/// One machine: loopback, and parts that answer at once.
impl Default for Physics {
    fn default() -> Self {
        Self {
            hop: Duration::from_micros(40),
            link: Network {
                latency: Distribution::Constant(Duration::from_micros(200)),
                loss: 0.0,
            },
        }
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
            status: 200,
            failing: 0.0,
            check_status: 200,
            crashes_after: None,
            stubborn: false,
        }
    }
}
