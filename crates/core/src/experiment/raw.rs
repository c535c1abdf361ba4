//! A drill as written.

use std::time::Duration;

use serde::Deserialize;

use super::expectation::Expectation;
use super::load::{Arrivals, Load};
use super::reading::Sentence;
use super::{Configuration, Drill, Fault, FaultKind, Hypothesis, Objective, Schedule, Which};
use crate::endpoints::TaskId;
use crate::fleet::written::{Share, Written};
use crate::fleet::{ConfigError, Fleet, RawFleet};
use crate::health::Matcher;

/// The drill file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDrill {
    title: String,
    #[serde(default)]
    prepare: Vec<Vec<String>>,
    monthly_price_per_task: Option<u32>,
    fleet: RawFleet,
    load: RawLoad,
    objective: RawObjective,
    #[serde(default)]
    hypothesis: RawHypothesis,
    #[serde(default)]
    configuration: Vec<RawConfiguration>,
    schedule: Vec<RawSchedule>,
    #[serde(default)]
    reading: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLoad {
    rate: u32,
    arrivals: Option<Arrivals>,
    paths: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawObjective {
    status: Option<Matcher>,
    latency: Written,
    success: Share,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHypothesis {
    window: Option<Written>,
    tolerated_gap: Option<Written>,
}

/// What a configuration changes of the fleet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfiguration {
    title: String,
    desired_count: Option<u32>,
    minimum_healthy_percent: Option<u32>,
    maximum_percent: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchedule {
    name: String,
    title: Option<String>,
    duration: Written,
    faults: Vec<RawFault>,
    expect: Vec<Expectation>,
}

/// `{ at = "15s", stop = 1 }`, `{ at = "15s", kill = "all" }`, `{ at = "15s", stop = "task-2" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    at: Written,
    stop: Option<RawWhich>,
    kill: Option<RawWhich>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "allowed is a number of tasks, \"all\" or a task such as \"task-2\"")]
enum RawWhich {
    Count(u32),
    Named(String),
}

const HIGHEST_RATE: u32 = 50_000;
const MOST_REQUESTS: u64 = 10_000_000;

// === impl Drill ===

impl TryFrom<RawDrill> for Drill {
    type Error = ConfigError;

    fn try_from(raw: RawDrill) -> Result<Self, ConfigError> {
        let configurations = read_configurations(&raw)?;
        let load = read_load(raw.load).map_err(|error| error.below("load"))?;
        if raw.schedule.is_empty() {
            return Err(ConfigError::new(
                "schedule",
                "is empty; allowed is at least one [[schedule]]",
            ));
        }
        let mut schedules: Vec<Schedule> = Vec::new();
        for (n, schedule) in raw.schedule.into_iter().enumerate() {
            let schedule = read_schedule(schedule, &configurations, &load)
                .map_err(|error| error.below(format_args!("schedule[{}]", n + 1)))?;
            if schedules.iter().any(|other| other.name == schedule.name) {
                let problem = format!("`{}` is given twice", schedule.name);
                return Err(ConfigError::new(format_args!("schedule[{}].name", n + 1), problem));
            }
            schedules.push(schedule);
        }
        if let Some(empty) = raw.prepare.iter().position(Vec::is_empty) {
            let problem = "is empty; allowed is a program and its arguments";
            return Err(ConfigError::new(format_args!("prepare[{}]", empty + 1), problem));
        }
        let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
        let sentence = |(n, text): (usize, &String)| {
            Sentence::read(text, configurations.len(), &names)
                .map_err(|e| ConfigError::new(format_args!("reading[{}]", n + 1), e))
        };
        let reading = raw.reading.iter().enumerate().map(sentence).collect::<Result<_, _>>()?;
        let tolerated_gap = raw.hypothesis.tolerated_gap.map_or(Duration::from_secs(1), |w| w.0);
        Ok(Self {
            title: raw.title,
            prepare: raw.prepare,
            monthly_price_per_task: raw.monthly_price_per_task,
            load,
            objective: Objective {
                status: raw.objective.status.unwrap_or_else(|| Matcher::only(200)),
                latency: raw.objective.latency.0,
                success: raw.objective.success,
            },
            hypothesis: Hypothesis {
                window: raw.hypothesis.window.map_or(Duration::from_secs(10), |w| w.0),
                tolerated_gap,
            },
            configurations,
            schedules,
            reading,
        })
    }
}

