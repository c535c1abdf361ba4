//! How the desired count follows the load, as written.

use std::time::Duration;

use serde::Deserialize;

use crate::cluster::autoscaler::{Config, Target};
use crate::fleet::ConfigError;
use crate::fleet::range::{MOST_TASKS, duration, duration_or_zero, number};
use crate::fleet::written::{Number, Written};

/// `[service.NAME.autoscaling]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawAutoscaling {
    /// Never fewer tasks than this. By default the desired count.
    minimum: Option<Number>,
    /// Never more tasks than this.
    maximum: Option<Number>,
    /// Requests a second that each task should get.
    requests_per_task: Option<Number>,
    /// Requests that each task should have under way.
    concurrency: Option<Number>,
    /// Processor time of all tasks, in percent of what they may use.
    cpu_percent: Option<Number>,
    /// So long 99 of 100 requests should take at most.
    p99: Option<Written>,
    /// After a step out, so long until the next one. By default "30s".
    scale_out_cooldown: Option<Written>,
    /// After any step, so long until one in. By default "300s".
    scale_in_cooldown: Option<Written>,
}

const MOST: u32 = 1_000_000;
/// Here a task starts within seconds, and after some more it is seen what it does.
const OUT: Duration = Duration::from_secs(30);
/// ECS's.
const IN: Duration = Duration::from_secs(300);

// === impl RawAutoscaling ===

impl RawAutoscaling {
    /// For a service that begins with so many tasks. Nothing is known of the load of no task, so it needs
    /// one.
    pub(super) fn read(&self, desired_count: u32) -> Result<Config, ConfigError> {
        let fewest = desired_count.max(1);
        if self.maximum.is_none() {
            let problem = format!("is missing; allowed is {fewest} to {MOST_TASKS}");
            return Err(ConfigError::new("maximum", problem));
        }
        let maximum = number("maximum", self.maximum, fewest, 1..=MOST_TASKS)?;
        let config = Config {
            minimum: number("minimum", self.minimum, fewest, 1..=maximum)?,
            maximum,
            targets: self.read_targets()?,
            scale_out_cooldown: duration_or_zero(
                "scale_out_cooldown",
                self.scale_out_cooldown,
                OUT,
            )?,
            scale_in_cooldown: duration_or_zero("scale_in_cooldown", self.scale_in_cooldown, IN)?,
        };
        let (low, high) = (config.minimum, config.maximum);
        if (low..=high).contains(&desired_count) {
            return Ok(config);
        }
        let key = if desired_count < low { "minimum" } else { "maximum" };
        let problem = format!(
            "{low} to {high} leaves out the `desired_count` of {desired_count}, with which it begins; \
             allowed is what includes it"
        );
        Err(ConfigError::new(key, problem))
    }

    fn read_targets(&self) -> Result<Vec<Target>, ConfigError> {
        let read = |key, written: Option<Number>, most, target: fn(u32) -> Target| {
            written.map(|_| number(key, written, 1, 1..=most).map(target)).transpose()
        };
        let p99 = self.p99.map(|_| duration("p99", self.p99, Duration::ZERO).map(Target::P99));
        let targets = [
            read("requests_per_task", self.requests_per_task, MOST, Target::RequestsPerTask)?,
            read("concurrency", self.concurrency, MOST, Target::Concurrency)?,
            read("cpu_percent", self.cpu_percent, 100, Target::Cpu)?,
            p99.transpose()?,
        ];
        let targets: Vec<Target> = targets.into_iter().flatten().collect();
        if targets.is_empty() {
            let problem = "is missing; allowed is this, `concurrency`, `cpu_percent`, `p99`, or \
                           several of them: without any nothing is tracked";
            return Err(ConfigError::new("requests_per_task", problem));
        }
        Ok(targets)
    }
}
