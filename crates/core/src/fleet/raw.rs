//! A fleet as written: unknown keys are refused, what is left out gets its default here and
//! nowhere else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::range::{self, SHORTEST, duration, number, span};
use super::written::{Span, Written};
use super::{ConfigError, Fleet, Service};
use crate::balance::Algorithm;
use crate::health::Matcher;
use crate::{call, cluster, health};

/// The fleet file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawFleet {
    seed: Option<u64>,
    listen: Option<SocketAddr>,
    service: BTreeMap<String, RawService>,
}

/// `[service.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawService {
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// How many tasks there should be.
    pub desired_count: Option<u32>,
    /// The floor that deployments keep.
    pub minimum_healthy_percent: Option<u32>,
    /// The ceiling that all starts keep.
    pub maximum_percent: Option<u32>,
    provisioning: Option<Span>,
    start_timeout: Option<Written>,
    stop_timeout: Option<Written>,
    deregistration_delay: Option<Written>,
    restart_backoff: Option<Span>,
    balancing: Option<Algorithm>,
    #[serde(default)]
    health: RawHealth,
    #[serde(default)]
    call: RawCall,
}

/// `[service.NAME.health]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawHealth {
    path: Option<String>,
    matcher: Option<Matcher>,
    interval: Option<Written>,
    timeout: Option<Written>,
    healthy_threshold: Option<u32>,
    unhealthy_threshold: Option<u32>,
}

/// `[service.NAME.call]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawCall {
    timeout: Option<Written>,
    connect_timeout: Option<Written>,
    tries: Option<u32>,
}

// === impl RawFleet ===

impl RawFleet {
    /// The services as written, for a drill that varies them.
    pub fn services_mut(&mut self) -> impl Iterator<Item = &mut RawService> {
        self.service.values_mut()
    }
}

impl TryFrom<RawFleet> for Fleet {
    type Error = ConfigError;

    fn try_from(raw: RawFleet) -> Result<Self, ConfigError> {
        let names: Vec<&String> = raw.service.keys().collect();
        if names.len() != 1 {
            let problem = format!(
                "{} services are given {names:?}; allowed is one, as [service.NAME]",
                names.len()
            );
            return Err(ConfigError::new("service", problem));
        }
        let (name, service) = raw.service.into_iter().next().expect("there is just one");
        let key = format!("service.{name}");
        let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(proper) {
            let problem = "is no name of a service; allowed are 1 to 63 of a-z, 0-9 and -";
            return Err(ConfigError::new(key, problem));
        }
        Ok(Self {
            seed: raw.seed.unwrap_or(1),
            // Loopback unless told otherwise, on a port of the kernel's choice.
            listen: raw.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            service: Service::read(name, service).map_err(|error| error.below(key))?,
        })
    }
}

// === impl Service ===

impl Service {
    fn read(name: String, raw: RawService) -> Result<Self, ConfigError> {
        range::command("command", &raw.command)?;
        read_environment(&raw.environment).map_err(|error| error.below("environment"))?;
        Ok(Self {
            name,
            health: read_health(&raw.health).map_err(|error| error.below("health"))?,
            call: read_call(&raw.call).map_err(|error| error.below("call"))?,
            cluster: read_cluster(&raw)?,
            balancing: raw.balancing.unwrap_or(Algorithm::RoundRobin),
            command: raw.command,
            environment: raw.environment,
        })
    }
}

fn read_environment(variables: &BTreeMap<String, String>) -> Result<(), ConfigError> {
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
    };
    let (floor, ceiling, count) = (config.floor(), config.ceiling(), config.desired_count);
    if ceiling <= count && floor >= count {
        let problem = format!(
            "{} % of {count} tasks keeps {floor} healthy while maximum_percent {} % allows {ceiling} in \
             all: none may be stopped and none started, so a deployment can never move; lower the \
             first or raise the second",
            config.minimum_healthy_percent, config.maximum_percent,
        );
        return Err(ConfigError::new("minimum_healthy_percent", problem));
    }
    Ok(config)
}

fn read_health(raw: &RawHealth) -> Result<health::Config, ConfigError> {
    // The interval, the timeout and the thresholds are ALB's defaults.
    let config = health::Config {
        path: raw.path.clone().unwrap_or_else(|| "/".to_owned()),
        matcher: raw.matcher.clone().unwrap_or_else(|| Matcher::only(200)),
        interval: duration("interval", raw.interval, Duration::from_secs(30))?,
        timeout: duration("timeout", raw.timeout, Duration::from_secs(5))?,
        healthy_threshold: number("healthy_threshold", raw.healthy_threshold, 5, 1..=10)?,
        unhealthy_threshold: number("unhealthy_threshold", raw.unhealthy_threshold, 2, 1..=10)?,
    };
    range::path("path", &config.path)?;
    if config.timeout >= config.interval {
        let problem = format!(
            "{:?} is not less than the interval of {:?}, so checks would overlap",
            config.timeout, config.interval
        );
        return Err(ConfigError::new("timeout", problem));
    }
    Ok(config)
}

fn read_call(raw: &RawCall) -> Result<call::Config, ConfigError> {
    Ok(call::Config {
        timeout: duration("timeout", raw.timeout, Duration::from_secs(60))?,
        connect_timeout: duration("connect_timeout", raw.connect_timeout, Duration::from_secs(10))?,
        tries: number("tries", raw.tries, 3, 1..=10)?,
    })
}
