//! A drill as written.

mod caller;
mod fault;
mod load;
mod model;
mod schedule;
mod services;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::claim::Claim;
use super::limits::check_spacing;
use super::load::Load;
use super::model::Program;
use super::reading::{Figure, Places, Sentence};
use super::{Configuration, Drill, Fault, FaultKind, Hypothesis, Objective, Schedule};
use crate::fleet::range::{self, SHORTEST, number};
use crate::fleet::written::{Number, Share, Written, list, statuses, tables};
use crate::fleet::{ConfigError, Fleet, MOST_TASKS, RawFleet, RawService, Service};
use crate::health::Matcher;
pub use caller::RawCaller;
use load::RawLoad;
use model::RawModel;
use services::Services;

/// The drill file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawDrill {
    title: String,
    scale: Option<Number>,
    #[serde(default, deserialize_with = "list")]
    prepare: Vec<Command>,
    monthly_price_per_task: Option<Number>,
    target: Option<String>,
    fleet: Option<RawFleet>,
    #[serde(default)]
    model: BTreeMap<String, RawModel>,
    load: RawLoad,
    objective: RawObjective,
    #[serde(default)]
    hypothesis: RawHypothesis,
    #[serde(default, deserialize_with = "tables")]
    configuration: Vec<RawConfiguration>,
    #[serde(deserialize_with = "tables")]
    schedule: Vec<schedule::RawSchedule>,
    #[serde(default, deserialize_with = "list")]
    claims: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    reading: Vec<String>,
}

/// `["PROGRAM", "ARG"]`
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Command(#[serde(deserialize_with = "list")] Vec<String>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawObjective {
    #[serde(default, deserialize_with = "statuses")]
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

/// What a configuration changes of the fleet, and of what is known of its programs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawConfiguration {
    title: String,
    desired_count: Option<Number>,
    minimum_healthy_percent: Option<Number>,
    maximum_percent: Option<Number>,
    #[serde(default)]
    service: BTreeMap<String, RawService>,
    #[serde(default)]
    model: BTreeMap<String, RawModel>,
}

const HIGHEST_PRICE: u32 = 1_000_000;

// === impl Drill ===

impl TryFrom<RawDrill> for Drill {
    type Error = ConfigError;

    fn try_from(raw: RawDrill) -> Result<Self, ConfigError> {
        let price = |price| number("monthly_price_per_task", Some(price), 0, 0..=HIGHEST_PRICE);
        let monthly_price_per_task = raw.monthly_price_per_task.map(price).transpose()?;
        for (n, Command(words)) in raw.prepare.iter().enumerate() {
            range::command(format_args!("prepare[{}]", n + 1), words)?;
        }
        let mut configurations = read_configurations(&raw)?;
        let objective = read_objective(&raw.objective).map_err(|e| e.below("objective"))?;
        let services = Services::of(&configurations)
            .used_by(raw.load.service())
            .map_err(|error| error.below("load"))?
            .modelled(&raw.model, &usual_programs(configurations.first(), &objective))
            .map_err(|error| error.below("model"))?;
        read_models(&raw, &services, &objective, &mut configurations)?;
        let load = raw.load.clone().read(&services).map_err(|error| error.below("load"))?;
        let hypothesis =
            read_hypothesis(&raw.hypothesis, &load).map_err(|error| error.below("hypothesis"))?;
        let count = configurations.len();
        let schedules = read_schedules(raw.schedule, count, &services, &load, &hypothesis)?;
        check_models(&configurations, &schedules, &services)?;
        check_flows(&load, &schedules).map_err(|error| error.below("load"))?;
        let places = Places {
            configurations: count,
            schedules: schedules.iter().map(|schedule| schedule.name.as_str()).collect(),
            flows: load.flows.iter().map(|flow| flow.name.as_str()).collect(),
        };
        let sentence = |(n, text): (usize, &String)| {
            Sentence::read(text, &places)
                .map_err(|e| ConfigError::new(format_args!("reading[{}]", n + 1), e))
        };
        let reading = raw.reading.iter().enumerate().map(sentence).collect::<Result<_, _>>()?;
        let claim = |(n, text): (usize, &String)| {
            let claim = Claim::read(text, &|name| places.read(name));
            let claim = claim.and_then(|claim| check_places(claim, &schedules));
            claim.map_err(|e| ConfigError::new(format_args!("claims[{}]", n + 1), e))
        };
        let claims = raw.claims.iter().enumerate().map(claim).collect::<Result<_, _>>()?;
        let mut drill = Self {
            title: raw.title,
            // As written is as meant.
            scale: 1,
            prepare: raw.prepare.into_iter().map(|Command(words)| words).collect(),
            monthly_price_per_task,
            target: raw.target,
            load,
            objective,
            hypothesis,
            configurations,
            schedules,
            claims,
            reading,
        };
        let limit = drill.scale_limit();
        drill.scale = number("scale", raw.scale, 1, 1..=limit.highest).map_err(|error| {
            ConfigError { problem: format!("{}, {limit}", error.problem), ..error }
        })?;
        Ok(drill)
    }
}

