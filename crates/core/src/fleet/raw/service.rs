//! A service as written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::autoscaling::RawAutoscaling;
use super::balancing::RawWeights;
use super::breaker::RawBreaker;
use super::bulkhead::RawBulkhead;
use super::call::{RawCall, RawFallback};
use super::deployment::RawDeployment;
use super::health::RawHealth;
use super::http::RawHttp;
use super::limits::RawLimits;
use super::route::RawRoute;
use super::target::RawTarget;
use crate::balance::{Affinity, Algorithm};
use crate::fleet::written::{Number, Span, Written, list};

/// `[service.NAME]`, or what a drill's configuration changes of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawService {
    /// Where the gateway listens for its requests. By default "127.0.0.1:0": the kernel chooses a port.
    pub(super) listen: Option<SocketAddr>,
    /// Addresses of tasks that somebody else runs, in place of `command`; for `seaworthy gateway` only.
    pub(super) targets: Option<Vec<RawTarget>>,
    /// Program and arguments of a task: any program that listens on $PORT.
    #[serde(default, deserialize_with = "list")]
    pub(super) command: Option<Vec<String>>,
    /// Variables of each task, by name.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// Files of NAME=value lines. Variables in `environment` come before them.
    pub(super) environment_files: Option<Vec<PathBuf>>,
    /// Variables whose values are the contents of files, by name.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, PathBuf>,
    /// How many tasks there should be. By default 2.
    pub desired_count: Option<Number>,
    /// The floor that deployments keep, in percent of the desired count, rounded up. By default 100.
    pub minimum_healthy_percent: Option<Number>,
    /// The ceiling that all starts keep, in percent of the desired count, rounded down. By default 200.
    pub maximum_percent: Option<Number>,
    /// Time before each start of a task, or a span such as "60s..90s". By default "0s".
    pub(super) provisioning: Option<Span>,
    /// A task that has not passed a check by then is given up. By default "60s".
    pub(super) start_timeout: Option<Written>,
    /// From SIGTERM to SIGKILL. By default "30s".
    pub(super) stop_timeout: Option<Written>,
    /// So long requests in flight may hold up a task that is to go. By default "300s".
    pub(super) deregistration_delay: Option<Written>,
    /// First and longest wait after starts that failed. By default "1s..300s".
    pub(super) restart_backoff: Option<Span>,
    /// Failing checks do not count against a task so long after its start. By default "0s".
    pub(super) health_grace: Option<Written>,
    /// On what tasks are spread: machines as ZONE or ZONE/MACHINE. Nothing is said of it if left out.
    #[serde(default, deserialize_with = "list")]
    pub(super) machines: Option<Vec<String>>,
    /// What a task may use. Not limited if left out.
    #[serde(default)]
    pub(super) limits: RawLimits,
    /// How a new revision takes the place of an old one.
    #[serde(default)]
    pub(super) deployment: RawDeployment,
    /// How the desired count follows the load. Off if left out.
    pub(super) autoscaling: Option<RawAutoscaling>,
    /// How a task is chosen for a request. By default `latency_aware`.
    pub(super) balancing: Option<Algorithm>,
    /// What is hashed by `consistent_hash`.
    pub(super) affinity: Option<Affinity>,
    /// So long a task that enters the rotation gets less than its share. By default "0s".
    pub(super) slow_start: Option<Written>,
    /// Requests that a task gets at once. Not bounded if left out.
    pub(super) most_in_flight: Option<Number>,
    /// Shares of revisions, such as { "1" = 90, "2" = 10 }. They do not matter if left out.
    pub(super) weights: Option<RawWeights>,
    /// The cookie by which a client comes back to its task. Off if left out.
    pub(super) sticky_cookie: Option<String>,
    /// How tasks are checked, and what their requests show.
    #[serde(default)]
    pub(super) health: RawHealth,
    /// Deadline and tries of a call.
    #[serde(default)]
    pub(super) call: RawCall,
    /// How it takes HTTP.
    #[serde(default)]
    pub(super) http: RawHttp,
    /// The circuit breaker. Off if left out.
    pub(super) breaker: Option<RawBreaker>,
    /// How many calls may be under way. Off if left out.
    pub(super) bulkhead: Option<RawBulkhead>,
    /// Earlier answers in place of errors. Off if left out.
    pub(super) fallback: Option<RawFallback>,
    /// Policies for some of its requests; the first that is for a request counts.
    #[serde(default)]
    pub(super) route: Vec<RawRoute>,
}

// === impl RawService ===

impl RawService {
    /// Takes over what `changes` says. A table takes the place of the whole table, but for `health`,
    /// `call`, `http`, `limits`, `deployment`, `environment` and `secrets`, of which each key stands for
    /// itself.
    pub fn change(&mut self, changes: &Self) {
        fn put<T: Clone>(to: &mut Option<T>, from: Option<&T>) {
            if let Some(from) = from {
                *to = Some(from.clone());
            }
        }
        put(&mut self.listen, changes.listen.as_ref());
        put(&mut self.targets, changes.targets.as_ref());
        put(&mut self.command, changes.command.as_ref());
        self.environment.extend(changes.environment.clone());
        put(&mut self.environment_files, changes.environment_files.as_ref());
        self.secrets.extend(changes.secrets.clone());
        put(&mut self.desired_count, changes.desired_count.as_ref());
        put(&mut self.minimum_healthy_percent, changes.minimum_healthy_percent.as_ref());
        put(&mut self.maximum_percent, changes.maximum_percent.as_ref());
        put(&mut self.provisioning, changes.provisioning.as_ref());
        put(&mut self.start_timeout, changes.start_timeout.as_ref());
        put(&mut self.stop_timeout, changes.stop_timeout.as_ref());
        put(&mut self.deregistration_delay, changes.deregistration_delay.as_ref());
        put(&mut self.restart_backoff, changes.restart_backoff.as_ref());
        put(&mut self.health_grace, changes.health_grace.as_ref());
        put(&mut self.machines, changes.machines.as_ref());
        self.limits = changes.limits.or(&self.limits);
        self.deployment = changes.deployment.or(&self.deployment);
        put(&mut self.autoscaling, changes.autoscaling.as_ref());
        put(&mut self.balancing, changes.balancing.as_ref());
        put(&mut self.affinity, changes.affinity.as_ref());
        put(&mut self.slow_start, changes.slow_start.as_ref());
        put(&mut self.most_in_flight, changes.most_in_flight.as_ref());
        put(&mut self.weights, changes.weights.as_ref());
        put(&mut self.sticky_cookie, changes.sticky_cookie.as_ref());
        self.health = changes.health.or(&self.health);
        self.call = changes.call.or(&self.call);
        self.http = changes.http.or(&self.http);
        put(&mut self.breaker, changes.breaker.as_ref());
        put(&mut self.bulkhead, changes.bulkhead.as_ref());
        put(&mut self.fallback, changes.fallback.as_ref());
        if !changes.route.is_empty() {
            self.route.clone_from(&changes.route);
        }
    }
}
