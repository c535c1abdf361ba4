//! How many tasks there are and how they come and go, as written.

use std::time::Duration;

use super::RawService;
use crate::cluster::Config;
use crate::cluster::spread::Location;
use crate::fleet::ConfigError;
use crate::fleet::range::{MOST_TASKS, SHORTEST, duration, duration_or_zero, number, span};

/// More would stand empty.
const MOST_MACHINES: usize = MOST_TASKS as usize;

/// The keys of a service that say so.
pub(super) fn read(raw: &RawService) -> Result<Config, ConfigError> {
    let backoff = (Duration::from_secs(1), Duration::from_secs(300));
    let count = number("desired_count", raw.desired_count, 2, 0..=MOST_TASKS)?;
    let autoscaling = raw.autoscaling.as_ref().map(|raw| raw.read(count)).transpose();
    let config = Config {
        desired_count: count,
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
        // A task that has not passed a check yet has `start_timeout`; this is for one that needs longer
        // to be itself.
        health_grace: duration_or_zero("health_grace", raw.health_grace, Duration::ZERO)?,
        machines: read_machines(raw.machines.as_deref().unwrap_or_default())?,
        limits: raw.limits.read().map_err(|error| error.below("limits"))?,
        deployment: raw.deployment.read().map_err(|error| error.below("deployment"))?,
        autoscaling: autoscaling.map_err(|error| error.below("autoscaling"))?,
    };
    check_movable(&config)?;
    Ok(config)
}

fn read_machines(names: &[String]) -> Result<Vec<Location>, ConfigError> {
    if names.len() > MOST_MACHINES {
        let problem = format!("{} are given; allowed are up to {MOST_MACHINES}", names.len());
        return Err(ConfigError::new("machines", problem));
    }
    let read = |(n, name): (usize, &String)| {
        let of_one = |other: &&String| {
            let longer =
                |one: &str, other: &str| one.strip_prefix(other)?.strip_prefix('/').map(drop);
            longer(other, name).or_else(|| longer(name, other)).is_some()
        };
        let machine = if names[..n].contains(name) {
            Err(format!("`{name}` is given twice"))
        } else if let Some(other) = names[..n].iter().find(of_one) {
            Err(format!(
                "`{name}` and `{other}` are no two machines; allowed is a zone alone where it has but one"
            ))
        } else {
            name.parse()
        };
        machine.map_err(|problem| ConfigError::new(format_args!("machines[{}]", n + 1), problem))
    };
    names.iter().enumerate().map(read).collect()
}

fn check_movable(config: &Config) -> Result<(), ConfigError> {
    let Some(count) = config.stuck_at() else { return Ok(()) };
    let plural = if count == 1 { "" } else { "s" };
    let by = if count == config.desired_count { "" } else { ", which autoscaling may ask for," };
    let problem = format!(
        "{} % of {count} task{plural}{by} keeps {count} healthy while maximum_percent {} % allows {count} \
         in all: none may be stopped and none started, so a deployment can never move; lower the \
         first or raise the second",
        config.minimum_healthy_percent, config.maximum_percent,
    );
    Err(ConfigError::new("minimum_healthy_percent", problem))
}
