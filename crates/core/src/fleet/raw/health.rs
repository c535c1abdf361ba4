//! Health checks as written.

use std::time::Duration;

use serde::Deserialize;

use crate::fleet::ConfigError;
use crate::fleet::range::{self, duration, number};
use crate::fleet::written::{Number, Written, statuses};
use crate::health::{Check, Config, Matcher, passive};

/// `[service.NAME.health]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawHealth {
    /// By default "http".
    protocol: Option<Protocol>,
    /// What is asked for. By default "/".
    path: Option<String>,
    /// Statuses that pass, such as "200,204" or "200-299". By default "200".
    #[serde(default, deserialize_with = "statuses")]
    matcher: Option<Matcher>,
    /// By default "2s".
    interval: Option<Written>,
    /// While something is changing. By default "200ms".
    fast_interval: Option<Written>,
    /// Less than the interval. By default "1s".
    timeout: Option<Written>,
    /// Passes in a row until a task is healthy again; a new one needs only one. By default 2.
    healthy_threshold: Option<Number>,
    /// Failures in a row until a task is unhealthy. By default 3.
    unhealthy_threshold: Option<Number>,
    /// What requests show of a task.
    #[serde(default)]
    passive: RawPassive,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Protocol {
    Http,
    Tcp,
}

/// `[service.NAME.health.passive]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawPassive {
    /// By default true.
    enabled: Option<bool>,
    /// So many failures in a row eject a task. By default 5.
    consecutive: Option<Number>,
    /// For the share of failures. By default "10s".
    window: Option<Written>,
    /// Fewer requests in a window say nothing. By default 10.
    minimum_requests: Option<Number>,
    /// Such a share of failures ejects a task. By default 50.
    failure_percent: Option<Number>,
    /// Slow is so many times what is typical of the others, … By default 5.
    latency_factor: Option<Number>,
    /// … and so much more. By default "200ms".
    latency_floor: Option<Written>,
    /// Slow for so long ejects a task. By default "1s".
    latency_for: Option<Written>,
    /// So long it is out, times its number in a row. By default "5s".
    ejection: Option<Written>,
    /// By default "300s".
    longest_ejection: Option<Written>,
    /// No verdict leaves fewer tasks. By default 1.
    minimum_in_rotation: Option<Number>,
}

/// An ALB checks every 30 s, over a network and for any number of targets. Here a check costs some
/// fifty microseconds, and a task that hangs is found after 5 s instead of 65 s.
const INTERVAL: Duration = Duration::from_secs(2);
/// Of what is about to change: a task that has started gets its first request a tenth of a second
/// later on average.
const FAST_INTERVAL: Duration = Duration::from_millis(200);
/// A check that takes longer is no sign of health, and half of the interval is left.
const TIMEOUT: Duration = Duration::from_secs(1);
/// One pass may be luck.
const HEALTHY: u32 = 2;
/// Failures are looked into at the fast interval: three are still found sooner than two at the usual
/// one, and one pause is not enough.
const UNHEALTHY: u32 = 3;

// === impl RawHealth ===

