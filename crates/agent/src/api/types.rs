//! What the API says and takes, as JSON.

use std::path::PathBuf;

use schemars::JsonSchema;
use seaworthy_core::cluster::State;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::Decision;
use serde::{Deserialize, Serialize};

/// The fleet as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetView {
    /// Where everything of it is kept.
    pub state_directory: PathBuf,
    /// The fleet file it came from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// When it was brought up, as RFC 3339.
    pub started: String,
    /// Where the dashboard is, without the token; none if the API is not on TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<String>,
    /// By name, in ascending order.
    pub services: Vec<ServiceView>,
    /// Our own processes.
    pub parts: Vec<PartView>,
}

/// One service as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceView {
    /// As in the fleet file.
    pub name: String,
    /// Where its requests go, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// The revision it is to have.
    pub revision: Revision,
    /// How many tasks it is to have.
    pub desired: u32,
    /// How many have a process and are not leaving.
    pub running: u32,
    /// How many may get the next request.
    pub in_rotation: u32,
    /// The deployment under way, if one is.
    pub deployment: Option<DeploymentView>,
    /// Whether its desired count follows the load.
    pub autoscaling: bool,
    /// Why it is not as it is to be; empty if it is.
    pub waiting_on: Vec<String>,
}

/// A deployment that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentView {
    /// The revision that comes.
    pub revision: Revision,
    /// The one it takes the place of, if there is one.
    pub from: Option<Revision>,
    /// How far it is.
    pub stage: Stage,
    /// Tasks of the new revision that have settled.
    pub settled: u32,
    /// So many are to.
    pub desired: u32,
    /// New tasks that failed.
    pub failed: u32,
    /// With so many of them the deployment has failed.
    pub failure_threshold: u32,
    /// When it began, as RFC 3339.
    pub started: String,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A first few tasks get a small share of the requests.
    Canary,
    /// New tasks take the place of old ones.
    Rolling,
    /// Every new task is there, and has yet to answer requests.
    Proving,
    /// It has failed, and the revision before takes its place again.
    RollingBack,
}

/// One of our own processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartView {
    /// `keeper`, `agent` or `gateway`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started, as RFC 3339.
    pub since: String,
}

/// A task that is not gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskView {
    /// Whose task it is.
    pub service: String,
    /// The task: `task-1`, `task-2`, …
    #[schemars(with = "String")]
    pub task: TaskId,
    /// Its revision.
    pub revision: Revision,
    /// Where in its life it is.
    #[schemars(schema_with = "super::openapi::states")]
    pub state: State,
    /// Where it is: `zone/machine` or `zone`; only if its service is spread over machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Where it listens, once that is known.
    pub port: Option<u16>,
    /// Its process id, once it has a process.
    pub pid: Option<u32>,
    /// Seconds since its process started, or since it was decided that it should.
    pub age_seconds: u64,
    /// Thousandths of a processor that it uses, if that is known.
    pub cpu: Option<u32>,
    /// Bytes of memory that it uses, if that is known.
    pub memory: Option<u64>,
    /// How its limits are kept: `cgroup v2`, `cgroup v1`, `setrlimit`, `observed`; none if it has none.
    pub limits: Option<String>,
}

/// A decision, with its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// Its place among all; it grows, also from one agent to the next.
    pub ordinal: u64,
    /// When, as RFC 3339.
    pub at: String,
    /// Which service it is about.
    pub service: String,
    /// Which task; none if about the whole service.
    #[schemars(with = "Option<String>")]
    pub task: Option<TaskId>,
    /// What was decided.
    #[schemars(with = "String")]
    pub decision: Decision,
    /// Why, with the numbers that decided it: its name, or an object of its name and its numbers.
    pub cause: serde_json::Value,
    /// Decision and cause in words.
    pub text: String,
}

/// A line that a task wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Who wrote it.
    #[schemars(with = "String")]
    pub task: TaskId,
    /// Whose task that is.
    pub service: String,
    /// What, without its end of line.
    pub line: String,
}

/// One revision of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionView {
    /// 1, 2, …
    pub revision: Revision,
    /// How its deployment went.
    pub state: RevisionState,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Program and arguments of its tasks.
    pub command: Vec<String>,
    /// When its deployment began, as RFC 3339.
    pub deployed_at: String,
    /// Whether it is the one the service is to have.
    pub current: bool,
}