/// A claim is about something that is measured.
fn check_places(claim: Claim, schedules: &[Schedule]) -> Result<Claim, String> {
    let places = claim.places();
    if places.is_empty() {
        return Err("speaks of no figure; allowed is at least one, in braces".to_owned());
    }
    for place in &places {
        let schedule = &schedules[place.cell.schedule];
        let problem = match place.figure {
            Figure::Calls | Figure::FirstCall if schedule.linked().next().is_none() => {
                "calls in the schedule `{}`, which disturbs the way to no service"
            }
            Figure::Rollout | Figure::Back | Figure::Kept
                if schedule.faults.iter().all(|fault| fault.deploys().is_none()) =>
            {
                "a deployment in the schedule `{}`, which has none"
            }
            _ => continue,
        };
        return Err(format!("speaks of {}", problem.replace("{}", &schedule.name)));
    }
    Ok(claim)
}

// === impl RawConfiguration ===

impl RawConfiguration {
    fn apply(&self, mut fleet: RawFleet) -> Result<RawFleet, ConfigError> {
        for service in fleet.service.values_mut() {
            let change = |value: &mut Option<Number>, to: Option<Number>| *value = to.or(*value);
            change(&mut service.desired_count, self.desired_count);
            change(&mut service.minimum_healthy_percent, self.minimum_healthy_percent);
            change(&mut service.maximum_percent, self.maximum_percent);
        }
        for (name, changes) in &self.service {
            let names: Vec<String> = fleet.service.keys().cloned().collect();
            let service = fleet.service.get_mut(name).ok_or_else(|| {
                let problem =
                    format!("is no service of the fleet; allowed is one of {}", names.join(", "));
                ConfigError::new(format_args!("service.{name}"), problem)
            })?;
            service.change(changes);
        }
        Ok(fleet)
    }
}

fn read_configurations(raw: &RawDrill) -> Result<Vec<Configuration>, ConfigError> {
    let as_is = [RawConfiguration { title: raw.title.clone(), ..Default::default() }];
    let given = if raw.configuration.is_empty() { &as_is[..] } else { &raw.configuration };
    let fleet = match (&raw.target, &raw.fleet) {
        (None, Some(fleet)) => fleet,
        (Some(target), None) => {
            check_target(target)?;
            if raw.configuration.is_empty() {
                return Ok(vec![Configuration::new(&raw.title, None)]);
            }
            let problem = "changes a fleet; a drill with a `target` has none";
            return Err(ConfigError::new("configuration", problem));
        }
        _ => {
            let problem = "is allowed in place of [fleet], and one of them must be there";
            return Err(ConfigError::new("target", problem));
        }
    };
    let read = |(n, changes): (usize, &RawConfiguration)| {
        let below = |error: ConfigError| {
            if raw.configuration.is_empty() {
                error
            } else {
                error.below(format_args!("configuration[{}]", n + 1))
            }
        };
        let fleet = changes.apply(fleet.clone()).map_err(below)?;
        let fleet = Fleet::try_from(fleet).and_then(must_have_tasks);
        let fleet = fleet.map_err(|error| below(error.below("fleet")))?;
        Ok(Configuration::new(&changes.title, Some(fleet)))
    };
    given.iter().enumerate().map(read).collect()
}

/// What of programs goes without saying: their answers are right, and so are those to checks.
fn usual_programs(configuration: Option<&Configuration>, objective: &Objective) -> Vec<Program> {
    let services = configuration.map(Configuration::services).unwrap_or_default();
    let usual = |service: &Service| Program {
        status: objective.status.usual(),
        check_status: service.health.check.usual_status(),
        ..Program::default()
    };
    services.iter().map(usual).collect()
}

