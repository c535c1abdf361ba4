//! Active health checks with the fields and the meaning of an ALB target group.
//!
//! A new target is `Initial` and gets no requests; *one* pass makes it healthy. Afterwards
//! `unhealthy_threshold` failures in a row take it out and `healthy_threshold` passes in a row
//! bring it back. The interval is fixed: it does not depend on how long a check takes. When nobody
//! is healthy, the unhealthy are used (fail open), never those that were not yet seen working.
//!
//! Source of the semantics: Application Load Balancer user guide, "Health checks for your target
//! groups" and "Target group health".

mod checker;
mod matcher;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::endpoints::TaskId;

pub use checker::{Action, Checker, Input, ProbeId};
pub use matcher::{Matcher, NotAMatcher};

/// How the tasks of a service are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What is asked for: `GET path`.
    pub path: String,
    /// Which statuses pass.
    pub matcher: Matcher,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// A check without an answer by then has failed. Less than the interval.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy task healthy. A new task needs only one.
    pub healthy_threshold: u32,
    /// Failures in a row that make a task unhealthy.
    pub unhealthy_threshold: u32,
}

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// An answer with this status.
    Status(u16),
    /// No proper answer.
    Failed(Failing),
}

/// How a check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// Nobody listens.
    Refused,
    /// No answer within the check's timeout.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// What came was not HTTP.
    Malformed,
    /// An answer with a status that does not match.
    Status(u16),
}

/// What the balancer may choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// In ascending order of task.
    pub members: Vec<Member>,
}

/// A task in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskId,
    /// Its share of the requests, beside those of the others. At least 1.
    pub weight: u32,
    /// Of which revision of its service it is.
    pub revision: Revision,
    /// It gets one request, and how that goes decides whether it gets more.
    pub on_trial: bool,
}

impl Rotation {
    /// These tasks, in ascending order, and nothing special about any of them.
    pub fn of(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        let plain = |task| Member { task, weight: 1, revision: 1, on_trial: false };
        Self { members: tasks.into_iter().map(plain).collect() }
    }

    /// Whether `task` is among them.
    pub fn contains(&self, task: TaskId) -> bool {
        self.members.iter().any(|member| member.task == task)
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => write!(f, "refused the connection"),
            Self::Timeout => write!(f, "did not answer in time"),
            Self::Closed => write!(f, "closed the connection without an answer"),
            Self::Malformed => write!(f, "did not answer in HTTP"),
            Self::Status(status) => write!(f, "answered {status}"),
        }
    }
}
