//! A fault as written.

use std::time::Duration;

use serde::Deserialize;

use crate::endpoints::TaskId;
use crate::experiment::{Fault, FaultKind, Which};
use crate::fleet::ConfigError;
use crate::fleet::written::Written;

/// `{ at = "15s", stop = 1 }`, `{ at = "15s", kill = "all" }`, `{ at = "15s", stop = "task-2" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawFault {
    at: Written,
    stop: Option<RawWhich>,
    kill: Option<RawWhich>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "allowed is a number of tasks, \"all\" or a task such as \"task-2\"")]
pub(super) enum RawWhich {
    Count(u32),
    Named(String),
}

/// Of a load of `duration` on fleets of which the smallest has `fewest` tasks.
pub(super) fn read(raw: &RawFault, duration: Duration, fewest: u32) -> Result<Fault, ConfigError> {
    let at = raw.at.0;
    if at >= duration {
        let problem = format!("{at:?} is not before the end of the load at {duration:?}");
        return Err(ConfigError::new("at", problem));
    }
    let (key, kind, which) = match (&raw.stop, &raw.kill) {
        (Some(which), None) => ("stop", FaultKind::Stop, which),
        (None, Some(which)) => ("kill", FaultKind::Kill, which),
        (None, None) => {
            let problem = "is missing; allowed is this or `kill`, and just one of them";
            return Err(ConfigError::new("stop", problem));
        }
        (Some(_), Some(_)) => {
            let problem = "is given beside `stop`; allowed is just one of them";
            return Err(ConfigError::new("kill", problem));
        }
    };
    let tasks = read_which(which, fewest).map_err(|problem| ConfigError::new(key, problem))?;
    Ok(Fault { at, kind, tasks })
}

fn read_which(raw: &RawWhich, fewest: u32) -> Result<Which, String> {
    match raw {
        RawWhich::Count(count) if (1..=fewest).contains(count) => Ok(Which::Oldest(*count)),
        RawWhich::Count(count) => Err(format!(
            "{count} tasks cannot be taken in every configuration; allowed is 1 to {fewest}, \"all\" or \
             a task such as \"task-2\""
        )),
        RawWhich::Named(name) if name == "all" => Ok(Which::All),
        RawWhich::Named(name) => {
            let task = name.parse::<TaskId>();
            task.map(Which::Task).map_err(|error| format!("{error}, \"all\" or a number of tasks"))
        }
    }
}
