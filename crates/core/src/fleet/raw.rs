//! A fleet as written: unknown keys are refused, what is left out gets its default here and
//! nowhere else.

mod balancing;
mod breaker;
mod bulkhead;
mod call;
mod gateway;
mod health;
mod http;
mod route;
mod target;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::range::{self, SHORTEST, duration, number, span};
use super::written::{Number, Span, Written};
use super::{ConfigError, Fleet, Service};
use balancing::RawWeights;
use breaker::RawBreaker;
use bulkhead::RawBulkhead;
use call::{RawCall, RawFallback};
use gateway::RawGateway;
use health::RawHealth;
use http::RawHttp;
use route::{RawPolicies, RawRoute};
use target::RawTarget;

use crate::balance::{Affinity, Algorithm};
use crate::cluster::{self, deployment, limits::Limits};

/// The fleet file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawFleet {
    seed: Option<Number>,
    #[serde(default)]
    gateway: RawGateway,
    /// By name.
    pub service: BTreeMap<String, RawService>,
}

/// `[service.NAME]`, or what a drill's configuration changes of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawService {
    listen: Option<SocketAddr>,
    targets: Option<Vec<RawTarget>>,
    command: Option<Vec<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// How many tasks there should be.
    pub desired_count: Option<Number>,
    /// The floor that deployments keep.
    pub minimum_healthy_percent: Option<Number>,
    /// The ceiling that all starts keep.
    pub maximum_percent: Option<Number>,
    provisioning: Option<Span>,
    start_timeout: Option<Written>,
    stop_timeout: Option<Written>,
    deregistration_delay: Option<Written>,
    restart_backoff: Option<Span>,
    balancing: Option<Algorithm>,
    affinity: Option<Affinity>,
    slow_start: Option<Written>,
    most_in_flight: Option<Number>,
    weights: Option<RawWeights>,
    sticky_cookie: Option<String>,
    #[serde(default)]
    health: RawHealth,
    #[serde(default)]
    call: RawCall,
    #[serde(default)]
    http: RawHttp,
    breaker: Option<RawBreaker>,
    bulkhead: Option<RawBulkhead>,
    fallback: Option<RawFallback>,
    #[serde(default)]
    route: Vec<RawRoute>,
}

/// Who runs the tasks of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Seaworthy.
    Ours,
    /// Somebody else, at addresses that are given.
    Others,
}

/// More would not fit into the messages between our own parts.
const MOST_SERVICES: usize = 100;

// === impl RawFleet ===

impl RawFleet {
    /// Whether it is about services that somebody else runs.
    pub fn is_of_others(&self) -> bool {
        self.service.values().any(|service| service.targets.is_some())
    }
}

// === impl RawService ===

impl RawService {
    /// Takes over what `changes` says. A table takes the place of the whole table, but for `health`,
    /// `call`, `http` and `environment`, of which each key stands for itself.
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
        put(&mut self.desired_count, changes.desired_count.as_ref());
        put(&mut self.minimum_healthy_percent, changes.minimum_healthy_percent.as_ref());
        put(&mut self.maximum_percent, changes.maximum_percent.as_ref());
        put(&mut self.provisioning, changes.provisioning.as_ref());
        put(&mut self.start_timeout, changes.start_timeout.as_ref());
        put(&mut self.stop_timeout, changes.stop_timeout.as_ref());
        put(&mut self.deregistration_delay, changes.deregistration_delay.as_ref());
        put(&mut self.restart_backoff, changes.restart_backoff.as_ref());
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

// === impl Fleet ===

impl TryFrom<RawFleet> for Fleet {
    type Error = ConfigError;

    fn try_from(raw: RawFleet) -> Result<Self, ConfigError> {
        Self::read(raw, Whose::Ours)
    }
}

impl Fleet {
    /// Services that somebody else runs: each has `targets` and nothing about a task's life.
    pub fn of_others(raw: RawFleet) -> Result<Self, ConfigError> {
        Self::read(raw, Whose::Others)
    }

    fn read(raw: RawFleet, whose: Whose) -> Result<Self, ConfigError> {
        let count = raw.service.len();
        if !(1..=MOST_SERVICES).contains(&count) {
            let problem = format!(
                "{count} services are given; allowed are 1 to {MOST_SERVICES}, each as [service.NAME]"
            );
            return Err(ConfigError::new("service", problem));
        }
        let read = |(name, service): (String, RawService)| {
            let key = format!("service.{name}");
            range::name(&key, &name)?;
            Service::read(name, service, whose).map_err(|error| error.below(key))
        };
        let fleet = Self {
            seed: number("seed", raw.seed, 1, 0..=u64::MAX)?,
            gateway: raw.gateway.read().map_err(|error| error.below("gateway"))?,
            services: raw.service.into_iter().map(read).collect::<Result<_, _>>()?,
        };
        fleet.check_addresses()?;
        Ok(fleet)
    }

