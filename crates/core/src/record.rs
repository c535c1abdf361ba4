//! Every decision leaves one record: what was decided, about which task, and why, with the numbers.

mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::autoscaler::Why;
use crate::cluster::plan::Revision;
use crate::cluster::spread::{Location, Site};
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
    /// A deployment begins.
    Deploy,
    /// Its canary serves for a while before the rest follows.
    Bake,
    /// The rest follows.
    GoOn,
    /// A new task failed, which is counted.
    Blame,
    /// A deployment has done what it should.
    Complete,
    /// It is given up.
    Fail,
    /// Back to the last revision that was completed.
    RollBack,
    /// Another number of tasks is desired.
    Scale,
    /// A task is to go once another one serves in its place.
    Replace,
    /// What an earlier agent began goes on.
    Adopt,
    /// Every task is to go and none to come.
    Down,
    /// Machines take no tasks any more, or take them again.
    Machines,
    /// What was asked for is not done.
    Refuse,
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
        /// Where it comes, if its service is spread over machines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Location>,
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
    /// Nothing can be there now.
    PowerOff {
        /// Where.
        site: Site,
    },
    /// Tasks can be there again.
    PowerOn {
        /// Where.
        site: Site,
    },
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
    /// It is late since another task is out, whose requests it gets as well.
    LateForAnother,
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
    /// Its process ended, as it was told to or long after its start.
    Exited(Exit),
    /// Its process ended without being told to, or did not work in time.
    Died {
        /// How it ended.
        exit: Exit,
        /// What kind of failure that is.
        how: Death,
        /// The last lines of its output.
        last: Vec<String>,
    },
    /// Its process could not be started.
    NotStarted(String),
    /// Starts keep failing; the next one waits.
    StartsFail {
        /// Failed starts in a row.
        failures: u32,
        /// The wait before the next one.
        wait: Duration,
    },
    /// A revision takes the place of another, if there is one.
    NewRevision {
        /// The new one.
        revision: Revision,
        /// The old one.
        from: Option<Revision>,
    },
    /// A revision gives way to one that was completed before.
    GoneBack {
        /// The one that is left.
        from: Revision,
        /// The one that was completed.
        to: Revision,
    },
    /// No revision was completed before.
    NoneToGoBackTo,
    /// A new revision came before this one was completed.
    Superseded {
        /// That revision.
        by: Revision,
    },
    /// The canary's tasks are healthy and have been so for a while.
    CanarySettled {
        /// So many.
        tasks: u32,
        /// They serve for so long before the rest follows.
        bake: Duration,
    },
    /// Most of the canary is out for what its requests showed.
    CanaryEjected {
        /// So many tasks.
        tasks: u32,
    },
    /// The canary served for long enough.
    Baked {
        /// So long.
        bake: Duration,
    },
    /// All are of this revision, healthy, and serve.
    AllServe {
        /// The revision.
        revision: Revision,
        /// So many.
        tasks: u32,
    },
    /// A task of a new revision failed before it settled, or in its canary.
    FailedBeforeItSettled {
        /// In which way.
        #[serde(default)]
        how: Weakness,
        /// So many have, in a row or in all.
        failures: u32,
        /// So many are too many.
        threshold: u32,
    },
    /// Too many tasks of a new revision failed.
    TooManyFailures {
        /// As many.
        failures: u32,
        /// So many are too many.
        threshold: u32,
    },
    /// Clients saw too many failures.
    TooManyFailedRequests {
        /// As many,
        failed: u64,
        /// of these.
        ended: u64,
        /// More than this share is too much.
        percent: u32,
    },
    /// Clients saw too many failures, or waited too long, already before it began.
    RangBefore {
        /// The revision that the alarm does not give up.
        revision: Revision,
    },
    /// Clients waited too long.
    TooSlow {
        /// 99 of 100 took at most so long.
        p99: Duration,
        /// More than this is too long.
        limit: Duration,
    },
    /// Another number of tasks.
    Scaled {
        /// So many before.
        from: u32,
        /// So many now.
        to: u32,
        /// What of the load it is for; none: somebody wants it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Why>,
    },
    /// It needs more memory than it should.
    Memory {
        /// Bytes it uses.
        used: u64,
        /// Bytes it should not need more of.
        limit: u64,
    },
    /// What was left of an earlier agent.
    Restored {
        /// Tasks that go on.
        tasks: u32,
        /// Tasks that are gone.
        gone: u32,
    },
    /// The service is taken down.
    TakenDown,
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

impl Exit {
    /// By SIGKILL, which no program sends to itself.
    pub const KILLED: Self = Self::Signal(9);
    /// By SIGABRT, which a program sends to itself.
    pub const ABORTED: Self = Self::Signal(6);
}

/// What a new task has failed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// It ended unasked, or was never there.
    #[default]
    Ended,
    /// Its checks.
    Checks,
    /// Its requests.
    Requests,
}

/// What kind of failure the end of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// It ended before it passed a check.
    NeverStarted,
    /// It worked and ended soon.
    Young {
        /// So long after its start.
        age: Duration,
    },
    /// It worked for longer.
    Unasked {
        /// So long after its start.
        age: Duration,
    },
    /// It passed no check in time.
    FailedChecks,
    /// It was killed for the memory it used.
    OutOfMemory,
}