/// What is known of the programs in each configuration.
fn read_models(
    raw: &RawDrill,
    services: &Services,
    objective: &Objective,
    configurations: &mut [Configuration],
) -> Result<(), ConfigError> {
    for (n, configuration) in configurations.iter_mut().enumerate() {
        let mut models = raw.model.clone();
        for (name, changes) in raw.configuration.get(n).iter().flat_map(|changes| &changes.model) {
            models.entry(name.clone()).or_default().change(changes);
        }
        let below =
            |error: ConfigError| error.below(format_args!("configuration[{}].model", n + 1));
        let usual = usual_programs(Some(configuration), objective);
        (configuration.models, configuration.callers) =
            services.read_models(&models, &usual).map_err(below)?;
    }
    Ok(())
}

/// What a program does differently after a fault is said of the program that [model] tells of.
fn check_models(
    configurations: &[Configuration],
    schedules: &[Schedule],
    services: &Services,
) -> Result<(), ConfigError> {
    let changes = |fault: &Fault| match &fault.kind {
        FaultKind::Ask { service, model: Some(_), .. } => Some(*service),
        FaultKind::Deploy { service, definition } if definition.model.is_some() => Some(*service),
        _ => None,
    };
    for (n, configuration) in configurations.iter().enumerate() {
        for service in schedules.iter().flat_map(|schedule| &schedule.faults).filter_map(changes) {
            // How a program answers checks may differ as they do.
            let alike = |program: Program| Program { check_status: 0, ..program };
            if alike(configuration.models[service]) != alike(services.model(service)) {
                let name = &configuration.services()[service].name;
                let key = format_args!("configuration[{}].model.{name}", n + 1);
                let problem = "stands beside the `model` of a fault; allowed is just one of them";
                return Err(ConfigError::new(key, problem));
            }
        }
    }
    Ok(())
}

/// Of what nobody asks for nothing can be said.
fn check_flows(load: &Load, schedules: &[Schedule]) -> Result<(), ConfigError> {
    let longest = schedules.iter().map(|schedule| schedule.duration).max().unwrap_or_default();
    let Some(n) = load.flows.iter().position(|flow| flow.from >= longest) else { return Ok(()) };
    let problem = format!(
        "{:?} is not before the end of any schedule, the longest of which takes {longest:?}",
        load.flows[n].from
    );
    Err(ConfigError::new(format_args!("flow[{}].from", n + 1), problem))
}

/// Where no task is, nothing can be measured.
fn must_have_tasks(fleet: Fleet) -> Result<Fleet, ConfigError> {
    let Some(none) = fleet.services.iter().find(|service| service.cluster.desired_count == 0)
    else {
        return Ok(fleet);
    };
    let key = format_args!("service.{}.desired_count", none.name);
    let problem = format_args!("0 is out of range; allowed in a drill is 1 to {MOST_TASKS}");
    Err(ConfigError::new(key, problem))
}

/// `http://HOST:PORT`: there is no TLS, and where to ask stands with the load.
fn check_target(target: &str) -> Result<(), ConfigError> {
    let host = target.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let proper = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if host.is_some_and(|host| !host.is_empty() && host.chars().all(proper)) {
        return Ok(());
    }
    let problem = format!("`{target}` is no target; allowed is http://HOST or http://HOST:PORT");
    Err(ConfigError::new("target", problem))
}

fn read_objective(raw: &RawObjective) -> Result<Objective, ConfigError> {
    Ok(Objective {
        status: raw.status.clone().unwrap_or_else(|| Matcher::only(200)),
        latency: range::duration("latency", Some(raw.latency), SHORTEST)?,
        success: raw.success,
    })
}

fn read_hypothesis(raw: &RawHypothesis, load: &Load) -> Result<Hypothesis, ConfigError> {
    let hypothesis = Hypothesis {
        window: range::duration("window", raw.window, Duration::from_secs(10))?,
        tolerated_gap: range::duration("tolerated_gap", raw.tolerated_gap, Duration::from_secs(1))?,
    };
    check_spacing(&hypothesis, load)?;
    Ok(hypothesis)
}

fn read_schedules(
    raw: Vec<schedule::RawSchedule>,
    configurations: usize,
    services: &Services,
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
        let schedule =
            schedule::read(raw, configurations, services, load, hypothesis).map_err(below)?;
        if schedules.iter().any(|other| other.name == schedule.name) {
            let problem = format!("`{}` is given twice", schedule.name);
            return Err(below(ConfigError::new("name", problem)));
        }
        schedules.push(schedule);
    }
    Ok(schedules)
}
