//! A course of events as written.

use std::time::Duration;

use serde::Deserialize;

use super::fault::{self, RawFault};
use super::services::Services;
use crate::experiment::expectation::Expectation;
use crate::experiment::limits::{check_requests, check_spikes};
use crate::experiment::load::Load;
use crate::experiment::{Fault, Hypothesis, Schedule};
use crate::fleet::ConfigError;
use crate::fleet::range::{SHORTEST, within};
use crate::fleet::written::{Written, list, tables};

const LONGEST_LOAD: Duration = Duration::from_secs(24 * 3600);

/// `[[schedule]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSchedule {
    name: String,
    title: Option<String>,
    duration: Written,
    #[serde(default, deserialize_with = "tables")]
    faults: Vec<RawFault>,
    #[serde(default, deserialize_with = "list")]
    expect: Option<Vec<Expectation>>,
}

/// A course of events for all `configurations`, long enough for `hypothesis` to be judged.
pub(super) fn read(
    raw: RawSchedule,
    configurations: usize,
    services: &Services,
    load: &Load,
    hypothesis: &Hypothesis,
) -> Result<Schedule, ConfigError> {
    let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if raw.name.is_empty() || !raw.name.chars().all(proper) {
        let problem = format!("`{}` is not a name; allowed are a-z, 0-9 and _", raw.name);
        return Err(ConfigError::new("name", problem));
    }
    // Left out, it is left to the claims.
    let expect = raw.expect.unwrap_or_else(|| vec![Expectation::Any; configurations]);
    if expect.len() != configurations {
        let problem = format!(
            "has {} entries for {configurations} configurations; allowed is one of \"up\", \
             \"degraded\", \"down\", \"any\" for each",
            expect.len()
        );
        return Err(ConfigError::new("expect", problem));
    }
    let duration = within("duration", raw.duration.0, SHORTEST..=LONGEST_LOAD)?;
    check_requests(duration, load.rate())?;
    let faults = read_faults(&raw.faults, duration, services)?;
    check_spikes(&faults, duration, load)?;
    let title = raw.title.unwrap_or_else(|| raw.name.replace('_', " "));
    let schedule = Schedule { name: raw.name, title, duration, faults, expect };
    let last = schedule.last_fault().unwrap_or_default();
    let shortest = last + hypothesis.window;
    if duration < shortest {
        let problem = format!(
            "{duration:?} leaves no window of {:?} after the last fault, at {last:?}, in which the fleet \
             could be seen to have recovered; allowed is {shortest:?} and more",
            hypothesis.window
        );
        return Err(ConfigError::new("duration", problem));
    }
    Ok(schedule)
}

/// In order of time; what waits for a deployment comes right after it.
fn read_faults(
    raw: &[RawFault],
    duration: Duration,
    services: &Services,
) -> Result<Vec<Fault>, ConfigError> {
    let mut faults = Vec::new();
    for (n, raw) in raw.iter().enumerate() {
        let fault = fault::read(raw, duration, services, &faults);
        faults.push(fault.map_err(|error| error.below(format_args!("faults[{}]", n + 1)))?);
    }
    faults.sort_by_key(|fault: &Fault| fault.at);
    Ok(faults)
}