fn read_configurations(raw: &RawDrill) -> Result<Vec<Configuration>, ConfigError> {
    let as_is = [RawConfiguration { title: raw.title.clone(), ..Default::default() }];
    let given = if raw.configuration.is_empty() { &as_is[..] } else { &raw.configuration };
    let read = |(n, changes): (usize, &RawConfiguration)| {
        let mut fleet = raw.fleet.clone();
        for service in fleet.services_mut() {
            let change = |value: &mut Option<u32>, to: Option<u32>| *value = to.or(*value);
            change(&mut service.desired_count, changes.desired_count);
            change(&mut service.minimum_healthy_percent, changes.minimum_healthy_percent);
            change(&mut service.maximum_percent, changes.maximum_percent);
        }
        let fleet = Fleet::try_from(fleet).map_err(|error| {
            let error = error.below("fleet");
            if raw.configuration.is_empty() {
                error
            } else {
                error.below(format_args!("configuration[{}]", n + 1))
            }
        })?;
        Ok(Configuration { title: changes.title.clone(), fleet })
    };
    given.iter().enumerate().map(read).collect()
}

fn read_load(raw: RawLoad) -> Result<Load, ConfigError> {
    if !(1..=HIGHEST_RATE).contains(&raw.rate) {
        let problem =
            format!("{} is out of range; allowed is 1 to {HIGHEST_RATE} a second", raw.rate);
        return Err(ConfigError::new("rate", problem));
    }
    let proper =
        |path: &String| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    if raw.paths.is_empty() || !raw.paths.iter().all(proper) {
        let problem =
            "allowed is a list of at least one path, each beginning with / and without spaces";
        return Err(ConfigError::new("paths", problem));
    }
    let arrivals = raw.arrivals.unwrap_or(Arrivals::Constant);
    Ok(Load { rate: raw.rate, arrivals, paths: raw.paths })
}

fn read_schedule(
    raw: RawSchedule,
    configurations: &[Configuration],
    load: &Load,
) -> Result<Schedule, ConfigError> {
    let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if raw.name.is_empty() || !raw.name.chars().all(proper) {
        let problem = format!("`{}` is not a name; allowed are a-z, 0-9 and _", raw.name);
        return Err(ConfigError::new("name", problem));
    }
    if raw.expect.len() != configurations.len() {
        let problem = format!(
            "has {} entries for {} configurations; allowed is one of \"up\", \"down\" for each",
            raw.expect.len(),
            configurations.len()
        );
        return Err(ConfigError::new("expect", problem));
    }
    let duration = raw.duration.0;
    if duration.as_secs().saturating_mul(load.rate.into()) > MOST_REQUESTS {
        let problem = format!("makes more than {MOST_REQUESTS} requests at {} a second", load.rate);
        return Err(ConfigError::new("duration", problem));
    }
    let counts = configurations.iter().map(|c| c.fleet.service.cluster.desired_count);
    let fewest = counts.min().unwrap_or_default();
    let read = |(n, fault)| {
        read_fault(fault, duration, fewest).map_err(|e| e.below(format_args!("faults[{}]", n + 1)))
    };
    let mut faults = raw.faults.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    faults.sort_by_key(|fault| fault.at);
    let title = raw.title.unwrap_or_else(|| raw.name.replace('_', " "));
    Ok(Schedule { name: raw.name, title, duration, faults, expect: raw.expect })
}

fn read_fault(raw: &RawFault, duration: Duration, fewest: u32) -> Result<Fault, ConfigError> {
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
