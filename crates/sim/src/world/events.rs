//! What happens in a world, and what comes of it.

use seaworthy_core::call::{Attempt, CallId, Failure};
use seaworthy_core::cluster::reconciler::{self, Signal};
use seaworthy_core::endpoints::{Endpoints, Sightings, TaskId};
use seaworthy_core::health::{ProbeId, Probed};
use seaworthy_core::record::{Exit, Record};
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::caller::Noted;
use super::task::Job;

/// What happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// The gateway tells what it sees.
    Heartbeat,
    /// The agent looks at the load.
    Sample,
    /// The agent has time for what came meanwhile.
    Inbox,
    /// Of the service at this place.
    At(usize, Local),
}

/// What happens to one service.
#[derive(Debug)]
pub(super) enum Local {
    /// A request reaches a task.
    Reach(TaskId, Job),
    /// The work on it comes to its end.
    Finish(TaskId, Job),
    /// Its program has had enough of it.
    GiveUp(TaskId, Job),
    /// The connection of a try is closed.
    Closed(TaskId, CallId, Attempt),
    /// What becomes of it reaches the gateway.
    Reply(TaskId, Job, Reply),
    /// A check of this gateway has a result.
    Probed(u32, ProbeId, Probed),
    /// From the gateway to the agent.
    Sightings(Box<Sightings>),
    /// From the agent to the gateway.
    Endpoints(Box<Endpoints>),
    /// What became of a process reaches the agent.
    Heard(Box<reconciler::Event>),
    /// A process is told to go.
    Signal(TaskId, Signal),
    /// A process listens from now on.
    Listens(TaskId),
    /// A process ends by itself.
    Crash(TaskId, Exit),
    /// A call of another service's task reaches the gateway,
    Call(u64),
    /// and this comes back to its task.
    Back(u64, Option<u16>),
    /// A task has a call of which it wanted to be told the time.
    Wake(TaskId, u64),
}

/// What the gateway gets for a try.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// A whole answer, with this status; and its age if it is degraded, as in [`News::Answered`].
    Whole(u16, Option<u32>),
    /// A head with this status, and then the connection ends.
    Half(u16),
    Failed(Failure),
}

/// What came of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A request is over.
    Answered {
        /// As it was sent.
        ticket: u64,
        /// The status of its answer; none if that was cut short.
        status: Option<u16>,
        /// The task that gave it; none if the gateway did.
        task: Option<TaskId>,
        /// It says that it lacks something: the age of its oldest piece in whole seconds, as it is said.
        degraded: Option<u32>,
    },
    /// A request is given up: its client had left, and its task has failed. It has no other outcome.
    GivenUp(u64),
    /// The agent has decided something of the service at this place.
    Controlled(usize, Record),
    /// The gateway has.
    Served(usize, Record),
    /// The tasks of the service at this place are told anew.
    Tasks(usize),
    /// A process listens.
    Listens(TaskId),
    /// A process has ended.
    Ended(TaskId),
}

/// What was said at the place of a service: when, at which, and what.
pub type Overheard = (Instant, usize, Said);

/// Something that was said between core and a gateway, or core and a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The gateway tells what happened.
    Told(target_group::Input),
    /// Core wants something done.
    Wanted(target_group::Action),
    /// A task has this of a call to another service.
    Noted(TaskId, Noted),
    /// The agent cannot decide yet: what it decided before is still being written down.
    Delayed,
}
