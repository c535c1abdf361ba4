//! Deadline, tries and fallback of a call as written.

use std::time::Duration;

use serde::Deserialize;

use crate::fleet::ConfigError;
use crate::fleet::range::{SHORTEST, duration, duration_or_zero, number, within};
use crate::fleet::written::{Number, Written};
use crate::health::Matcher;
use crate::policy::{budget, fallback};

/// `[service.NAME.call]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCall {
    /// Of a service only.
    pub(super) connect_timeout: Option<Written>,
    timeout: Option<Written>,
    tries: Option<Number>,
    failure_status: Option<Matcher>,
    outlasts: Option<Written>,
    retry_budget: Option<RawBudget>,
}

/// `retry_budget = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawBudget {
    success_percent: Option<Number>,
    per_second: Option<Number>,
    cap: Option<Number>,
}

/// `[service.NAME.fallback]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawFallback {
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
    pub(super) budget: budget::Config,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const MEBIBYTE: u64 = 1 << 20;
const MOST: u32 = 1_000_000;

// === impl RawCall ===

impl RawCall {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        let Self { connect_timeout, timeout, tries, failure_status, outlasts, retry_budget } =
            self.clone();
        Self {
            connect_timeout: connect_timeout.or(service.connect_timeout),
            timeout: timeout.or(service.timeout),
            tries: tries.or(service.tries),
            failure_status: failure_status.or_else(|| service.failure_status.clone()),
            outlasts: outlasts.or(service.outlasts),
            retry_budget: retry_budget.or_else(|| service.retry_budget.clone()),
        }
    }

    pub(super) fn read(&self) -> Result<Call, ConfigError> {
        // The service's own fault. A 4xx is the caller's, and no reason to stop calling.
        let failures = || "500-599".parse().expect("it is a range of statuses");
        let budget = self.retry_budget.clone().unwrap_or_default();
        Ok(Call {
            // As long as an ALB waits. Whoever knows the service says less.
            timeout: duration("timeout", self.timeout, Duration::from_secs(60))?,
            tries: number("tries", self.tries, 3, 1..=10)?,
            failure_status: self.failure_status.clone().unwrap_or_else(failures),
            outlasts: duration_or_zero("outlasts", self.outlasts, Duration::ZERO)?,
            budget: budget.read().map_err(|error| error.below("retry_budget"))?,
        })
    }
}

// === impl RawBudget ===

impl RawBudget {
    fn read(&self) -> Result<budget::Config, ConfigError> {
        let budget::Config { success_percent, per_second, cap } = budget::Config::default();
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

// === impl RawFallback ===

impl RawFallback {
    /// None if it is switched off.
    pub(super) fn read(&self) -> Result<Option<fallback::Config>, ConfigError> {
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
