//! Who is in rotation: active health checks, and what requests show.
//!
//! Active checks have the fields and the meaning of an ALB target group. A new target is `Initial`
//! and gets no requests; *one* pass makes it healthy. Afterwards `unhealthy_threshold` failures in a
//! row take it out and `healthy_threshold` passes in a row bring it back. The interval does not
//! depend on how long a check takes. While something is changing, checks come faster, as in `HAProxy`;
//! with `fast_interval` as long as `interval` they come as an ALB's. When nobody is healthy, the
//! unhealthy are used (fail open), never those that were not yet seen working.
//!
//! What requests show is judged by the rules in [`passive`]. A task that refuses connections is out
//! until a check passes, and not even used by failing open: nobody listens there.
//!
//! Source of the semantics: Application Load Balancer user guide, "Health checks for your target
//! groups" and "Target group health"; `HAProxy` configuration manual, `fastinter`.

mod checker;
mod matcher;
pub mod passive;

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
    /// What a check is.
    pub check: Check,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// The same for a task about which something is about to change: one that is new, unhealthy,
    /// out for what requests show, or whose last check contradicts the verdict on it. At most the
    /// interval.
    pub fast_interval: Duration,
    /// A check without an answer by then has failed, and no other is sent before. Less than the
    /// interval.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy task healthy. A new task needs only one.
    pub healthy_threshold: u32,
    /// Failures in a row that make a task unhealthy.
    pub unhealthy_threshold: u32,
    /// How requests are judged; none: they are not.
    pub passive: Option<passive::Config>,
}

/// What a check is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", rename_all = "snake_case")]
pub enum Check {
    /// `GET path` is answered with one of these statuses.
    Http {
        /// What is asked for.
        path: String,
        /// Which statuses pass.
        matcher: Matcher,
    },
    /// The connection opens.
    Tcp,
}

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// An answer with this status.
    Status(u16),
    /// The connection opened, and no more was asked.
    Opened,
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

// === impl Check ===

impl Check {
    /// What a program answers of which no more is known than that it passes.
    pub fn usual_status(&self) -> u16 {
        match self {
            Self::Http { matcher, .. } => matcher.usual(),
            Self::Tcp => 200,
        }
    }

    /// How a check with this result has failed; none if it has passed.
    pub fn failing(&self, result: Probed) -> Option<Failing> {
        match (result, self) {
            (Probed::Status(status), Self::Http { matcher, .. }) => {
                (!matcher.matches(status)).then_some(Failing::Status(status))
            }
            (Probed::Status(_) | Probed::Opened, _) => None,
            (Probed::Failed(failing), _) => Some(failing),
        }
    }
}

// === impl Rotation ===

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

// === impl Failing ===

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
