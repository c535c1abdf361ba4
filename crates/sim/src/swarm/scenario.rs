//! A scenario: a fleet that a user could write, what its programs and its networks are like, and what
//! happens to it.

use std::fmt::Write as _;
use std::time::Duration;

use seaworthy_core::call::Route;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::fleet::written::as_written;
use seaworthy_core::fleet::{ConfigError, Fleet, RawFleet, Service};
use seaworthy_core::policy::bulkhead;
use serde::{Deserialize, Serialize};

use super::script::{flaw, is_default, timed};
use crate::distribution::hardly_ever_above;
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
    /// Requests a second.
    pub rate: f64,
    /// The share of them that must not be sent twice, 0 to 1.
    pub posts: f64,
    /// Its first program, which is a good one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub program: Program,
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
}

/// Something that happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToService {
    /// All its tasks go on badly for so long.
    Disturb(TaskFault, #[serde(with = "as_written")] Duration),
    /// A request comes of which whoever takes it dies.
    QueryOfDeath,
    /// So many times as many requests come for so long.
    Burst(u32, #[serde(with = "as_written")] Duration),
    /// A new revision, perhaps a bad one.
    Deploy(#[serde(with = "flaw")] Option<Flaw>),
    /// Back to the one before.
    Rollback,
    /// Another number of tasks.
    Scale(u32),
    /// SIGKILL to all its tasks in one of its zones, that of the machine whose turn it is.
    LoseZone(u32),
}

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
    /// It ignores SIGTERM.
    Stubborn,
}

// === impl Scenario ===

impl Scenario {
    /// The fleet file.
    pub fn text(&self) -> String {
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
    pub fn fleet(&self) -> Result<Fleet, ConfigError> {
        let raw: RawFleet = toml::from_str(&self.text())
            .map_err(|error| ConfigError::new("fleet", error.message()))?;
        raw.try_into()
    }

    /// Nothing but what people do on purpose, with good programs that take a burst and are waited for, a
    /// floor, and nothing that turns a burst away: then no request may fail.
    pub fn is_calm(&self, fleet: &Fleet) -> bool {
        let takes_bursts = |of: &Member| of.rate <= CALM_RATE && of.program.concurrency >= BURST;
        self.has_patience(fleet)
            && fleet.services.iter().all(|service| service.cluster.minimum_healthy_percent > 0)
            && !fleet.services.iter().any(sheds_bursts)
            && self.happenings.iter().all(|(_, happening)| happening.is_planned())
            && self.services.iter().all(takes_bursts)
            && self.physics.link.loss == 0.0
    }

    /// No request of a good program takes so long, once in a billion times at most, that its own timeout
    /// or a drain cuts it off.
    pub(super) fn has_patience(&self, fleet: &Fleet) -> bool {
        let mut services = fleet.services.iter().zip(&self.services);
        services.all(|(service, member)| {
            let timeouts = service.call.routes.iter().filter_map(|route| route.guard.timeout);
            let patience = timeouts.fold(service.cluster.deregistration_delay, Duration::min);
            hardly_ever_above(member.program.work) < patience.as_secs_f64()
        })
    }
}

/// Requests a second that no fleet has trouble with.
pub(super) const CALM_RATE: f64 = 12.0;

/// Whether a few requests at once, or some that take their time, can be too many for its settings.
fn sheds_bursts(service: &Service) -> bool {
    let sheds = |route: &Route| {
        let small = match route.guard.bulkhead {
            None => false,
            Some(bulkhead::Config::Fixed(size)) => size < BURST,
            Some(bulkhead::Config::Adaptive(_)) => true,
        };
        small || route.guard.breaker.as_ref().is_some_and(|breaker| breaker.slow.is_some())
    };
    service.balancing.most_in_flight.is_some_and(|most| most < BURST)
        || service.call.routes.iter().any(sheds)
}

/// So many requests are never there at once at [`CALM_RATE`], not by chance in a hundred thousand scenarios.
const BURST: u32 = 20;

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

    /// What happens to this service, if it happens to that.
    pub fn to_service(&self, place: usize) -> Option<ToService> {
        match *self {
            Self::ToService(of, what) if of == place => Some(what),
            _ => None,
        }
    }

    /// No request is to suffer from it: people do it on purpose, or the way of data does not need what
    /// is gone.
    fn is_planned(&self) -> bool {
        match self {
            Self::ToTask(_, _, what) => *what == ToTask::Drain,
            Self::ToService(_, what) => match what {
                ToService::Deploy(flaw) => flaw.is_none_or(|flaw| flaw == Flaw::Stubborn),
                ToService::Rollback | ToService::Scale(_) => true,
                _ => false,
            },
            Self::CrashAgent(_) | Self::Partition(_) => true,
            Self::CrashGateway => false,
        }
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
            Self::Stubborn => Program { stubborn: true, ..program },
        }
    }
}
