//! A scenario: a fleet that a user could write, what its programs and its networks are like, and what
//! happens to it.

use std::fmt::Write as _;
use std::time::Duration;

use seaworthy_core::cluster;
use seaworthy_core::cluster::deployment::Canary;
use seaworthy_core::experiment::caller::Caller;
use seaworthy_core::experiment::model::Leak;
use seaworthy_core::experiment::{LinkFault, RawCaller, TaskFault};
use seaworthy_core::fleet::written::as_written;
use seaworthy_core::fleet::{ConfigError, Fleet, RawFleet};
use serde::{Deserialize, Serialize};

use super::script::{flaw, is_default, timed};
use crate::world::planted::Planted;
use crate::world::{Physics, Program};

/// A fleet and its fate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// From which everything else is drawn that is still open.
    pub seed: u64,
    /// What is wrong with the simulated Seaworthy, if something is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<Planted>,
    /// So long things happen; then all is mended.
    #[serde(with = "as_written")]
    pub length: Duration,
    /// What happens, each so long after the fleet was whole, in order.
    #[serde(with = "timed")]
    pub happenings: Vec<(Duration, Happening)>,
    /// The networks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub physics: Physics,
    /// At least one.
    pub services: Vec<Member>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Lines of its table in the fleet file.
    pub settings: Vec<String>,
    /// Lines of its `[model]` in a drill file that say how its tasks call others: services after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// Requests a second.
    pub rate: f64,
    /// The share of them that must not be sent twice, 0 to 1.
    pub posts: f64,
    /// Whether its clients ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insistence: Option<Insistence>,
    /// Its first program, which is a good one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub program: Program,
}

/// Clients that leave when they have waited long enough, and ask again if they have no good answer then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Insistence {
    /// For each answer they wait so long.
    #[serde(with = "as_written")]
    pub wait: Duration,
    /// They ask so often at most.
    pub attempts: u32,
}

