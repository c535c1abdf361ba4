//! What a reconciler is told and what it wants done.

use serde::{Deserialize, Serialize};

use crate::cluster::Config;
use crate::cluster::autoscaler::Change;
use crate::cluster::limits::Usage;
use crate::cluster::plan::Revision;
use crate::cluster::spread::{Location, Site};
use crate::endpoints::{Endpoints, Sightings, TaskId};
use crate::record::{Exit, Record};

/// What the reconciler is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// How the service should be. A new revision begins a deployment; with the same one, only settings
    /// change. The number of tasks changes only if it is not what it was in the settings before.
    Deploy(Box<Config>, Revision),
    /// So many tasks there should be.
    Scale(u32),
    /// So many there should be for the load.
    Autoscale(Change),
    /// Back to the last revision that was completed before this one.
    Rollback,
    /// A person wants this task gone: another one takes its place, then it is retired.
    Drain(TaskId),
    /// Nothing should run any more. There is no way back.
    Down,
    /// A port is reserved for the next task. The shell offers another one when it was used.
    Port(u16),
    /// The process of a task runs.
    Launched(TaskId),
    /// The process of a task could not be started.
    NotLaunched(TaskId, String),
    /// The process of a task ended.
    Exited(TaskId, Ending),
    /// The gateway was heard of.
    Sightings(Sightings),
    /// What tasks use.
    Usage(Vec<(TaskId, Usage)>),
    /// Whether an earlier gateway still finishes requests that nobody sees: while it does, nothing
    /// counts as drained before its deregistration delay is over.
    Handover(bool),
    /// A person wants this task stopped, at once and undrained, as by hand in ECS.
    Stop(TaskId),
    /// The power is off there, and nowhere else: all tasks there are dead at once, and others can only be
    /// elsewhere.
    PowerOff(Vec<Site>),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// What its parent was told.
    pub exit: Exit,
    /// Whether it was killed for the memory it used.
    pub out_of_memory: bool,
    /// The last lines of its output.
    pub last: Vec<String>,
}

/// What the reconciler wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the process; report `Launched` or `NotLaunched`, and `Exited` when it ends.
    Launch {
        /// As this task.
        task: TaskId,
        /// Of this revision.
        revision: Revision,
        /// To listen here.
        port: u16,
        /// As one that is there, if its service is spread over machines.
        location: Option<Location>,
    },
    /// Send a signal to the task's process group.
    Signal(TaskId, Signal),
    /// Tell the gateway.
    Publish(Endpoints),
    /// A decision was taken.
    Record(Record),
}

/// How a process is told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM: please.
    Terminate,
    /// SIGKILL: now.
    Kill,
}

// === impl Ending ===

impl From<Exit> for Ending {
    fn from(exit: Exit) -> Self {
        Self { exit, out_of_memory: false, last: Vec::new() }
    }
}
