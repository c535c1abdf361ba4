//! Deadline, tries and fallback of a call as written.

use std::time::Duration;

use serde::Deserialize;

use crate::call::Queue;
use crate::fleet::ConfigError;
use crate::fleet::range::{SHORTEST, duration, duration_or_zero, number, within};
use crate::fleet::written::{Number, Written, statuses};
use crate::health::Matcher;
use crate::policy::{budget, fallback, hedge};

/// `[service.NAME.call]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCall {
    /// For opening one connection; of a service only. By default "10s".
    pub(super) connect_timeout: Option<Written>,
    /// One deadline for all tries, to the last byte of the answer. By default "60s".
    timeout: Option<Written>,
    /// Sent so often at most. By default 3.
    tries: Option<Number>,
    /// Statuses that count as failures. By default "500-599".
    #[serde(default, deserialize_with = "statuses")]
    failure_status: Option<Matcher>,
    /// So long a task goes on when nobody waits any more. By default "0s".
    outlasts: Option<Written>,
    /// Failures of which a safe request is tried again, or "none". By default "500,502-504".
    retry_status: Option<String>,
    /// How many tries there may be beside the first ones.
    retry_budget: Option<RawBudget>,
    /// A second task is asked beside a first one that is late.
    hedge: Option<RawHedge>,
    /// What waits while no task may get it; of a service only.
    pub(super) queue: Option<RawQueue>,
}

/// `retry_budget = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RawBudget {
    success_percent: Option<Number>,
    per_second: Option<Number>,
    cap: Option<Number>,
}

/// `hedge = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawHedge {
    enabled: Option<bool>,
    quantile_percent: Option<Number>,
    at_least: Option<Written>,
    budget: Option<RawBudget>,
}

/// `queue = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawQueue {
    enabled: Option<bool>,
    most_calls: Option<Number>,
    most_bytes: Option<Number>,
}

/// `[service.NAME.fallback]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RawFallback {
    enabled: Option<bool>,
    stale_if_error: Option<Written>,
    most_answers: Option<Number>,
    most_bytes: Option<Number>,
}

/// What is meant by [`RawCall`].
pub(super) struct Call {
    pub(super) timeout: Duration,
    pub(super) tries: u32,
    pub(super) failure_status: Matcher,
    pub(super) outlasts: Duration,
    pub(super) retry_status: Option<Matcher>,
    pub(super) budget: budget::Config,
    pub(super) hedge: Option<hedge::Config>,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const MEBIBYTE: u64 = 1 << 20;
const MOST: u32 = 1_000_000;

// === impl RawCall ===

impl RawCall {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        let Self { connect_timeout, timeout, tries, failure_status, outlasts, .. } = self.clone();
        let Self { retry_status, retry_budget, hedge, queue, .. } = self.clone();
        Self {
            connect_timeout: connect_timeout.or(service.connect_timeout),
            timeout: timeout.or(service.timeout),
            tries: tries.or(service.tries),
            failure_status: failure_status.or_else(|| service.failure_status.clone()),
            outlasts: outlasts.or(service.outlasts),
            retry_status: retry_status.or_else(|| service.retry_status.clone()),
            retry_budget: retry_budget.or_else(|| service.retry_budget.clone()),
            hedge: hedge.or_else(|| service.hedge.clone()),
            queue: queue.or_else(|| service.queue.clone()),
        }
    }

    pub(super) fn read(&self) -> Result<Call, ConfigError> {
        // The service's own fault. A 4xx is the caller's, and no reason to stop calling.
        let failures = || "500-599".parse().expect("it is a range of statuses");
        let budget = self.retry_budget.clone().unwrap_or_default();
        let hedge = self.hedge.clone().unwrap_or_default();
        Ok(Call {
            // Longer than people wait. Whoever knows the service says less, or more for streams.
            timeout: duration("timeout", self.timeout, Duration::from_secs(60))?,
            tries: number("tries", self.tries, 3, 1..=10)?,
            failure_status: self.failure_status.clone().unwrap_or_else(failures),
            outlasts: duration_or_zero("outlasts", self.outlasts, Duration::ZERO)?,
            retry_status: read_retry_status(self.retry_status.as_deref())?,
            budget: budget
                .read(budget::Config::default())
                .map_err(|error| error.below("retry_budget"))?,
            hedge: hedge.read().map_err(|error| error.below("hedge"))?,
        })
    }
}

// === impl RawBudget ===

impl RawBudget {
    /// What is left out, it has from `default`.
    pub(crate) fn read(&self, default: budget::Config) -> Result<budget::Config, ConfigError> {
        let budget::Config { success_percent, per_second, cap } = default;
        Ok(budget::Config {
            success_percent: number(
                "success_percent",
                self.success_percent,
                success_percent,
                0..=1000,
            )?,
            per_second: number("per_second", self.per_second, per_second, 0..=MOST)?,
            cap: number("cap", self.cap, cap, 0..=MOST)?,
        })
    }
}

/// None for `none`.
fn read_retry_status(written: Option<&str>) -> Result<Option<Matcher>, ConfigError> {
    // What a task says when it is broken, overloaded, or just going away. Not 501 or 505: another
    // task would say the same.
    match written.unwrap_or("500,502-504") {
        "none" => Ok(None),
        statuses => match statuses.parse() {
            Ok(statuses) => Ok(Some(statuses)),
            Err(error) => Err(ConfigError::new("retry_status", format!("{error}, or \"none\""))),
        },
    }
}

// === impl RawHedge ===

impl RawHedge {
    /// None if it is switched off.
    fn read(&self) -> Result<Option<hedge::Config>, ConfigError> {
        let hedge::Config { quantile_percent, at_least, budget } = hedge::Config::default();
        let own = self.budget.clone().unwrap_or_default();
        let config = hedge::Config {
            quantile_percent: number(
                "quantile_percent",
                self.quantile_percent,
                quantile_percent,
                50..=99,
            )?,
            at_least: duration("at_least", self.at_least, at_least)?,
            budget: own.read(budget).map_err(|error| error.below("budget"))?,
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}

// === impl RawQueue ===

impl RawQueue {
    /// None if it is switched off.
    pub(super) fn read(&self) -> Result<Option<Queue>, ConfigError> {
        let Queue { most_calls, most_bytes } = Queue::default();
        let config = Queue {
            most_calls: number("most_calls", self.most_calls, most_calls, 1..=MOST as usize)?,
            most_bytes: number("most_bytes", self.most_bytes, most_bytes, 1..=1 << 30)?,
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}

// === impl RawFallback ===

impl RawFallback {
    /// None if it is switched off.
    pub(crate) fn read(&self) -> Result<Option<fallback::Config>, ConfigError> {
        // An hour is long enough for somebody to be woken.
        let stale = self.stale_if_error.map_or(Duration::from_secs(3600), |written| written.0);
        let config = fallback::Config {
            stale_if_error: within("stale_if_error", stale, SHORTEST..=DAY)?,
            most_values: number("most_answers", self.most_answers, 1000, 1..=MOST)?,
            most_weight: number("most_bytes", self.most_bytes, 16 * MEBIBYTE, 1..=1024 * MEBIBYTE)?,
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}
