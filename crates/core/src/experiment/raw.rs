//! A drill as written.

mod fault;
mod schedule;

use std::time::Duration;

use serde::Deserialize;

use super::load::{Arrivals, Load};
use super::reading::Sentence;
use super::{Configuration, Drill, Hypothesis, Objective, Schedule};
use crate::fleet::range::{self, SHORTEST, number};
use crate::fleet::written::{Number, Share, Written};
use crate::fleet::{ConfigError, Fleet, RawFleet};
use crate::health::Matcher;

/// The drill file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawDrill {
    title: String,
    scale: Option<Number>,
    #[serde(default)]
    prepare: Vec<Vec<String>>,
    monthly_price_per_task: Option<Number>,
    fleet: RawFleet,
    load: RawLoad,
    objective: RawObjective,
    #[serde(default)]
    hypothesis: RawHypothesis,
    #[serde(default)]
    configuration: Vec<RawConfiguration>,
    schedule: Vec<schedule::RawSchedule>,
    #[serde(default)]
    reading: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawLoad {
    rate: Number,
    arrivals: Option<Arrivals>,
    paths: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawObjective {
    status: Option<Matcher>,
    latency: Written,
    success: Share,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawHypothesis {
    window: Option<Written>,
    tolerated_gap: Option<Written>,
}

/// What a configuration changes of the fleet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawConfiguration {
    title: String,
    desired_count: Option<Number>,
    minimum_healthy_percent: Option<Number>,
    maximum_percent: Option<Number>,
}

const HIGHEST_RATE: u32 = 50_000;
const HIGHEST_PRICE: u32 = 1_000_000;

// === impl Drill ===

impl TryFrom<RawDrill> for Drill {
    type Error = ConfigError;

    fn try_from(raw: RawDrill) -> Result<Self, ConfigError> {
        let price = |price| number("monthly_price_per_task", Some(price), 0, 0..=HIGHEST_PRICE);
        let monthly_price_per_task = raw.monthly_price_per_task.map(price).transpose()?;
        for (n, words) in raw.prepare.iter().enumerate() {
            range::command(format_args!("prepare[{}]", n + 1), words)?;
        }
        let configurations = read_configurations(&raw)?;
        let load = read_load(raw.load).map_err(|error| error.below("load"))?;
        let objective = read_objective(raw.objective).map_err(|e| e.below("objective"))?;
        let hypothesis =
            read_hypothesis(&raw.hypothesis, &load).map_err(|error| error.below("hypothesis"))?;
        let schedules = read_schedules(raw.schedule, &configurations, &load, &hypothesis)?;
        let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
        let sentence = |(n, text): (usize, &String)| {
            Sentence::read(text, configurations.len(), &names)
                .map_err(|e| ConfigError::new(format_args!("reading[{}]", n + 1), e))
        };
        let reading = raw.reading.iter().enumerate().map(sentence).collect::<Result<_, _>>()?;
        let mut drill = Self {
            title: raw.title,
            // As written is as meant.
            scale: 1,
            prepare: raw.prepare,
            monthly_price_per_task,
            load,
            objective,
            hypothesis,
            configurations,
            schedules,
            reading,
        };
        let limit = drill.scale_limit();
        drill.scale = number("scale", raw.scale, 1, 1..=limit.highest).map_err(|error| {
            ConfigError { problem: format!("{}, {limit}", error.problem), ..error }
        })?;
        Ok(drill)
    }
}

fn read_configurations(raw: &RawDrill) -> Result<Vec<Configuration>, ConfigError> {
    let as_is = [RawConfiguration { title: raw.title.clone(), ..Default::default() }];
    let given = if raw.configuration.is_empty() { &as_is[..] } else { &raw.configuration };
    let read = |(n, changes): (usize, &RawConfiguration)| {
        let mut fleet = raw.fleet.clone();
        for service in fleet.services_mut() {
            let change = |value: &mut Option<Number>, to: Option<Number>| *value = to.or(*value);
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
    let rate = number("rate", Some(raw.rate), 1, 1..=HIGHEST_RATE)?;
    if raw.paths.is_empty() {
        return Err(ConfigError::new("paths", "is empty; allowed is a list of at least one path"));
    }
    for (n, path) in raw.paths.iter().enumerate() {
        range::path(format_args!("paths[{}]", n + 1), path)?;
    }
    let arrivals = raw.arrivals.unwrap_or(Arrivals::Constant);
    Ok(Load { rate, arrivals, paths: raw.paths })
}

fn read_objective(raw: RawObjective) -> Result<Objective, ConfigError> {
    Ok(Objective {
        status: raw.status.unwrap_or_else(|| Matcher::only(200)),
        latency: range::duration("latency", Some(raw.latency), SHORTEST)?,
        success: raw.success,
    })
}

fn read_hypothesis(raw: &RawHypothesis, load: &Load) -> Result<Hypothesis, ConfigError> {
    let longer_than_spacing = |key, written, default| {
        let value = range::duration(key, written, default)?;
        if value >= load.spacing() {
            return Ok(value);
        }
        let problem = format!(
            "{value:?} is less than the {:?} from one request to the next; allowed is that and more",
            load.spacing()
        );
        Err(ConfigError::new(key, problem))
    };
    Ok(Hypothesis {
        window: longer_than_spacing("window", raw.window, Duration::from_secs(10))?,
        tolerated_gap: longer_than_spacing(
            "tolerated_gap",
            raw.tolerated_gap,
            Duration::from_secs(1),
        )?,
    })
}

fn read_schedules(
    raw: Vec<schedule::RawSchedule>,
    configurations: &[Configuration],
    load: &Load,
    hypothesis: &Hypothesis,
) -> Result<Vec<Schedule>, ConfigError> {
    if raw.is_empty() {
        let problem = "is empty; allowed is at least one [[schedule]]";
        return Err(ConfigError::new("schedule", problem));
    }
    let mut schedules: Vec<Schedule> = Vec::new();
    for (n, raw) in raw.into_iter().enumerate() {
        let below = |error: ConfigError| error.below(format_args!("schedule[{}]", n + 1));
        let schedule = schedule::read(raw, configurations, load, hypothesis).map_err(below)?;
        if schedules.iter().any(|other| other.name == schedule.name) {
            let problem = format!("`{}` is given twice", schedule.name);
            return Err(below(ConfigError::new("name", problem)));
        }
        schedules.push(schedule);
    }
    Ok(schedules)
}
