//! What the processes of a fleet say to each other, as JSON: a line on a stream, a datagram elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use seaworthy_core::cluster::View;
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::cluster::spread::Site;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::record::{Exit, Record};
use seaworthy_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::exec::Within;
use crate::processes::Identity;

/// To a keeper, once: what it is to hold. Listening sockets that are there already come with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Where everything of this fleet is kept; it exists.
    pub directory: PathBuf,
    /// Whether all of it ends with the owner, or outlives even its keeper.
    pub tied: bool,
    /// The fleet as meant; none: that of the directory goes on.
    pub fleet: Option<Fleet>,
    /// Whose the sockets are that come with this, in their order.
    #[serde(default)]
    pub sockets: Vec<String>,
    /// The processes that the same keeper started when it was another program; its lock comes before
    /// the sockets.
    #[serde(default)]
    pub children: Option<Vec<(u32, Child)>>,
}

/// Keeper to owner, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The fleet is being started; the gateway listens here for each service, in their order.
    Ready(Vec<SocketAddr>),
    /// Another keeper has it, this process as far as that can be seen.
    Kept(Option<u32>),
    /// What ran goes on, and its agent cannot begin: it is started again and again.
    Waits(String),
    /// It cannot be started.
    Failed(String),
}

/// Who a child of the keeper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Child {
    /// The agent.
    Agent,
    /// The gateway.
    Gateway,
    /// A gateway that another one has taken the place of: it finishes what it has.
    Retiring,
    /// A task.
    Task(TaskId),
}

/// A task's process, as the keeper starts it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spawn {
    /// The task.
    pub(crate) task: TaskId,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Added to the keeper's own environment.
    pub(crate) environment: Environment,
    /// Where it is started; none: where the fleet was.
    pub(crate) directory: Option<PathBuf>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// What limits it.
    pub(crate) within: Within,
}

/// Agent to keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToKeeper {
    /// A new agent knows of these processes. It is told [`FromKeeper::Children`].
    Hello(Vec<(TaskId, Identity)>),
    /// The agent takes commands.
    Ready,
    /// Start a task's process.
    Spawn(Box<Spawn>),
    /// Send a signal to a task's process group.
    Signal(TaskId, Signal),
    /// The fleet that is [`wanted`](crate::directory::Directory::wanted) is meant from now on: as soon
    /// as the agent ends, another agent and another gateway take over.
    Renew,
    /// As soon as the agent ends, the keeper becomes this program, and so do its parts.
    Upgrade(PathBuf),
    /// Nothing is wanted any more.
    End,
}

/// Keeper to agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromKeeper {
    /// All tasks' processes that run.
    Children(Vec<(TaskId, Identity)>),
    /// A task's process runs.
    Spawned(TaskId, Identity),
    /// It could not be started.
    NotSpawned(TaskId, String),
    /// It ended.
    Exited(TaskId, Exit),
    /// Whether earlier gateways still finish requests.
    Retiring(bool),
    /// What was asked for will be done when the agent ends, or it cannot be done.
    Renewing(Result<(), String>),
    /// The keeper was told to end the fleet.
    Down,
}

/// Client to agent, a line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop this task at once, undrained, as by hand in ECS.
    Stop(TaskId),
    /// The power is off at the machines of `service` there, and nowhere else.
    PowerOff {
        /// By name.
        service: String,
        /// Where.
        sites: Vec<Site>,
    },
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
    /// Since when things are so.
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
