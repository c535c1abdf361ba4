//! A fleet as meant: every value present and sensible. It is made from a [`RawFleet`], as written.

mod check;
pub mod environment_file;
pub mod http;
pub(crate) mod range;
mod raw;
pub mod reload;
#[cfg(feature = "schema")]
mod schema;
pub mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::{balance, call, cluster, health};

pub use check::{Finding, check};
pub use range::{LONGEST, MOST_TASKS};
pub(crate) use raw::{RawBreaker, RawBudget, RawBulkhead, RawFallback};
pub use raw::{RawFleet, RawService};

/// Everything the keeper, the agent and the gateway go by. A fleet that runs is kept, and read by later
/// programs: a field that is added, here or in what is in it, has a `#[serde(default)]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// From which all draws come.
    pub seed: u64,
    /// How its gateway is run.
    pub gateway: Gateway,
    /// How its agent is spoken to.
    #[serde(default)]
    pub agent: Agent,
    /// By name, in ascending order; at least one.
    pub services: Vec<Service>,
}

/// How the gateway itself is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Threads that carry requests; none: as many as there are processors, up to eight.
    pub workers: Option<u32>,
    /// Where it tells about itself, if it does; port 0 asks the kernel for one.
    pub admin: Option<SocketAddr>,
    /// Whether and where every request is told.
    pub access_log: AccessLog,
    /// When it is told to stop, requests in flight may take so long.
    pub stop_timeout: Duration,
}

/// How the agent is spoken to, beside the socket in its state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Where its API and the dashboard listen, if they do over TCP; port 0 asks the kernel for one.
    pub listen: Option<SocketAddr>,
    /// The file with the token that is asked for there, if one is given; else the agent draws one and
    /// keeps it in its state directory.
    pub token_file: Option<PathBuf>,
}

/// Where every request is told, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// On standard output.
    Stdout,
    /// At the end of this file.
    File(PathBuf),
}

/// A task that somebody else runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share of the requests, beside those of the others. At least 1.
    pub weight: u32,
    /// Of which revision of its service it is.
    pub revision: Revision,
}

/// One service: what a task is, how many there are, and how requests reach them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// As in the fleet file.
    pub name: String,
    /// Where the gateway listens for its requests; port 0 asks the kernel for one.
    pub listen: SocketAddr,
    /// Program and arguments of a task. The program `seaworthy` is this very program. Empty if
    /// somebody else runs the tasks.
    pub command: Vec<String>,
    /// Added to the environment the fleet was started in.
    pub environment: BTreeMap<String, String>,
    /// Files of `NAME=value` lines, read at each start of a task; `environment` comes after them.
    pub environment_files: Vec<PathBuf>,
    /// Where its tasks are started; none: where the fleet was.
    pub directory: Option<PathBuf>,
    /// Variables whose values are the contents of files, read at each start of a task.
    pub secrets: BTreeMap<String, PathBuf>,
    /// Desired count, floor, ceiling and the times of a task's life.
    pub cluster: cluster::Config,
    /// How tasks are checked.
    pub health: health::Config,
    /// How requests are divided among tasks.
    pub balancing: balance::Config,
    /// The cookie by which a client comes back to the task that answered it first, if it does.
    pub sticky_cookie: Option<String>,
    /// How a call is carried out, by route.
    pub call: call::Config,
    /// How it takes HTTP.
    pub http: http::Config,
    /// The tasks, if somebody else runs them; else empty. The desired count is as many.
    pub targets: Vec<Target>,
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
    /// The same fleet living `scale` times faster: every duration is divided, but those that are held
    /// against how long answers take, which is as long as before. `scale` is at least 1.
    #[must_use]
    pub fn faster(mut self, scale: u32) -> Self {
        self.gateway.stop_timeout /= scale;
        for service in &mut self.services {
            service.durations(|duration| *duration /= scale);
            for route in &mut service.call.routes {
                let hedge = route.hedge.as_mut().map(|hedge| &mut hedge.budget);
                for budget in route.budget.iter_mut().chain(hedge) {
                    budget.per_second = budget.per_second.saturating_mul(scale);
                }
            }
        }
        self
    }

    /// Tasks are started in `directory`, and that is where relative paths begin.
    pub fn start_in(&mut self, directory: &Path) {
        let begin = |path: &mut PathBuf| *path = directory.join(&*path);
        self.agent.token_file.iter_mut().for_each(begin);
        for service in &mut self.services {
            service.directory.get_or_insert_with(|| directory.to_owned());
            service.environment_files.iter_mut().for_each(begin);
            service.secrets.values_mut().for_each(begin);
        }
    }

    /// The service with this name, if there is one.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

// === impl Service ===

impl Service {
    /// The variable in which every task of the fleet finds where this service is called:
    /// `SEAWORTHY_URL_ORDERS` for `orders`, `SEAWORTHY_URL_NEW_ORDERS` for `new-orders`.
    pub fn url_variable(&self) -> String {
        format!("SEAWORTHY_URL_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    fn durations(&mut self, change: impl Fn(&mut Duration)) {
        let Self { cluster, health, balancing, call, http, .. } = self;
        let durations = [
            &mut cluster.provisioning.0,
            &mut cluster.provisioning.1,
            &mut cluster.start_timeout,
            &mut cluster.stop_timeout,
            &mut cluster.deregistration_delay,
            &mut cluster.restart_backoff.0,
            &mut cluster.restart_backoff.1,
            &mut cluster.health_grace,
            &mut cluster.deployment.settle,
            &mut cluster.deployment.quiet,
            &mut health.interval,
            &mut health.fast_interval,
            &mut health.timeout,
            &mut balancing.slow_start,
            &mut call.connect_timeout,
        ];
        durations.into_iter().chain(http.durations()).for_each(&change);
        cluster.deployment.alarm.iter_mut().for_each(|alarm| change(&mut alarm.window));
        cluster.deployment.canary.iter_mut().for_each(|canary| change(&mut canary.bake));
        if let Some(scaling) = &mut cluster.autoscaling {
            change(&mut scaling.scale_out_cooldown);
            change(&mut scaling.scale_in_cooldown);
        }
        health.passive.iter_mut().for_each(|rules| rules.durations(&change));
        for route in &mut call.routes {
            change(&mut route.outlasts);
            route.guard.timeout.iter_mut().for_each(&change);
            route.fallback.iter_mut().for_each(|fallback| change(&mut fallback.stale_if_error));
            route.guard.breaker.iter_mut().for_each(|breaker| breaker.durations(&change));
        }
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
