//! A fault as written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::model::RawModel;
use super::services::Services;
use crate::endpoints::TaskId;
use crate::experiment::model::Program;
use crate::experiment::{
    Definition, Ending, Exec, Fault, FaultKind, LinkFault, Once, TaskFault, Which,
};
use crate::fleet::ConfigError;
use crate::fleet::range::{self, SHORTEST, duration, number, within};
use crate::fleet::written::{Number, Share, Written, list};

/// `{ at = "15s", stop = 1 }`, `{ at = "15s", lasts = "5s", latency = "30s", to = "products" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawFault {
    at: Option<Written>,
    once: Option<Once>,
    lasts: Option<Written>,
    // Just one of these says what is done,
    stop: Option<RawWhich>,
    kill: Option<RawWhich>,
    power_off: Option<RawWhich>,
    ask: Option<String>,
    hang: Option<RawWhich>,
    fail: Option<RawWhich>,
    slow: Option<Written>,
    reset: Option<RawWhich>,
    half_answer: Option<RawWhich>,
    latency: Option<Written>,
    errors: Option<Number>,
    resets: Option<Share>,
    stalls: Option<Share>,
    query_of_death: Option<String>,
    deploy: Option<RawDefinition>,
    spike: Option<Number>,
    #[serde(deserialize_with = "list")]
    exec: Option<Vec<String>>,
    // and these say more about it.
    service: Option<String>,
    tasks: Option<RawWhich>,
    to: Option<String>,
    share: Option<Share>,
    model: Option<RawModel>,
    #[serde(deserialize_with = "list")]
    proof: Option<Vec<String>>,
    #[serde(deserialize_with = "list")]
    heal: Option<Vec<String>>,
}

/// `{}`, `{ environment = { BROKEN = "1" } }`, `{ command = ["sleep", "1000"] }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawDefinition {
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "list")]
    command: Option<Vec<String>>,
    model: Option<RawModel>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "allowed is a number of tasks, \"all\", a task such as \"task-2\", { zone = \"…\" } or { machine = \"…\" }"
)]
pub(super) enum RawWhich {
    Count(u32),
    Named(String),
    In(RawSite),
}

/// `{ zone = "a" }`, `{ machine = "a/1" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawSite {
    Zone(String),
    Machine(String),
}

/// More requests than this many times as many are no spike any more.
const HIGHEST_SPIKE: u32 = 100;

/// Of a load of `duration` on these services; `earlier` faults stand before it.
pub(super) fn read(
    raw: &RawFault,
    duration: Duration,
    services: &Services,
    earlier: &[Fault],
) -> Result<Fault, ConfigError> {
    let at = raw.read_at(duration)?;
    let kind = raw.kind()?;
    raw.check_companions(kind)?;
    let what = raw.read_kind(kind.name, services)?;
    let at = match at {
        Some(at) => at,
        None => deployment_before(&what, earlier)?,
    };
    let lasts = raw.read_lasts(kind, duration.saturating_sub(at))?;
    Ok(Fault { at, once: raw.once, lasts, kind: what })
}

/// When the deployment begins that `what` waits for.
fn deployment_before(what: &FaultKind, earlier: &[Fault]) -> Result<Duration, ConfigError> {
    let meant = |fault: &&Fault| match what {
        FaultKind::End { service, .. } => fault.deploys() == Some(*service),
        _ => false,
    };
    earlier.iter().rev().find(meant).map(|deployment| deployment.at).ok_or_else(|| {
        let problem =
            "waits for a deployment; allowed is that after a `deploy` of the same service";
        ConfigError::new("once", problem)
    })
}

/// One that a fault can be.
struct Kind {
    name: &'static str,
    is_given: fn(&RawFault) -> bool,
    /// What may stand beside it.
    companions: &'static [&'static str],
}

const KINDS: [Kind; 17] = [
    Kind::of("stop", |fault| fault.stop.is_some(), &["once", "service"]),
    Kind::of("kill", |fault| fault.kill.is_some(), &["once", "service"]),
    Kind::of("power_off", |fault| fault.power_off.is_some(), &["service", "lasts"]),
    Kind::of("ask", |fault| fault.ask.is_some(), &["service", "tasks", "model"]),
    Kind::of("hang", |fault| fault.hang.is_some(), &["service", "lasts"]),
    Kind::of("fail", |fault| fault.fail.is_some(), &["service", "lasts"]),
    Kind::of("slow", |fault| fault.slow.is_some(), &["service", "tasks", "lasts"]),
    Kind::of("reset", |fault| fault.reset.is_some(), &["service", "lasts"]),
    Kind::of("half_answer", |fault| fault.half_answer.is_some(), &["service", "lasts"]),
    Kind::of("latency", |fault| fault.latency.is_some(), &["to", "lasts"]),
    Kind::of("errors", |fault| fault.errors.is_some(), &["to", "lasts", "share"]),
    Kind::of("resets", |fault| fault.resets.is_some(), &["to", "lasts"]),
    Kind::of("stalls", |fault| fault.stalls.is_some(), &["to", "lasts"]),
    Kind::of("query_of_death", |fault| fault.query_of_death.is_some(), &["service"]),
    Kind::of("deploy", |fault| fault.deploy.is_some(), &["service"]),
    Kind::of("spike", |fault| fault.spike.is_some(), &["lasts"]),
    Kind::of("exec", |fault| fault.exec.is_some(), &["lasts", "proof", "heal"]),
];

