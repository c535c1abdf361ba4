//! What is known of a program, as written.

use std::time::Duration;

use serde::Deserialize;

use crate::experiment::model::{Distribution, Program};
use crate::fleet::ConfigError;
use crate::fleet::range::{SHORTEST, number, within};
use crate::fleet::written::{Number, Span, Written};

/// `[model.store]`, or beside a deployment. What is left out is as before.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawModel {
    start: Option<RawDistribution>,
    work: Option<RawDistribution>,
    concurrency: Option<Number>,
    waiting: Option<Number>,
    status: Option<Number>,
    check_status: Option<Number>,
    crashes_after: Option<Written>,
    stubborn: Option<bool>,
}

/// `"1ms"`, `"1ms..3ms"`, `{ median = "1ms", p99 = "3ms" }`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "allowed is a duration, such as \"75ms\", the shortest and the longest, such as \
                 \"60ms..90ms\", or { median = \"60ms\", p99 = \"90ms\" }"
)]
enum RawDistribution {
    Span(Span),
    LogNormal(RawLogNormal),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLogNormal {
    median: Written,
    p99: Written,
}

const LONGEST: Duration = Duration::from_secs(3600);

// === impl RawModel ===

impl RawModel {
    pub(super) fn read(&self, before: Program) -> Result<Program, ConfigError> {
        let distribution =
            |key, raw: Option<RawDistribution>, before| raw.map_or(Ok(before), |raw| raw.read(key));
        let waiting = |waiting| number("waiting", Some(waiting), 0, 0..=1_000_000);
        let waiting = self.waiting.map(waiting).transpose()?;
        let crashes = |Written(after)| within("crashes_after", after, SHORTEST..=LONGEST);
        let crashes_after = self.crashes_after.map(crashes).transpose()?;
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
            crashes_after: crashes_after.or(before.crashes_after),
            stubborn: self.stubborn.unwrap_or(before.stubborn),
        })
    }
}

// === impl RawDistribution ===

impl RawDistribution {
    fn read(self, key: &str) -> Result<Distribution, ConfigError> {
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
                let below = |error: ConfigError| error.below(key);
                let least = Duration::from_micros(1);
                let median = within("median", median, least..=LONGEST).map_err(below)?;
                let p99 = within("p99", p99, median..=LONGEST).map_err(below)?;
                Ok(Distribution::LogNormal { median, p99 })
            }
        }
    }
}
