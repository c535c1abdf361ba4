//! Where the way of control and the way of data meet: two numbered snapshots, latest wins.
//!
//! The agent publishes [`Endpoints`], the gateway answers with [`Sightings`]. Both are always
//! whole, so a lost, late or repeated one does no harm, and either side may be started again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::health::passive::Ejection;
use crate::time::Instant;

/// How often a gateway looks whether there is news for the agent. Every decision is told at once; this is for requests in
/// flight, which a task that drains waits for.
pub const HEARTBEAT: Duration = Duration::from_millis(100);

/// What one side tells the other about one service of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About<T> {
    /// The service's name.
    pub service: String,
    /// [`Endpoints`] or [`Sightings`].
    pub snapshot: T,
}

/// One task: `task-1`, `task-2`, … in the order in which its service started them.
///
/// Ids are never used twice within a fleet's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TaskId(pub u32);

/// What is wrong with a task's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a task; allowed is task-1, task-2, …")]
pub struct NotATask(String);

/// The agent's view, for the gateway: every task with an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Grows with every change.
    pub version: u64,
    /// In ascending order of task.
    pub tasks: Vec<Endpoint>,
    /// How requests are divided among revisions, by weight; empty: that does not matter. A route's
    /// own weights come first. Where no task of a revision may get a request, any other will do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<Revision, u32>,
    /// The service is taken down: no task will come, so nobody is to wait for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
}

/// A task's address as the gateway sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Whose address it is.
    pub task: TaskId,
    /// Where the task listens.
    pub address: SocketAddr,
    /// Whether it may get new requests at all.
    pub wanted: Wanted,
    /// Its share of the requests, beside those of the others. At least 1.
    pub weight: u32,
    /// Of which revision of its service it is.
    pub revision: Revision,
    /// What the last gateway thought of it, so that a verdict outlives the gateway.
    pub inherited: Option<Inherited>,
}

/// The verdicts of an earlier gateway on one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inherited {
    /// That of its checks.
    pub health: Health,
    /// That of its requests, if it was out for them.
    pub ejection: Option<Ejection>,
}

/// Whether the way of control wants an endpoint to get new requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Yes, once it is healthy.
    InRotation,
    /// No: those in flight may finish, nothing new.
    Draining,
}

/// A verdict of the health checks, in the words of an ALB target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Registered, and no check has passed yet.
    Initial,
    /// Its checks pass.
    Healthy,
    /// Its checks fail.
    Unhealthy,
}

/// The gateway's view, for the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// The version of [`Endpoints`] that every worker of the gateway has taken up.
    pub acknowledged: u64,
    /// Every task the gateway knows, in ascending order; also those that left [`Endpoints`] while
    /// requests are still in flight.
    pub tasks: Vec<Sighting>,
    /// What clients got.
    #[serde(default)]
    pub traffic: Traffic,
    /// When it was said, which is the shell's to say. None: just now, for all that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
}

/// What the clients of one service got, since its gateway was started. A count that is smaller than
/// before is that of another gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that have ended.
    pub ended: u64,
    /// Those of them that got no answer, or one with a status that counts as a failure, or an older one
    /// in place of it. One whose client went away is none of them.
    pub failed: u64,
    /// Requests under way, waiting ones included.
    pub running: u32,
    /// 99 of 100 requests of the last seconds took at most so long; none: there were hardly any.
    pub p99: Option<Duration>,
}

/// What the gateway sees of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The task.
    pub task: TaskId,
    /// The verdict of its checks.
    pub health: Health,
    /// The verdict of its requests, if it is out for them.
    pub ejection: Option<Ejection>,
    /// Whether it may get the next request: healthy, or let in because nobody is.
    pub in_rotation: bool,
    /// Requests sent to it and not yet finished.
    pub in_flight: u32,
    /// Requests that it has answered properly and whole, since the gateway knows it.
    #[serde(default)]
    pub answered: u64,
    /// Requests that it has failed, by its own fault as far as anybody can tell.
    #[serde(default)]
    pub failed: u64,
}

// === impl TaskId ===

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task-{}", self.0)
    }
}

impl FromStr for TaskId {
    type Err = NotATask;

    fn from_str(name: &str) -> Result<Self, NotATask> {
        name.strip_prefix("task-")
            .filter(|digits| !digits.starts_with(['+', '0']))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| NotATask(name.to_owned()))
    }
}

impl From<TaskId> for String {
    fn from(task: TaskId) -> Self {
        task.to_string()
    }
}

impl TryFrom<String> for TaskId {
    type Error = NotATask;

    fn try_from(name: String) -> Result<Self, NotATask> {
        name.parse()
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// In rotation, with nothing special about it and no verdict on it yet.
    pub fn new(task: TaskId, address: SocketAddr) -> Self {
        Self { task, address, wanted: Wanted::InRotation, weight: 1, revision: 1, inherited: None }
    }
}

// === impl Inherited ===

impl From<Health> for Inherited {
    fn from(health: Health) -> Self {
        Self { health, ejection: None }
    }
}

impl From<&Sighting> for Inherited {
    fn from(seen: &Sighting) -> Self {
        Self { health: seen.health, ejection: seen.ejection }
    }
}

// === impl Sightings ===

impl Sightings {
    /// What is seen of `task`, if it is known.
    pub fn of(&self, task: TaskId) -> Option<&Sighting> {
        self.tasks.iter().find(|seen| seen.task == task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_in_one_way() {
        assert_eq!("task-12".parse(), Ok(TaskId(12)));
        assert_eq!(TaskId(12).to_string(), "task-12");
        for wrong in
            ["task-", "task-0", "task-01", "task-+1", "task--1", "12", "Task-1", "task-99999999999"]
        {
            assert!(wrong.parse::<TaskId>().is_err(), "{wrong}");
        }
    }
}
