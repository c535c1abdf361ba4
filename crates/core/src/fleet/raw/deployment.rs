//! How a new revision takes the place of an old one, as written.

use std::time::Duration;

use serde::Deserialize;

use crate::cluster::deployment::{Alarm, Breaker, Canary, Config};
use crate::fleet::ConfigError;
use crate::fleet::range::{duration, duration_or_zero, number};
use crate::fleet::written::{Number, Written};

/// `[service.NAME.deployment]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawDeployment {
    /// A new task counts as healthy once it has been so for this long. By default "10s".
    settle: Option<Written>,
    /// Whether a deployment that failed goes back to the last completed revision. By default true.
    rollback: Option<bool>,
    /// So many new tasks may fail before a deployment has failed.
    circuit_breaker: Option<RawCircuitBreaker>,
    /// What clients must not see while a deployment lasts. Off if left out.
    alarm: Option<RawAlarm>,
    /// A first step with a small share of the requests. Off if left out.
    canary: Option<RawCanary>,
}

/// `circuit_breaker = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawCircuitBreaker {
    /// Of the desired count, rounded up. By default 50.
    percent: Option<Number>,
    /// Not fewer failed tasks than this. By default 3.
    minimum: Option<Number>,
    /// Not more than this. By default 200.
    maximum: Option<Number>,
    /// Whether failures are counted over the whole deployment, and not only in a row. By default false.
    cumulative: Option<bool>,
}

/// `alarm = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawAlarm {
    /// More failed requests than this share are too many.
    failed_percent: Option<Number>,
    /// 99 of 100 requests must not take longer.
    p99: Option<Written>,
    /// Over so long a time. By default "10s".
    window: Option<Written>,
    /// Fewer requests in a window say nothing. By default 20.
    minimum_requests: Option<Number>,
}

/// `canary = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawCanary {
    /// The new revision's share of the requests, and of the tasks, rounded up. By default 5.
    percent: Option<Number>,
    /// The rest follows after so long without an alarm. By default "10m".
    bake: Option<Written>,
}

const MOST_FAILURES: u32 = 1000;
const MOST_REQUESTS: u32 = 1_000_000;

// === impl RawDeployment ===

impl RawDeployment {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        let new = self.clone();
        Self {
            settle: new.settle.or(service.settle),
            rollback: new.rollback.or(service.rollback),
            circuit_breaker: new.circuit_breaker.or_else(|| service.circuit_breaker.clone()),
            alarm: new.alarm.or_else(|| service.alarm.clone()),
            canary: new.canary.or_else(|| service.canary.clone()),
        }
    }

    /// Whether it says anything.
    pub(super) fn is_given(&self) -> bool {
        let Self { settle, rollback, circuit_breaker, alarm, canary } = self;
        settle.is_some()
            || rollback.is_some()
            || circuit_breaker.is_some()
            || alarm.is_some()
            || canary.is_some()
    }

    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        let usual = Config::default();
        let breaker =
            self.circuit_breaker.as_ref().map_or(Ok(usual.breaker), RawCircuitBreaker::read);
        let alarm = self.alarm.as_ref().map(RawAlarm::read).transpose();
        let canary = self.canary.as_ref().map(RawCanary::read).transpose();
        Ok(Config {
            settle: duration_or_zero("settle", self.settle, usual.settle)?,
            breaker: breaker.map_err(|error| error.below("circuit_breaker"))?,
            rollback: self.rollback.unwrap_or(usual.rollback),
            alarm: alarm.map_err(|error| error.below("alarm"))?,
            canary: canary.map_err(|error| error.below("canary"))?,
            // One interval of the health checks, which stands elsewhere.
            quiet: usual.quiet,
        })
    }
}

// === impl RawCircuitBreaker ===

impl RawCircuitBreaker {
    fn read(&self) -> Result<Breaker, ConfigError> {
        let usual = Breaker::default();
        // A bound that is left out gives way to one that is given.
        let lowest = number("minimum", self.minimum, usual.minimum, 1..=MOST_FAILURES)?;
        let highest =
            number("maximum", self.maximum, usual.maximum.max(lowest), 1..=MOST_FAILURES)?;
        let lowest = if self.minimum.is_none() { lowest.min(highest) } else { lowest };
        if lowest > highest {
            let problem =
                format!("{lowest} is more than the `maximum` of {highest}; allowed is up to that");
            return Err(ConfigError::new("minimum", problem));
        }
        Ok(Breaker {
            percent: number("percent", self.percent, usual.percent, 1..=100)?,
            minimum: lowest,
            maximum: highest,
            cumulative: self.cumulative.unwrap_or(usual.cumulative),
        })
    }
}

// === impl RawAlarm ===

impl RawAlarm {
    fn read(&self) -> Result<Alarm, ConfigError> {
        if self.failed_percent.is_none() && self.p99.is_none() {
            let problem = "is missing; allowed is this, `p99`, or both";
            return Err(ConfigError::new("failed_percent", problem));
        }
        let percent =
            self.failed_percent.map(|_| number("failed_percent", self.failed_percent, 1, 1..=99));
        let p99 = self.p99.map(|_| duration("p99", self.p99, Duration::ZERO));
        Ok(Alarm {
            failed_percent: percent.transpose()?,
            p99: p99.transpose()?,
            // As a breaker's before a route: as long as chance needs to even out, and so many requests.
            window: duration("window", self.window, Duration::from_secs(10))?,
            minimum_requests: number(
                "minimum_requests",
                self.minimum_requests,
                20,
                1..=MOST_REQUESTS,
            )?,
        })
    }
}

// === impl RawCanary ===

impl RawCanary {
    /// The defaults are those of ECS.
    fn read(&self) -> Result<Canary, ConfigError> {
        Ok(Canary {
            percent: number("percent", self.percent, 5, 1..=99)?,
            bake: duration("bake", self.bake, Duration::from_secs(600))?,
        })
    }
}
