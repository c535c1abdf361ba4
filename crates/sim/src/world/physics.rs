//! What a simulation has to be told of the world: everything that nobody decides.

use std::time::Duration;

use seaworthy_core::fleet::written::as_written;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;

/// The networks of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Physics {
    /// From the gateway to a task, and back again.
    #[serde(with = "as_written")]
    pub hop: Duration,
    /// The link between agent and gateway.
    pub link: Network,
    /// How late whoever waits for a moment or a message wakes up: gateway, agent, a process that is to be
    /// started, and a task whose calls have a timeout.
    #[serde(default)]
    pub late: Distribution,
    /// How long it takes until something is on the disk: the agent acts on nothing before.
    #[serde(default)]
    pub write: Distribution,
    /// How long it takes to start a process, which is not its own start.
    #[serde(default)]
    pub spawn: Distribution,
    /// By so much of itself a process's own start is longer for each other one that starts at the time.
    #[serde(default)]
    pub crowd: f64,
    /// When nobody does anything, if that happens.
    #[serde(default)]
    pub stalls: Option<Stalls>,
}

/// A machine that stands still now and then, with all that runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stalls {
    /// Once in each such time, from a random moment of it on as soon as something is due,
    #[serde(with = "as_written")]
    pub every: Duration,
    /// for so long, which is less,
    #[serde(with = "as_written")]
    pub length: Duration,
    /// or, if they differ, half of the times longer: the deviation of their logarithms.
    #[serde(default)]
    pub spread: f64,
}

/// A network on which messages are late or lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How late a message is.
    pub latency: Distribution,
    /// The share that is lost, 0 to 1.
    pub loss: f64,
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
            late: Distribution::default(),
            write: Distribution::default(),
            spawn: Distribution::default(),
            crowd: 0.0,
            stalls: None,
        }
    }
}