/// Something that happens. Services are named by their place, and tasks by their turn among those that
/// run: the first one again after the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// To one task of a service.
    ToTask(usize, u32, ToTask),
    /// To one service.
    ToService(usize, ToService),
    /// Agent and gateway do not hear each other for so long.
    Partition(#[serde(with = "as_written")] Duration),
    /// The agent ends, and the next one comes so much later.
    CrashAgent(#[serde(with = "as_written")] Duration),
    /// The gateway ends, and the next one is there at once.
    CrashGateway,
}

/// Something that happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToTask {
    /// SIGKILL from outside.
    Kill,
    /// A person stops it.
    Stop,
    /// A person wants another one in its place.
    Drain,
    /// It goes on badly for so long.
    Disturb(TaskFault, #[serde(with = "as_written")] Duration),
    /// It leaks from now on, although its program is good, and dies of it after so long.
    Leak(#[serde(with = "as_written")] Duration),
}

/// Something that happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToService {
    /// All its tasks go on badly for so long.
    Disturb(TaskFault, #[serde(with = "as_written")] Duration),
    /// The way from those that call it goes on badly for so long.
    DisturbWay(LinkFault, #[serde(with = "as_written")] Duration),
    /// A request comes of which whoever takes it dies.
    QueryOfDeath,
    /// So many times as many requests come for so long.
    Burst(u32, #[serde(with = "as_written")] Duration),
    /// A new revision, perhaps a bad one.
    Deploy(#[serde(with = "flaw")] Option<Flaw>),
    /// The same with other settings.
    DeployWith(#[serde(with = "flaw")] Option<Flaw>, Settings),
    /// Back to the one before.
    Rollback,
    /// Another number of tasks.
    Scale(u32),
    /// SIGKILL to all its tasks in one of its zones, that of the machine whose turn it is.
    LoseZone(u32),
    /// There is no power in that zone for so long.
    PowerOff(u32, #[serde(with = "as_written")] Duration),
}

/// What the file of a new revision says of how many tasks there are and how they come and go; what it leaves out is as
/// before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// As in the fleet file,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<u32>,
    /// likewise,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_healthy_percent: Option<u32>,
    /// and likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_percent: Option<u32>,
    /// The share of its canary; without one: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_percent: Option<u32>,
}

/// A canary that was not in the fleet file bakes for so long.
const BAKE: Duration = Duration::from_secs(1);

/// What is wrong with a new program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It never listens.
    NeverListens,
    /// It answers its checks with 500.
    FailsChecks,
    /// It passes its checks, and answers requests with 500.
    FailsRequests,
    /// It passes its checks, and answers so many of 100 requests with 500.
    FailsSome(u32),
    /// It crashes so long after it has begun to listen.
    Crashes(#[serde(with = "as_written")] Duration),
    /// It takes so long for each request.
    Slow(#[serde(with = "as_written")] Duration),
    /// It takes memory, each request takes longer and longer, and it dies after so long.
    Leaks(#[serde(with = "as_written")] Duration),
    /// It ignores SIGTERM.
    Stubborn,
}

// === impl Scenario ===

impl Scenario {
    /// The fleet file.
    pub(super) fn text(&self) -> String {
        let mut text = format!("seed = {}\n", self.seed);
        for (place, member) in self.services.iter().enumerate() {
            let _ = write!(text, "\n[service.{}]\ncommand = [\"program\"]\n", name(place));
            for line in &member.settings {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// The fleet that it means.
    pub(super) fn fleet(&self) -> Result<Fleet, ConfigError> {
        let raw: RawFleet = toml::from_str(&self.text())
            .map_err(|error| ConfigError::new("fleet", error.message()))?;
        if raw.service.len() != self.services.len() {
            let problem = "begin another service; allowed are keys of the service that they are of";
            return Err(ConfigError::new("settings", problem));
        }
        raw.try_into()
    }

    /// How the tasks of each service call others: those after it.
    pub(super) fn callers(&self, fleet: &Fleet) -> Result<Vec<Caller>, ConfigError> {
        let read = |(place, member): (usize, &Member)| {
            let key = format!("services[{place}].calls");
            let wrong = |error: toml::de::Error| ConfigError::new(&key, error.message());
            let raw: RawCaller = toml::from_str(&member.calls.join("\n")).map_err(wrong)?;
            let caller = raw.read(fleet).map_err(|error| error.below(&key))?;
            if caller.dependencies.iter().any(|one| one.to <= place) {
                let problem = "calls a service that is not after it; allowed are those after it";
                return Err(ConfigError::new(key, problem));
            }
            Ok(caller)
        };
        self.services.iter().enumerate().map(read).collect()
    }

    /// Whether what is deployed with other settings can move, as it is asked of a fleet file.
    pub(super) fn check_settings(&self, fleet: &Fleet) -> Result<(), ConfigError> {
        for (n, (_, what)) in self.happenings.iter().enumerate() {
            let Happening::ToService(place, what) = *what else { continue };
            let Some((_, settings)) = what.deploys() else { continue };
            let config = settings.of(&fleet.services[place].cluster);
            if let Some(count) = config.stuck_at() {
                let problem = format!(
                    "keeps {count} of {count} tasks and allows {count}, so nothing can move; allowed is a lower \
                     `minimum_healthy_percent` or a higher `maximum_percent`"
                );
                return Err(ConfigError::new(format!("happenings[{n}]"), problem));
            }
        }
        Ok(())
    }

    /// Whether what happens to a zone happens where there are zones.
    pub(super) fn check_zones(&self, fleet: &Fleet) -> Result<(), ConfigError> {
        for (n, (_, what)) in self.happenings.iter().enumerate() {
            if let Happening::ToService(place, ToService::LoseZone(_) | ToService::PowerOff(..)) =
                *what
                && fleet.services[place].cluster.machines.is_empty()
            {
                let problem = format!(
                    "happens to a zone of `{}`, which has none; allowed is a service with `machines`",
                    name(place)
                );
                return Err(ConfigError::new(format!("happenings[{n}]"), problem));
            }
        }
        Ok(())
    }
}

/// Its name, by its place.
pub(super) fn name(place: usize) -> &'static str {
    ["a", "b", "c", "d"][place]
}

// === impl Happening ===

impl Happening {
    /// To which service it happens, if to one.
    pub fn place(&self) -> Option<usize> {
        match *self {
            Self::ToTask(place, ..) | Self::ToService(place, _) => Some(place),
            Self::Partition(_) | Self::CrashAgent(_) | Self::CrashGateway => None,
        }
    }

    /// The same where the service at `gone` is no more; none if it happened to that.
    pub(super) fn without(self, gone: usize) -> Option<Self> {
        let left = |place: usize| (place != gone).then(|| place - usize::from(place > gone));
        Some(match self {
            Self::ToTask(place, nth, what) => Self::ToTask(left(place)?, nth, what),
            Self::ToService(place, what) => Self::ToService(left(place)?, what),
            other => other,
        })
    }

    /// What happens to this service, if it happens to that.
    pub fn to_service(&self, place: usize) -> Option<ToService> {
        match *self {
            Self::ToService(of, what) if of == place => Some(what),
            _ => None,
        }
    }

    /// Whether a task of this service dies of a leak.
    pub(super) fn makes_leak(&self, place: usize) -> bool {
        match *self {
            Self::ToTask(of, _, ToTask::Leak(_)) => of == place,
            Self::ToService(of, what) => {
                let leaks =
                    what.deploys().is_some_and(|(flaw, _)| matches!(flaw, Some(Flaw::Leaks(_))));
                of == place && leaks
            }
            _ => false,
        }
    }

    /// No request is to suffer from it: people do it on purpose, or the way of data does not need what
    /// is gone.
    pub(super) fn is_planned(&self) -> bool {
        match self {
            Self::ToTask(_, _, what) => *what == ToTask::Drain,
            Self::ToService(_, what) => match what {
                ToService::Deploy(flaw) | ToService::DeployWith(flaw, _) => {
                    flaw.is_none_or(|flaw| flaw == Flaw::Stubborn)
                }
                ToService::Rollback | ToService::Scale(_) => true,
                _ => false,
            },
            Self::CrashAgent(_) | Self::Partition(_) => true,
            Self::CrashGateway => false,
        }
    }
}

// === impl ToService ===

impl ToService {
    /// What is wrong with the revision that it deploys, if it does, and with which settings that comes.
    pub(super) fn deploys(self) -> Option<(Option<Flaw>, Settings)> {
        match self {
            Self::Deploy(flaw) => Some((flaw, Settings::default())),
            Self::DeployWith(flaw, settings) => Some((flaw, settings)),
            _ => None,
        }
    }

    /// Whether somebody wants another number of tasks.
    pub(super) fn scales(self) -> bool {
        let count = self.deploys().and_then(|(_, settings)| settings.desired_count);
        count.is_some() || matches!(self, Self::Scale(_))
    }
}

// === impl Settings ===

impl Settings {
    /// What is meant where these are in place of those in the fleet file.
    pub(super) fn of(self, file: &cluster::Config) -> cluster::Config {
        let mut config = file.clone();
        let Self { desired_count, minimum_healthy_percent, maximum_percent, canary_percent } = self;
        config.desired_count = desired_count.unwrap_or(config.desired_count);
        config.minimum_healthy_percent =
            minimum_healthy_percent.unwrap_or(config.minimum_healthy_percent);
        config.maximum_percent = maximum_percent.unwrap_or(config.maximum_percent);
        if let Some(percent) = canary_percent {
            let bake = config.deployment.canary.map_or(BAKE, |canary| canary.bake);
            config.deployment.canary = (percent > 0).then_some(Canary { percent, bake });
        }
        config
    }
}

// === impl Flaw ===

impl Flaw {
    /// The program with this flaw.
    #[must_use]
    pub fn of(self, program: Program) -> Program {
        use crate::distribution::Distribution::Constant;
        match self {
            Self::NeverListens => {
                Program { start: Constant(Duration::from_secs(1_000_000)), ..program }
            }
            Self::FailsChecks => Program { check_status: 500, ..program },
            Self::FailsRequests => Program { status: 500, ..program },
            Self::FailsSome(percent) => Program { failing_percent: percent, ..program },
            Self::Crashes(after) => Program { crashes_after: Some(after), ..program },
            Self::Slow(work) => Program { work: Constant(work), ..program },
            Self::Leaks(lasts) => {
                let limit = lasts.as_millis() as u64;
                let leak = Leak { bytes_per_second: 1000, limit, slows: Duration::from_secs(1) };
                Program { leak: Some(leak), ..program }
            }
            Self::Stubborn => Program { stubborn: true, ..program },
        }
    }
}
