//! What is known of a program, as written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::caller::{self, RawCall, RawPool};
use super::services::Services;
use crate::experiment::caller::Caller;
use crate::experiment::model::{Distribution, Leak, Program};
use crate::fleet::ConfigError;
use crate::fleet::range::{LONGEST, SHORTEST, number, within};
use crate::fleet::written::{Number, Span, Written};

/// `[model.store]`, or beside a fault after which a program is another one. What is left out is as before.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawModel {
    start: Option<RawDistribution>,
    work: Option<RawDistribution>,
    concurrency: Option<Number>,
    waiting: Option<Number>,
    status: Option<Number>,
    check_status: Option<Number>,
    checks_wait: Option<bool>,
    crashes_after: Option<Written>,
    stubborn: Option<bool>,
    cold: Option<RawDistribution>,
    gives_up: Option<Written>,
    notices: Option<bool>,
    leak: Option<RawLeak>,
    remembers: Option<bool>,
    pool: Option<RawPool>,
    each_call: Option<RawCall>,
    calls: BTreeMap<String, RawCall>,
}

/// `{ bytes_per_second = 1000000, limit = 20000000, slows = "20ms" }`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawLeak {
    bytes_per_second: Number,
    limit: Number,
    slows: Option<Written>,
}

/// `"1ms"`, `"1ms..3ms"`, `{ median = "1ms", p99 = "3ms" }`, `{ mean = "1ms" }`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "allowed is a duration, such as \"75ms\", the shortest and the longest, such as \
                 \"60ms..90ms\", { median = \"60ms\", p99 = \"90ms\" }, which is log-normal, or \
                 { mean = \"60ms\" }, which is exponential"
)]
enum RawDistribution {
    Span(Span),
    LogNormal(RawLogNormal),
    Exponential(RawExponential),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLogNormal {
    median: Written,
    p99: Written,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExponential {
    mean: Written,
}

const MOST_BYTES: u64 = 1 << 40;

// === impl RawModel ===

impl RawModel {
    /// Takes over what `changes` says, each key for itself, and each of a call.
    pub(super) fn change(&mut self, changes: &Self) {
        let Self { start, work, concurrency, waiting, status, check_status, .. } = *changes;
        let Self { crashes_after, stubborn, pool, ref each_call, ref calls, .. } = *changes;
        let Self { checks_wait, cold, gives_up, notices, leak, remembers, .. } = *changes;
        self.start = start.or(self.start);
        self.work = work.or(self.work);
        self.concurrency = concurrency.or(self.concurrency);
        self.waiting = waiting.or(self.waiting);
        self.status = status.or(self.status);
        self.check_status = check_status.or(self.check_status);
        self.checks_wait = checks_wait.or(self.checks_wait);
        self.crashes_after = crashes_after.or(self.crashes_after);
        self.stubborn = stubborn.or(self.stubborn);
        self.cold = cold.or(self.cold);
        self.gives_up = gives_up.or(self.gives_up);
        self.notices = notices.or(self.notices);
        self.leak = leak.or(self.leak);
        self.remembers = remembers.or(self.remembers);
        if let Some(pool) = pool {
            self.pool = Some(pool.or(self.pool.unwrap_or_default()));
        }
        if let Some(changes) = each_call {
            self.each_call = Some(changes.or(&self.each_call.clone().unwrap_or_default()));
        }
        for (name, changes) in calls {
            let call = self.calls.entry(name.clone()).or_default();
            *call = changes.or(call);
        }
    }

    /// How the program calls others.
    pub(super) fn read_caller(&self, services: &Services) -> Result<Caller, ConfigError> {
        let each = self.each_call.clone().unwrap_or_default();
        caller::read(self.pool, &each, &self.calls, services)
    }

    /// What says how a program calls others, if it says that.
    pub(super) fn calls(&self) -> Option<&'static str> {
        let given = [
            ("pool", self.pool.is_some()),
            ("each_call", self.each_call.is_some()),
            ("calls", !self.calls.is_empty()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
    }

    pub(super) fn read(&self, before: Program) -> Result<Program, ConfigError> {
        let distribution =
            |key, raw: Option<RawDistribution>, before| raw.map_or(Ok(before), |raw| raw.read(key));
        let waiting = |waiting| number("waiting", Some(waiting), 0, 0..=1_000_000);
        let waiting = self.waiting.map(waiting).transpose()?;
        let span = |key, written: Option<Written>| {
            written.map(|Written(span)| within(key, span, SHORTEST..=LONGEST)).transpose()
        };
        let crashes_after = span("crashes_after", self.crashes_after)?;
        let cold = self.cold.map(|cold| cold.read("cold")).transpose()?;
        let gives_up = span("gives_up", self.gives_up)?;
        let leak = self.leak.map(RawLeak::read).transpose().map_err(|e| e.below("leak"))?;
        Ok(Program {
            start: distribution("start", self.start, before.start)?,
            work: distribution("work", self.work, before.work)?,
            concurrency: number(
                "concurrency",
                self.concurrency,
                before.concurrency,
                1..=1_000_000,
            )?,
            waiting: waiting.or(before.waiting),
            status: number("status", self.status, before.status, 200..=599)?,
            failing_percent: before.failing_percent,
            check_status: number(
                "check_status",
                self.check_status,
                before.check_status,
                200..=599,
            )?,
            checks_wait: self.checks_wait.unwrap_or(before.checks_wait),
            crashes_after: crashes_after.or(before.crashes_after),
            stubborn: self.stubborn.unwrap_or(before.stubborn),
            cold: cold.or(before.cold),
            gives_up: gives_up.or(before.gives_up),
            notices: self.notices.unwrap_or(before.notices),
            leak: leak.or(before.leak),
            remembers: self.remembers.unwrap_or(before.remembers),
        })
    }
}

// === impl RawLeak ===

impl RawLeak {
    fn read(self) -> Result<Leak, ConfigError> {
        let Self { bytes_per_second, limit, slows } = self;
        let rate = number("bytes_per_second", Some(bytes_per_second), 1, 1..=MOST_BYTES)?;
        let slows = slows.map_or(Duration::ZERO, |slows| slows.0);
        Ok(Leak {
            bytes_per_second: rate,
            // It lasts for a day at most.
            limit: number("limit", Some(limit), rate, 1..=rate.saturating_mul(24 * 3600))?,
            slows: within("slows", slows, Duration::ZERO..=LONGEST)?,
        })
    }
}

// === impl RawDistribution ===

impl RawDistribution {
    fn read(self, key: &str) -> Result<Distribution, ConfigError> {
        let below = |error: ConfigError| error.below(key);
        let least = Duration::from_micros(1);
        match self {
            Self::Span(Span { shortest, longest }) => {
                let longest = within(key, longest, Duration::ZERO..=LONGEST)?;
                Ok(if shortest == longest {
                    Distribution::Constant(longest)
                } else {
                    Distribution::Uniform(shortest, longest)
                })
            }
            Self::LogNormal(RawLogNormal { median: Written(median), p99: Written(p99) }) => {
                let median = within("median", median, least..=LONGEST).map_err(below)?;
                let p99 = within("p99", p99, median..=LONGEST).map_err(below)?;
                Ok(Distribution::LogNormal { median, p99 })
            }
            Self::Exponential(RawExponential { mean: Written(mean) }) => {
                let mean = within("mean", mean, least..=LONGEST).map_err(below)?;
                Ok(Distribution::Exponential(mean))
            }
        }
    }
}
