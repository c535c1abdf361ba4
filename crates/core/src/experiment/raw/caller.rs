//! How a program calls other services, as written. The patterns are in the words of the fleet file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::services::Services;
use crate::call::PathMatch;
use crate::experiment::caller::{Caller, Dependency, Pool};
use crate::fleet::range::{self, LONGEST, SHORTEST, duration_or_zero, number, within};
use crate::fleet::written::{Number, Written, statuses};
use crate::fleet::{ConfigError, Fleet, RawBreaker, RawBudget, RawBulkhead, RawFallback};
use crate::health::Matcher;
use crate::policy::guard::{self, Severity};
use crate::policy::{budget, retry};

/// How one program calls others: what `[model.NAME]` says of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct RawCaller {
    pool: Option<RawPool>,
    each_call: RawCall,
    calls: BTreeMap<String, RawCall>,
}

/// `pool = { size = 100 }`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPool {
    enabled: Option<bool>,
    size: Option<Number>,
    waiting: Option<Number>,
}

/// `calls.products = { paths = ["/products"], timeout = "1s" }`, `each_call = { timeout = "1s" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCall {
    paths: Option<Vec<String>>,
    needed: Option<bool>,
    timeout: Option<RawTimeout>,
    #[serde(deserialize_with = "statuses")]
    failure_status: Option<Matcher>,
    breaker: Option<RawBreaker>,
    bulkhead: Option<RawBulkhead>,
    retry: Option<RawRetry>,
    fallback: Option<RawFallback>,
}

/// `"1s"`, or `"none"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "allowed is a duration, such as \"1s\", or \"none\"")]
enum RawTimeout {
    None(Nothing),
    Of(Written),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Nothing {
    #[serde(rename = "none")]
    Nothing,
}

/// `retry = { tries = 3 }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct RawRetry {
    enabled: Option<bool>,
    tries: Option<Number>,
    pause: Option<Written>,
    longest_pause: Option<Written>,
    jitter_percent: Option<Number>,
    budget: RawBudget,
}

const MOST: u32 = 1_000_000;

/// The calls of a program; what one leaves out, it has from `each`.
pub(super) fn read(
    pool: Option<RawPool>,
    each: &RawCall,
    calls: &BTreeMap<String, RawCall>,
    services: &Services,
) -> Result<Caller, ConfigError> {
    let pool = pool.map_or(Ok(None), RawPool::read).map_err(|error| error.below("pool"))?;
    let read = |(name, call): (&String, &RawCall)| {
        let key = format!("calls.{name}");
        let to = services.place(&key, Some(name))?;
        call.or(each).read(to).map_err(|error| error.below(key))
    };
    let mut dependencies = calls.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    dependencies.sort_by_key(|dependency| dependency.to);
    Ok(Caller { pool, dependencies })
}

// === impl RawCaller ===

impl RawCaller {
    /// What is meant by it in this fleet.
    pub fn read(&self, fleet: &Fleet) -> Result<Caller, ConfigError> {
        read(self.pool, &self.each_call, &self.calls, &Services::in_fleet(fleet))
    }
}

// === impl RawPool ===

impl RawPool {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            enabled: self.enabled.or(other.enabled),
            size: self.size.or(other.size),
            waiting: self.waiting.or(other.waiting),
        }
    }

    /// None if it is switched off.
    fn read(self) -> Result<Option<Pool>, ConfigError> {
        let pool = Pool {
            size: number("size", self.size, 100, 1..=MOST)?,
            // Nobody is served who waits behind so many; they only fill the memory.
            waiting: number("waiting", self.waiting, 10_000, 0..=MOST)?,
        };
        Ok(self.enabled.unwrap_or(true).then_some(pool))
    }
}

// === impl RawCall ===

impl RawCall {
    /// What this one leaves out, it has from the other. A table takes the place of the whole table.
    pub(super) fn or(&self, other: &Self) -> Self {
        let Self { paths, needed, timeout, failure_status, breaker, bulkhead, retry, fallback } =
            self.clone();
        Self {
            paths: paths.or_else(|| other.paths.clone()),
            needed: needed.or(other.needed),
            timeout: timeout.or(other.timeout),
            failure_status: failure_status.or_else(|| other.failure_status.clone()),
            breaker: breaker.or_else(|| other.breaker.clone()),
            bulkhead: bulkhead.or_else(|| other.bulkhead.clone()),
            retry: retry.or_else(|| other.retry.clone()),
            fallback: fallback.or_else(|| other.fallback.clone()),
        }
    }

    fn read(&self, to: usize) -> Result<Dependency, ConfigError> {
        let mut paths = Vec::new();
        for (n, prefix) in self.paths.iter().flatten().enumerate() {
            range::path(format_args!("paths[{}]", n + 1), prefix)?;
            paths.push(PathMatch::Prefix(prefix.clone()));
        }
        let timeout = match self.timeout {
            None | Some(RawTimeout::None(Nothing::Nothing)) => None,
            Some(RawTimeout::Of(Written(limit))) => {
                Some(within("timeout", limit, SHORTEST..=LONGEST)?)
            }
        };
        let breaker = self.breaker.as_ref().map_or(Ok(None), RawBreaker::read);
        let bulkhead = self.bulkhead.as_ref().map_or(Ok(None), RawBulkhead::read);
        let retry = self.retry.as_ref().map_or(Ok(None), RawRetry::read);
        let fallback = self.fallback.as_ref().map_or(Ok(None), RawFallback::read);
        let mut guard = guard::Config {
            timeout,
            breaker: breaker.map_err(|error| error.below("breaker"))?,
            bulkhead: bulkhead.map_err(|error| error.below("bulkhead"))?,
            ..guard::Config::default()
        };
        if let Some(statuses) = &self.failure_status {
            guard.failure_status.clone_from(statuses);
        }
        let findings = guard::check(&guard, None);
        if let Some(refused) = findings.iter().find(|one| one.severity() == Severity::Refused) {
            return Err(ConfigError::new("breaker", refused));
        }
        Ok(Dependency {
            to,
            paths,
            needed: self.needed.unwrap_or(false),
            guard,
            retry: retry.map_err(|error| error.below("retry"))?,
            fallback: fallback.map_err(|error| error.below("fallback"))?,
        })
    }
}

// === impl RawRetry ===

impl RawRetry {
    /// None if it is switched off.
    fn read(&self) -> Result<Option<retry::Config>, ConfigError> {
        let default = retry::Config::default();
        let budget = self.budget.read(budget::Config::default());
        let config = retry::Config {
            tries: number("tries", self.tries, default.tries, 1..=10)?,
            pause: duration_or_zero("pause", self.pause, default.pause)?,
            longest_pause: duration_or_zero(
                "longest_pause",
                self.longest_pause,
                default.longest_pause,
            )?,
            jitter_percent: number(
                "jitter_percent",
                self.jitter_percent,
                default.jitter_percent,
                0..=100,
            )?,
            budget: budget.map_err(|error| error.below("budget"))?,
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}