/// How the deployment of a revision went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevisionState {
    /// It is under way.
    InProgress,
    /// The one after it has failed, and its tasks are coming back.
    RollingBack,
    /// It has ended well: the service can come back to it.
    Completed,
    /// It has failed.
    Failed,
    /// It has failed, and the service went back to the completed revision before.
    RolledBack,
    /// Another deployment took its place before it had ended.
    Replaced,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only those with a higher ordinal.
    pub after: Option<u64>,
    /// Only those about this service and its tasks.
    pub service: Option<String>,
    /// Only those about this task.
    #[schemars(with = "Option<String>")]
    pub task: Option<TaskId>,
    /// Go on with those to come, one on a line.
    #[serde(default)]
    pub follow: bool,
}

/// Which lines of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsQuery {
    /// Only those of the tasks of this service.
    pub service: Option<String>,
    /// Only those of this task.
    #[schemars(with = "Option<String>")]
    pub task: Option<TaskId>,
    /// So many of each task, the last ones; without it, 100.
    pub lines: Option<u32>,
    /// Go on with those to come, one on a line.
    #[serde(default)]
    pub follow: bool,
}

/// The fleet is to be as a file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// The fleet file as written, its tables as objects.
    pub fleet: serde_json::Value,
    /// Where relative paths in it begin: an absolute path.
    pub directory: PathBuf,
    /// The file itself, if it is one: an absolute path.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Only this service is to change.
    #[serde(default)]
    pub service: Option<String>,
    /// Tasks are made anew even if nothing about them has changed.
    #[serde(default)]
    pub force: bool,
    /// Services that run and are not in the file are drained and removed; otherwise such a file is refused.
    #[serde(default)]
    pub remove: bool,
}

impl Deploy {
    /// Whether it may change this service.
    pub fn is_about(&self, service: &str) -> bool {
        self.service.as_ref().is_none_or(|only| only == service)
    }
}

/// The parts of the fleet are to be those of another program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// Where it is: an absolute path.
    pub program: PathBuf,
}

/// A new agent, a new gateway and another keeper take over in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgraded {}

/// What a deployment begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeployReply {
    /// Services that get a new revision.
    pub deployed: Vec<Deployed>,
    /// What else changes, a sentence each.
    pub changes: Vec<String>,
    /// Services that stay as they are.
    pub unchanged: Vec<String>,
    /// Services that are no more once their last task is gone.
    #[serde(default)]
    pub removed: Vec<String>,
}

/// A deployment that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployed {
    /// Of which service.
    pub service: String,
    /// The revision that comes.
    pub revision: Revision,
    /// The one it takes the place of, if there is one.
    pub from: Option<Revision>,
}

/// How many tasks there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The desired count.
    pub count: u32,
}

/// A desired count that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scaled {
    /// Of which service.
    pub service: String,
    /// What it is now.
    pub desired: u32,
    /// What it was.
    pub was: u32,
}

/// A fleet that is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DownReply {
    /// Tasks that are drained and ended.
    pub tasks: u32,
}

// === impl DeployReply ===

impl DeployReply {
    /// Whether all stays as it is.
    pub fn is_nothing(&self) -> bool {
        self.deployed.is_empty() && self.changes.is_empty() && self.removed.is_empty()
    }
}

// === impl EventsQuery ===

impl EventsQuery {
    /// Whether the event is among those asked for.
    pub fn wants(&self, event: &EventView) -> bool {
        self.after.is_none_or(|after| event.ordinal > after)
            && self.service.as_ref().is_none_or(|service| event.service == *service)
            && (self.task.is_none() || event.task == self.task)
    }
}

// === impl LogsQuery ===

impl LogsQuery {
    /// So many lines of one task are asked for at most.
    pub const MOST: u32 = 10_000;

    /// How many lines of each task.
    pub fn lines(&self) -> usize {
        self.lines.unwrap_or(100).min(Self::MOST) as usize
    }

    /// Whether lines of this task are among those asked for.
    pub fn wants(&self, service: &str, task: TaskId) -> bool {
        self.service.as_ref().is_none_or(|wanted| wanted == service)
            && self.task.is_none_or(|wanted| wanted == task)
    }
}
