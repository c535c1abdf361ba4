//! A fleet as meant: every value present and sensible. It is made from a [`RawFleet`], as written.

pub(crate) mod range;
mod raw;
pub mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::balance::Algorithm;
use crate::{call, cluster, health};

pub use raw::{RawFleet, RawService};

/// Everything the keeper, the agent and the gateway go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// From which all draws come.
    pub seed: u64,
    /// Where the gateway listens; port 0 asks the kernel for one.
    pub listen: SocketAddr,
    /// The one service.
    pub service: Service,
}

/// One service: what a task is, how many there are, and how requests reach them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// As in the fleet file.
    pub name: String,
    /// Program and arguments of a task. The program `seaworthy` is this very program.
    pub command: Vec<String>,
    /// Added to the environment the fleet was started in.
    pub environment: BTreeMap<String, String>,
    /// Desired count, floor, ceiling and the times of a task's life.
    pub cluster: cluster::Config,
    /// How tasks are checked.
    pub health: health::Config,
    /// How a task is chosen.
    pub balancing: Algorithm,
    /// Deadline and tries of a call.
    pub call: call::Config,
}

/// A value that cannot be meant.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The full key, such as `service.store.health.interval`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

// === impl Fleet ===

impl Fleet {
    /// The same fleet living `scale` times faster: every duration is divided. `scale` is at least 1.
    #[must_use]
    pub fn faster(mut self, scale: u32) -> Self {
        let Service { cluster, health, call, .. } = &mut self.service;
        let durations = [
            &mut cluster.provisioning.0,
            &mut cluster.provisioning.1,
            &mut cluster.start_timeout,
            &mut cluster.stop_timeout,
            &mut cluster.deregistration_delay,
            &mut cluster.restart_backoff.0,
            &mut cluster.restart_backoff.1,
            &mut health.interval,
            &mut health.timeout,
            &mut call.timeout,
            &mut call.connect_timeout,
        ];
        for duration in durations {
            *duration /= scale;
        }
        self
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// `key` cannot be meant, for this reason.
    pub fn new(key: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { key: key.to_string(), problem: problem.to_string() }
    }

    /// The same error, seen from one level further out: its key stands below `parent`.
    #[must_use]
    pub fn below(self, parent: impl fmt::Display) -> Self {
        Self { key: format!("{parent}.{}", self.key), ..self }
    }
}
