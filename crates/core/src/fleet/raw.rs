//! A fleet as written: unknown keys are refused, what is left out gets its default here and
//! nowhere else.

mod agent;
mod autoscaling;
mod balancing;
mod breaker;
mod bulkhead;
mod call;
mod deployment;
mod environment;
mod gateway;
mod health;
mod http;
mod limits;
mod route;
mod service;
mod target;
mod tasks;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Deserialize;

use super::range::{self, duration, number};
use super::written::Number;
use super::{ConfigError, Fleet, Service};
pub(crate) use breaker::RawBreaker;
pub(crate) use bulkhead::RawBulkhead;
pub(crate) use call::{RawBudget, RawFallback};
pub use service::RawService;

use agent::RawAgent;
use gateway::RawGateway;
use route::{RawPolicies, RawRoute};

/// The fleet file.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawFleet {
    /// From which all draws come. By default 1.
    seed: Option<Number>,
    /// How the gateway itself is run.
    #[serde(default)]
    gateway: RawGateway,
    /// How the agent is spoken to.
    #[serde(default)]
    agent: RawAgent,
    /// What a task is, how many there are, and how requests reach them, by name.
    pub service: BTreeMap<String, RawService>,
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
        if whose == Whose::Others && raw.agent.is_given() {
            let problem = "is about a fleet that seaworthy runs; a gateway alone has no agent";
            return Err(ConfigError::new("agent", problem));
        }
        let read = |(name, service): (String, RawService)| {
            let key = format!("service.{name}");
            range::name(&key, &name)?;
            Service::read(name, service, whose).map_err(|error| error.below(key))
        };
        let fleet = Self {
            seed: number("seed", raw.seed, 1, 0..=u64::MAX)?,
            gateway: raw.gateway.read(whose).map_err(|error| error.below("gateway"))?,
            agent: raw.agent.read().map_err(|error| error.below("agent"))?,
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
            if self.agent.listen == Some(service.listen) && service.listen.port() > 0 {
                let problem =
                    format!("{} is where `{}` listens, too", service.listen, service.name);
                return Err(ConfigError::new("agent.listen", problem));
            }
        }
        Ok(())
    }
}

// === impl Service ===

impl Service {
    /// One of which a file says no more than what is to run: all else is as it usually is.
    pub fn usual() -> Self {
        let raw = RawService { command: Some(vec!["true".to_owned()]), ..RawService::default() };
        Self::read("usual".to_owned(), raw, Whose::Ours).expect("nothing of it is wrong")
    }

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
        let mut cluster = tasks::read(&raw)?;
        let health = raw.health.read().map_err(|error| error.below("health"))?;
        cluster.deployment.quiet = health.interval;
        environment::check(&raw)?;
        if let Some(name) = &raw.sticky_cookie {
            range::token("sticky_cookie", name)?;
        }
        Ok(Self {
            name,
            // Loopback unless told otherwise, on a port of the kernel's choice.
            listen: raw.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            health,
            call,
            http: raw.http.read().map_err(|error| error.below("http"))?,
            cluster,
            balancing,
            sticky_cookie: raw.sticky_cookie,
            command,
            environment: raw.environment,
            environment_files: raw.environment_files.unwrap_or_default(),
            directory: None,
            secrets: raw.secrets,
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