// === impl Kind ===

impl Kind {
    const fn of(
        name: &'static str,
        is_given: fn(&RawFault) -> bool,
        companions: &'static [&'static str],
    ) -> Self {
        Self { name, is_given, companions }
    }

    /// Whether it has an end.
    fn lasts(&self) -> bool {
        self.companions.contains(&"lasts")
    }
}

// === impl RawFault ===

impl RawFault {
    /// None if it waits for something.
    fn read_at(&self, duration: Duration) -> Result<Option<Duration>, ConfigError> {
        let problem = match (self.at, self.once) {
            (None, Some(_)) => return Ok(None),
            (Some(Written(at)), None) if at < duration => return Ok(Some(at)),
            (Some(Written(at)), None) => {
                format!("{at:?} is not before the end of the load at {duration:?}")
            }
            (Some(_), Some(_)) => "is given beside `once`; allowed is just one of them".to_owned(),
            (None, None) => "is missing; allowed is a duration".to_owned(),
        };
        Err(ConfigError::new("at", problem))
    }

    fn kind(&self) -> Result<&'static Kind, ConfigError> {
        let mut given = KINDS.iter().filter(|kind| (kind.is_given)(self));
        let Some(kind) = given.next() else {
            let kinds = KINDS.each_ref().map(|kind| kind.name).join(", ");
            let problem = format!("is missing; allowed is just one of {kinds}");
            return Err(ConfigError::new("stop", problem));
        };
        match given.next() {
            None => Ok(kind),
            Some(other) => {
                let problem =
                    format!("is given beside `{}`; allowed is just one of them", kind.name);
                Err(ConfigError::new(other.name, problem))
            }
        }
    }

    fn check_companions(&self, kind: &Kind) -> Result<(), ConfigError> {
        let companions = [
            ("once", self.once.is_some()),
            ("lasts", self.lasts.is_some()),
            ("service", self.service.is_some()),
            ("tasks", self.tasks.is_some()),
            ("to", self.to.is_some()),
            ("share", self.share.is_some()),
            ("model", self.model.is_some()),
            ("proof", self.proof.is_some()),
            ("heal", self.heal.is_some()),
        ];
        let Kind { name, companions: allowed, .. } = kind;
        let wrong = companions.iter().find(|(key, given)| *given && !allowed.contains(key));
        wrong.map_or(Ok(()), |(key, _)| {
            let problem =
                format!("means nothing beside `{name}`; allowed are {}", allowed.join(", "));
            Err(ConfigError::new(key, problem))
        })
    }

    /// What has an end lasts for as long as is said, or to the end of the load.
    fn read_lasts(&self, kind: &Kind, rest: Duration) -> Result<Duration, ConfigError> {
        if !kind.lasts() {
            return Ok(Duration::ZERO);
        }
        within("lasts", self.lasts.map_or(rest, |lasts| lasts.0), SHORTEST..=rest)
    }

    fn read_kind(&self, kind: &str, services: &Services) -> Result<FaultKind, ConfigError> {
        let service = || services.place("service", self.service.as_deref());
        let end = |how, raw: &Option<RawWhich>| {
            let service = service()?;
            let tasks = read_tasks(kind, raw.as_ref(), service, services)?;
            Ok(FaultKind::End { how, service, tasks })
        };
        let path = |path: &Option<String>| {
            let path = path.clone().unwrap_or_default();
            range::path(kind, &path).map(|()| path)
        };
        match kind {
            "stop" => end(Ending::Stop, &self.stop),
            "kill" => end(Ending::Kill, &self.kill),
            "power_off" => self.read_power_off(service()?, services),
            "ask" => {
                let service = service()?;
                let tasks = read_tasks("tasks", self.tasks.as_ref(), service, services)?;
                let model = read_model("model", self.model.as_ref(), services.model(service))?;
                Ok(FaultKind::Ask { service, tasks, path: path(&self.ask)?, model })
            }
            "hang" | "fail" | "slow" | "reset" | "half_answer" => {
                self.read_task(kind, service()?, services)
            }
            "query_of_death" => Ok(FaultKind::QueryOfDeath {
                service: service()?,
                path: path(&self.query_of_death)?,
            }),
            "deploy" => {
                let service = service()?;
                let definition = self.read_deploy(services.model(service))?;
                Ok(FaultKind::Deploy { service, definition })
            }
            "spike" => number("spike", self.spike, 2, 2..=HIGHEST_SPIKE).map(FaultKind::Spike),
            "exec" => self.read_exec().map(FaultKind::Exec),
            _ => {
                let to = services.place("to", self.to.as_deref())?;
                services.check_callers(to)?;
                Ok(FaultKind::Link { to, fault: self.read_link()? })
            }
        }
    }

    fn read_power_off(
        &self,
        service: usize,
        services: &Services,
    ) -> Result<FaultKind, ConfigError> {
        let problem = |problem| ConfigError::new("power_off", problem);
        let Some(RawWhich::In(site)) = &self.power_off else {
            let allowed = "allowed is { zone = \"…\" } or { machine = \"…\" }";
            return Err(problem(format!("takes a place; {allowed}")));
        };
        let site = services.site(service, site).map_err(problem)?;
        Ok(FaultKind::PowerOff { service, site })
    }

    fn read_task(
        &self,
        kind: &str,
        service: usize,
        services: &Services,
    ) -> Result<FaultKind, ConfigError> {
        let (fault, key, tasks) = match kind {
            "hang" => (TaskFault::Hang, kind, &self.hang),
            "fail" => (TaskFault::Fail, kind, &self.fail),
            "reset" => (TaskFault::Reset, kind, &self.reset),
            "half_answer" => (TaskFault::HalfAnswer, kind, &self.half_answer),
            // How slow stands where the others say which tasks.
            _ => {
                let latency = duration("slow", self.slow, SHORTEST)?;
                (TaskFault::Slow(latency), "tasks", &self.tasks)
            }
        };
        let tasks = read_tasks(key, tasks.as_ref(), service, services)?;
        Ok(FaultKind::Task { service, tasks, fault })
    }

    /// `before` is the program so far.
    fn read_deploy(&self, before: Program) -> Result<Definition, ConfigError> {
        let Some(RawDefinition { environment, command, model }) = self.deploy.clone() else {
            return Ok(Definition::default());
        };
        for (name, value) in &environment {
            range::variable(format_args!("deploy.environment.{name}"), name, value)?;
        }
        command.iter().try_for_each(|words| range::command("deploy.command", words))?;
        let model = read_model("deploy.model", model.as_ref(), before)?;
        Ok(Definition { environment, command, model })
    }

    fn read_link(&self) -> Result<LinkFault, ConfigError> {
        let share = self.share.unwrap_or(Share::WHOLE);
        for (key, share) in
            [("share", Some(share)), ("resets", self.resets), ("stalls", self.stalls)]
        {
            if share.is_some_and(|share| share.as_f64() <= 0.0) {
                return Err(ConfigError::new(key, "is 0 %, which is no fault; allowed is more"));
            }
        }
        Ok(match (self.latency, self.errors, self.resets, self.stalls) {
            (latency @ Some(_), ..) => {
                LinkFault::Latency(duration("latency", latency, Duration::ZERO)?)
            }
            (_, errors @ Some(_), ..) => {
                LinkFault::Errors { status: number("errors", errors, 500, 400..=599)?, share }
            }
            (_, _, Some(share), _) => LinkFault::Resets { share },
            (.., stalls) => LinkFault::Stalls { share: stalls.unwrap_or(share) },
        })
    }

    fn read_exec(&self) -> Result<Exec, ConfigError> {
        let command = |key: &str, words: &Option<Vec<String>>| {
            let words = words.clone().unwrap_or_default();
            range::command(key, &words).map(|()| words)
        };
        Ok(Exec {
            command: command("exec", &self.exec)?,
            // Without a proof nobody knows what was measured.
            proof: command("proof", &self.proof)?,
            heal: self.heal.is_some().then(|| command("heal", &self.heal)).transpose()?,
        })
    }
}

/// What is known of a program that was `before`. How it calls others stays as it is.
fn read_model(
    key: &str,
    raw: Option<&RawModel>,
    before: Program,
) -> Result<Option<Program>, ConfigError> {
    let read = |raw: &RawModel| match raw.calls() {
        None => raw.read(before),
        Some(calls) => {
            let problem = "is not changed by a fault; allowed is that in [model.NAME]";
            Err(ConfigError::new(calls, problem))
        }
    };
    raw.map(read).transpose().map_err(|error| error.below(key))
}

fn read_tasks(
    key: &str,
    raw: Option<&RawWhich>,
    service: usize,
    services: &Services,
) -> Result<Which, ConfigError> {
    let which = raw.map_or(Ok(Which::Oldest(1)), |raw| read_which(raw, service, services));
    which.map_err(|problem| ConfigError::new(key, problem))
}

fn read_which(raw: &RawWhich, service: usize, services: &Services) -> Result<Which, String> {
    let fewest = services.fewest_tasks(service);
    match raw {
        RawWhich::In(site) => services.site(service, site).map(Which::In),
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
