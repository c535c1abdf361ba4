//! Every decision leaves one record: what was decided, about which task, and why, with the numbers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoints::TaskId;
use crate::health::Failing;
use crate::health::passive::Fault;
use crate::policy::breaker::Transition;
use crate::time::Instant;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was taken.
    pub at: Instant,
    /// The task it is about; none if about the whole service.
    pub task: Option<TaskId>,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub cause: Cause,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A task is to be; its process starts when it has been provisioned.
    Start,
    /// The task's process is started.
    Launch,
    /// It may get requests.
    EnterRotation,
    /// It gets one request, and how that goes decides whether it gets more.
    Trial,
    /// It gets no new requests.
    LeaveRotation,
    /// It is to go, in the one right way: drained first.
    Retire,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// The task is no more.
    Gone,
    /// Nothing is done, although something looks wrong.
    Hold,
    /// A breaker changes its state.
    Switch,
}

/// Why it was decided, with the numbers that decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Fewer good tasks than desired.
    Missing {
        /// Tasks that are coming or serving.
        have: u32,
        /// The desired count.
        want: u32,
        /// Time from this decision to the process, drawn by seed and ordinal.
        provisioning: Duration,
    },
    /// More tasks than desired.
    Surplus {
        /// Tasks that are coming or serving.
        have: u32,
        /// The desired count.
        want: u32,
    },
    /// Its revision is not the desired one.
    OldRevision,
    /// Others serve in its place, or it makes room for its replacement.
    Replaced,
    /// Provisioning is over.
    Provisioned,
    /// Checks pass.
    ChecksPass {
        /// In a row.
        passes: u32,
        /// As many were needed.
        threshold: u32,
    },
    /// Checks fail.
    ChecksFail {
        /// In a row.
        failures: u32,
        /// As many were needed.
        threshold: u32,
        /// How the last one failed.
        last: Failing,
    },
    /// Nobody listens at its address.
    NobodyListens,
    /// It said so itself.
    Withdrew,
    /// Its requests show that it is bad.
    Ejected {
        /// What they show.
        fault: Fault,
        /// Which ejection in a row it is: 1, 2, …
        times: u32,
        /// For so long.
        length: Duration,
    },
    /// It was out for long enough.
    EjectionOver {
        /// How long it was.
        length: Duration,
    },
    /// Its trial went well.
    TrialPassed,
    /// Nobody has tried it.
    TrialUnused {
        /// In all this time.
        waited: Duration,
    },
    /// An earlier gateway had come to this verdict.
    Inherited,
    /// No task is healthy, so the unhealthy ones are used (fail open).
    NobodyHealthy,
    /// Others are healthy again, so fail-open ends.
    OthersHealthy,
    /// Every task looks bad: that is hardly the tasks' fault.
    EveryoneLooksBad,
    /// It was drained: nothing in flight, acknowledged by the gateway.
    Drained,
    /// The deregistration delay is over with requests still in flight.
    DeregistrationDelayOver {
        /// Requests that will be cut.
        in_flight: u32,
    },
    /// It did not go within the stop timeout.
    StopTimeoutOver {
        /// The stop timeout.
        limit: Duration,
    },
    /// Not one check passed within the start timeout.
    StartTimeoutOver {
        /// The start timeout.
        limit: Duration,
    },
    /// A person or a drill asked for it.
    ByHand,
    /// The way of control took it out of the endpoints.
    Deregistered,
    /// Its process ended.
    Exited(Exit),
    /// Its process could not be started.
    NotStarted(String),
    /// Starts keep failing; the next one waits.
    StartsFail {
        /// Failed starts in a row.
        failures: u32,
        /// The wait before the next one.
        wait: Duration,
    },
    /// What a breaker saw.
    Breaker {
        /// The route it stands before.
        route: String,
        /// From which state to which, and why.
        transition: Transition,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody could tell.
    Unknown,
}

// === impl Display ===

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "{task}: ")?,
            None => write!(f, "service: ")?,
        }
        write!(f, "{}: {}", self.decision, self.cause)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Launch => "launch",
            Self::EnterRotation => "enter rotation",
            Self::Trial => "on trial",
            Self::LeaveRotation => "leave rotation",
            Self::Retire => "retire",
            Self::Terminate => "SIGTERM",
            Self::Kill => "SIGKILL",
            Self::Gone => "gone",
            Self::Hold => "hold",
            Self::Switch => "breaker",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { have, want, provisioning } => {
                write!(f, "{have} of {want} tasks, process in {provisioning:?}")
            }
            Self::Surplus { have, want } => write!(f, "{have} tasks, {want} wanted"),
            Self::OldRevision => write!(f, "not of the desired revision"),
            Self::Replaced => write!(f, "its checks fail and it is replaced"),
            Self::Provisioned => write!(f, "provisioned"),
            Self::ChecksPass { passes, threshold } => {
                write!(f, "{passes} of {threshold} checks passed in a row")
            }
            Self::ChecksFail { failures, threshold, last } => {
                write!(f, "{failures} of {threshold} checks failed in a row, the last one {last}")
            }
            Self::NobodyListens => write!(f, "it refused a connection"),
            Self::Withdrew => write!(f, "it wants no more requests"),
            Self::Ejected { fault, times, length } => {
                write!(f, "{fault}: ejected for {length:?}, number {times} in a row")
            }
            Self::EjectionOver { length } => write!(f, "it was ejected for {length:?}"),
            Self::TrialPassed => write!(f, "its trial request went well"),
            Self::TrialUnused { waited } => write!(f, "no trial request came in {waited:?}"),
            Self::Inherited => write!(f, "the verdict of an earlier gateway"),
            Self::NobodyHealthy => write!(f, "no task is healthy, so all are used"),
            Self::OthersHealthy => write!(f, "others are healthy again"),
            Self::EveryoneLooksBad => write!(f, "every task looks bad, so it is held against none"),
            Self::Drained => write!(f, "drained, nothing in flight"),
            Self::DeregistrationDelayOver { in_flight } => {
                write!(f, "deregistration delay over with {in_flight} in flight")
            }
            Self::StopTimeoutOver { limit } => write!(f, "still there {limit:?} after SIGTERM"),
            Self::StartTimeoutOver { limit } => {
                write!(f, "no check passed within {limit:?} of the start")
            }
            Self::ByHand => write!(f, "asked for by hand"),
            Self::Deregistered => write!(f, "deregistered"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::NotStarted(why) => write!(f, "not started: {why}"),
            Self::StartsFail { failures, wait } => {
                write!(f, "{failures} starts failed in a row, next one in {wait:?}")
            }
            Self::Breaker { route, transition } => {
                write!(f, "route {route}: {transition}")
            }
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::Unknown => write!(f, "ended, nobody knows how"),
        }
    }
}
