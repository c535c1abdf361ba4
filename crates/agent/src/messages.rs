//! What the processes of a fleet say to each other, as JSON: a line on a stream, a datagram elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use seaworthy_core::cluster::View;
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::record::{Exit, Record};
use seaworthy_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::processes::Identity;

/// Owner to keeper, once: the fleet it is to hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The fleet as meant.
    pub fleet: Fleet,
    /// Where everything of this run is kept; it exists.
    pub directory: PathBuf,
}

/// Keeper to owner, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The fleet is being started; the gateway listens here for each service, in their order.
    Ready(Vec<SocketAddr>),
    /// It cannot be started.
    Failed(String),
}

/// Agent to keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToKeeper {
    /// The agent takes commands.
    Ready,
    /// Start a task's process.
    Spawn {
        /// The task.
        task: TaskId,
        /// Program and arguments.
        command: Vec<String>,
        /// Added to the keeper's own environment.
        environment: BTreeMap<String, String>,
        /// Where its output goes.
        log: PathBuf,
    },
    /// Send a signal to a task's process group.
    Signal(TaskId, Signal),
}

/// Keeper to agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromKeeper {
    /// A task's process runs.
    Spawned(TaskId, Identity),
    /// It could not be started.
    NotSpawned(TaskId, String),
    /// It ended.
    Exited(TaskId, Exit),
}

/// Client to agent, a line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop this task at once, undrained, as by hand in ECS.
    Stop(TaskId),
    /// Begin a deployment of a new revision, also if it is the same as the one before it.
    Deploy {
        /// Of this service.
        service: String,
        /// Added to its environment.
        #[serde(default)]
        environment: BTreeMap<String, String>,
        /// In place of its command, if it is another one.
        #[serde(default)]
        command: Option<Vec<String>>,
    },
}

/// Agent to client, a line at every change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Update {
    /// When.
    pub at: Instant,
    /// Every task that is not gone.
    pub tasks: Vec<TaskView>,
    /// Decisions since the last update; the first update has all there are.
    pub records: Vec<Record>,
    /// What was wrong with the client's last command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A task and its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// Whose task it is.
    pub service: String,
    /// As the reconciler sees it.
    #[serde(flatten)]
    pub view: View,
    /// Its process, once there is one.
    pub process: Option<Identity>,
}