    /// Nobody could say whose a client is.
    fn check_addresses(&self) -> Result<(), ConfigError> {
        for (n, service) in self.services.iter().enumerate() {
            let same = |other: &&Service| other.listen == service.listen && other.listen.port() > 0;
            if let Some(other) = self.services[..n].iter().find(same) {
                let problem = format!("{} is where `{}` listens, too", service.listen, other.name);
                let key = format!("service.{}.listen", service.name);
                return Err(ConfigError::new(key, problem));
            }
        }
        Ok(())
    }
}

// === impl Service ===

impl Service {
    fn read(name: String, mut raw: RawService, whose: Whose) -> Result<Self, ConfigError> {
        let call = read_call(&raw)?;
        let balancing = balancing::read(&raw)?;
        let (command, targets) = match whose {
            Whose::Ours => (read_command(&raw)?, Vec::new()),
            Whose::Others => (Vec::new(), target::read(&raw)?),
        };
        if whose == Whose::Others {
            // All of them are wanted.
            raw.desired_count = Some(Number(Some(targets.len() as i128)));
        }
        let cluster = read_cluster(&raw)?;
        read_environment(&raw.environment).map_err(|error| error.below("environment"))?;
        if let Some(name) = &raw.sticky_cookie {
            range::token("sticky_cookie", name)?;
        }
        Ok(Self {
            name,
            // Loopback unless told otherwise, on a port of the kernel's choice.
            listen: raw.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            health: raw.health.read().map_err(|error| error.below("health"))?,
            call,
            http: raw.http.read().map_err(|error| error.below("http"))?,
            cluster,
            balancing,
            sticky_cookie: raw.sticky_cookie,
            command,
            environment: raw.environment,
            environment_files: Vec::new(),
            secrets: BTreeMap::new(),
            targets,
        })
    }
}

fn read_command(raw: &RawService) -> Result<Vec<String>, ConfigError> {
    target::refuse(raw)?;
    let Some(command) = &raw.command else {
        let problem = "is missing; allowed is a program and its arguments";
        return Err(ConfigError::new("command", problem));
    };
    range::command("command", command)?;
    Ok(command.clone())
}

/// Variables that a task may be given.
pub(crate) fn read_environment(variables: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    for (name, value) in variables {
        if name == "PORT" || name.starts_with("SEAWORTHY_") {
            let problem = "is given to each task by seaworthy; allowed is any other name";
            return Err(ConfigError::new(name, problem));
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let problem = "is no variable; allowed is a name without = and no zero byte anywhere";
            return Err(ConfigError::new(format_args!("{name:?}"), problem));
        }
    }
    Ok(())
}

fn read_cluster(raw: &RawService) -> Result<cluster::Config, ConfigError> {
    let backoff = (Duration::from_secs(1), Duration::from_secs(300));
    let config = cluster::Config {
        desired_count: number("desired_count", raw.desired_count, 2, 1..=100)?,
        minimum_healthy_percent: number(
            "minimum_healthy_percent",
            raw.minimum_healthy_percent,
            100,
            0..=100,
        )?,
        maximum_percent: number("maximum_percent", raw.maximum_percent, 200, 100..=400)?,
        provisioning: span(
            "provisioning",
            raw.provisioning,
            Duration::ZERO,
            (Duration::ZERO, Duration::ZERO),
        )?,
        start_timeout: duration("start_timeout", raw.start_timeout, Duration::from_secs(60))?,
        stop_timeout: duration("stop_timeout", raw.stop_timeout, Duration::from_secs(30))?,
        deregistration_delay: duration(
            "deregistration_delay",
            raw.deregistration_delay,
            Duration::from_secs(300),
        )?,
        restart_backoff: span("restart_backoff", raw.restart_backoff, SHORTEST, backoff)?,
        health_grace: Duration::ZERO,
        limits: Limits::default(),
        deployment: deployment::Config::default(),
        autoscaling: None,
    };
    let (floor, ceiling, count) = (config.floor(), config.ceiling(), config.desired_count);
    if ceiling <= count && floor >= count {
        let plural = if count == 1 { "" } else { "s" };
        let problem = format!(
            "{} % of {count} task{plural} keeps {floor} healthy while maximum_percent {} % allows {ceiling} in \
             all: none may be stopped and none started, so a deployment can never move; lower the \
             first or raise the second",
            config.minimum_healthy_percent, config.maximum_percent,
        );
        return Err(ConfigError::new("minimum_healthy_percent", problem));
    }
    Ok(config)
}

fn read_call(raw: &RawService) -> Result<crate::call::Config, ConfigError> {
    let has_fallback = raw.fallback.is_some() || raw.route.iter().any(RawRoute::has_fallback);
    if raw.sticky_cookie.is_some() && has_fallback {
        let problem = "is given beside `fallback`; allowed is just one of them: an answer to one client \
                       is none to another";
        return Err(ConfigError::new("sticky_cookie", problem));
    }
    let limit = raw.call.connect_timeout;
    let policies = RawPolicies {
        call: raw.call.clone(),
        breaker: raw.breaker.clone(),
        bulkhead: raw.bulkhead.clone(),
        fallback: raw.fallback.clone(),
        weights: raw.weights.clone(),
    };
    Ok(crate::call::Config {
        connect_timeout: duration("connect_timeout", limit, Duration::from_secs(10))
            .map_err(|error| error.below("call"))?,
        queue: (raw.call.queue.clone().unwrap_or_default().read())
            .map_err(|error| error.below("call.queue"))?,
        routes: route::read(&policies, &raw.route)?,
    })
}