impl RawHealth {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        let new = self.clone();
        Self {
            protocol: new.protocol.or(service.protocol),
            path: new.path.or_else(|| service.path.clone()),
            matcher: new.matcher.or_else(|| service.matcher.clone()),
            interval: new.interval.or(service.interval),
            fast_interval: new.fast_interval.or(service.fast_interval),
            timeout: new.timeout.or(service.timeout),
            healthy_threshold: new.healthy_threshold.or(service.healthy_threshold),
            unhealthy_threshold: new.unhealthy_threshold.or(service.unhealthy_threshold),
            passive: new.passive.or(&service.passive),
        }
    }

    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        let interval = duration("interval", self.interval, INTERVAL)?;
        let config = Config {
            check: self.read_check()?,
            interval,
            fast_interval: duration(
                "fast_interval",
                self.fast_interval,
                FAST_INTERVAL.min(interval),
            )?,
            // Left out, it is less than an interval that is given, too.
            timeout: duration("timeout", self.timeout, TIMEOUT.min(interval / 2))?,
            healthy_threshold: number(
                "healthy_threshold",
                self.healthy_threshold,
                HEALTHY,
                1..=10,
            )?,
            unhealthy_threshold: number(
                "unhealthy_threshold",
                self.unhealthy_threshold,
                UNHEALTHY,
                1..=10,
            )?,
            passive: self.passive.read().map_err(|error| error.below("passive"))?,
        };
        let (timeout, fast) = (config.timeout, config.fast_interval);
        if timeout >= interval {
            let problem = format!(
                "{timeout:?} is not less than the interval of {interval:?}, so checks would overlap"
            );
            return Err(ConfigError::new("timeout", problem));
        }
        if fast > interval {
            let problem = format!(
                "{fast:?} is longer than the interval of {interval:?}; allowed is up to that"
            );
            return Err(ConfigError::new("fast_interval", problem));
        }
        Ok(config)
    }

    fn read_check(&self) -> Result<Check, ConfigError> {
        if let Protocol::Http = self.protocol.unwrap_or(Protocol::Http) {
            let path = self.path.clone().unwrap_or_else(|| "/".to_owned());
            range::path("path", &path)?;
            let matcher = self.matcher.clone().unwrap_or_else(|| Matcher::only(200));
            return Ok(Check::Http { path, matcher });
        }
        let given = [("path", self.path.is_some()), ("matcher", self.matcher.is_some())];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(Check::Tcp),
            Some((key, _)) => {
                let problem = "means nothing with the protocol \"tcp\"; allowed is \"http\"";
                Err(ConfigError::new(key, problem))
            }
        }
    }
}

// === impl RawPassive ===

impl RawPassive {
    fn or(&self, service: &Self) -> Self {
        Self {
            enabled: self.enabled.or(service.enabled),
            consecutive: self.consecutive.or(service.consecutive),
            window: self.window.or(service.window),
            minimum_requests: self.minimum_requests.or(service.minimum_requests),
            failure_percent: self.failure_percent.or(service.failure_percent),
            latency_factor: self.latency_factor.or(service.latency_factor),
            latency_floor: self.latency_floor.or(service.latency_floor),
            latency_for: self.latency_for.or(service.latency_for),
            ejection: self.ejection.or(service.ejection),
            longest_ejection: self.longest_ejection.or(service.longest_ejection),
            minimum_in_rotation: self.minimum_in_rotation.or(service.minimum_in_rotation),
        }
    }

    /// None if it is switched off.
    fn read(&self) -> Result<Option<passive::Config>, ConfigError> {
        let usual = passive::Config::default();
        let count = |key, written, usual, most| number(key, written, usual, 1..=most);
        let ejection = duration("ejection", self.ejection, usual.ejection)?;
        let longest = usual.longest_ejection.max(ejection);
        let floor = self.minimum_in_rotation;
        let config = passive::Config {
            consecutive: count("consecutive", self.consecutive, usual.consecutive, 1000)?,
            window: duration("window", self.window, usual.window)?,
            minimum_requests: count(
                "minimum_requests",
                self.minimum_requests,
                usual.minimum_requests,
                1_000_000,
            )?,
            failure_percent: count(
                "failure_percent",
                self.failure_percent,
                usual.failure_percent,
                100,
            )?,
            latency_factor: count(
                "latency_factor",
                self.latency_factor,
                usual.latency_factor,
                1000,
            )?,
            latency_floor: duration("latency_floor", self.latency_floor, usual.latency_floor)?,
            latency_for: duration("latency_for", self.latency_for, usual.latency_for)?,
            ejection,
            longest_ejection: duration("longest_ejection", self.longest_ejection, longest)?,
            minimum_in_rotation: count(
                "minimum_in_rotation",
                floor,
                usual.minimum_in_rotation,
                100,
            )?,
        };
        if config.longest_ejection < ejection {
            let problem = format!(
                "{:?} is shorter than the first ejection of {ejection:?}; allowed is at least that",
                config.longest_ejection
            );
            return Err(ConfigError::new("longest_ejection", problem));
        }
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}
