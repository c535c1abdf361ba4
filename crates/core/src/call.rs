//! The way of one request, from its beginning to its last byte.

mod dispatcher;
mod gate;
mod loads;
mod route;
mod slots;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoints::TaskId;
use crate::health::Rotation;
use crate::policy::{Ask, Rejection, guard};
use crate::time::Instant;

pub use dispatcher::Dispatcher;
pub use gate::Standing;
pub use route::{Match, PathMatch, Route, RouteId};
pub use slots::Slots;

/// How the calls of a service are carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Opening a connection to a task may take so long (and never past the deadline).
    pub connect_timeout: Duration,
    /// The first that is for a request counts. There is at least one, and the last is for all.
    pub routes: Vec<Route>,
}

/// Names one call. A slot is used again when its call is over, with the next generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    /// Dense: the driver may index by it.
    pub slot: u32,
    /// Tells the calls of one slot apart.
    pub generation: u32,
}

/// What matters of a request to those who carry it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// From [`Config::route`].
    pub route: RouteId,
    /// What matters to its policies.
    pub ask: Ask,
    /// Nothing changes by it, and all of it is at hand: it may be sent to two tasks at once.
    pub safe: bool,
    /// The task its client is used to: it gets the call if it is in rotation.
    pub preferred: Option<TaskId>,
    /// Requests that are to reach the same task, as long as it is there, have the same one. Only
    /// for a consistent hash.
    pub affinity: u64,
    /// Requests for the same thing have the same one: what it does to one task it does to others.
    pub fingerprint: u64,
    /// So much memory it holds while it waits.
    pub bytes: usize,
}

/// What a try has shown of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: TaskId,
    /// What it did.
    pub how: How,
    /// Of the request: see [`Request::fingerprint`].
    pub fingerprint: u64,
}

/// What a task did with a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A proper answer began after so long.
    Answered(Duration),
    /// An answer that is a failure, such as a 500, or none at all. `blamed`: another task has
    /// answered the same request properly, so it is the task's fault and not the request's.
    /// What every task that was asked has failed is not told at all.
    Failed {
        /// How.
        what: FailedHow,
        /// Surely the task's fault.
        blamed: bool,
    },
    /// Nobody listens at its address.
    Refused,
    /// No answer had begun after so long, when another task's came.
    Overtaken(Duration),
    /// It says of itself that it wants no more requests.
    Withdrawn,
}

/// How a task failed a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedHow {
    /// By this status.
    Status(u16),
    /// Without an answer.
    Broken(FailureKind),
    /// The deadline passed before it had answered.
    Deadline,
}

/// Counts the tries of a call: 1, 2, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u32);

/// What the dispatcher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call begins.
    Begin {
        /// From [`Slots::take`].
        call: CallId,
        /// What matters of it.
        request: Request,
    },
    /// The head of an answer came, and its first byte is on the way to the client: from now on the
    /// call cannot be tried again.
    Head {
        /// The call.
        call: CallId,
        /// The try it answers.
        attempt: Attempt,
        /// Its status.
        status: u16,
    },
    /// A try failed.
    Failed {
        /// The call.
        call: CallId,
        /// The try.
        attempt: Attempt,
        /// How.
        failure: Failure,
    },
    /// The whole answer was passed on.
    Done {
        /// The call.
        call: CallId,
        /// The try that answered.
        attempt: Attempt,
    },
    /// The client is not there any more.
    ClientGone {
        /// The call.
        call: CallId,
    },
    /// Who may get calls from now on.
    Rotate(Rotation),
}

/// What the dispatcher wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the call to `task`; report `Head`, `Done` or `Failed`.
    Try {
        /// The call.
        call: CallId,
        /// To be given back.
        attempt: Attempt,
        /// Where to.
        task: TaskId,
        /// The call's one deadline, if it has one.
        deadline: Option<Instant>,
        /// Only on a new connection: a kept one has proven stale.
        fresh: bool,
    },
    /// Answer the client ourselves. The call is over.
    Answer {
        /// The call.
        call: CallId,
        /// Why there is no better answer.
        why: Refusal,
    },
    /// Break off: close the connection to the task and to the client, whose answer is cut short.
    /// The call is over.
    Abort {
        /// The call.
        call: CallId,
    },
}

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Some of the request may have reached the task.
    pub sent: bool,
    /// Some of an answer came.
    pub answered: bool,
    /// It went over a connection that had been used before.
    pub reused: bool,
    /// Whatever was sent can be sent again: it is still at hand.
    pub replayable: bool,
    /// What happened.
    pub kind: FailureKind,
}

/// What happened to a try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection was refused, or could not be opened.
    Refused,
    /// The connection was not open within the connect timeout.
    ConnectTimeout,
    /// The connection ended early.
    Closed,
    /// What came back was not proper HTTP.
    Malformed,
}

/// Why a call gets no answer from a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No task is in rotation.
    NoTask,
    /// The last try failed, and another one is not allowed or not possible.
    Failed(FailureKind),
    /// The deadline passed before an answer came.
    Deadline,
    /// A policy of the route did not let it pass.
    Rejected(Rejection),
}

// === impl Config ===

impl Config {
    /// One route for everything, with a deadline, so many tries and no other policy.
    pub fn plain(timeout: Duration, tries: u32) -> Self {
        let guard = guard::Config {
            timeout: Some(timeout),
            breaker: None,
            bulkhead: None,
            ..guard::Config::default()
        };
        let route = Route {
            name: "default".to_owned(),
            matches: Match::ANY,
            guard,
            tries,
            budget: None,
            outlasts: Duration::ZERO,
            fallback: None,
        };
        Self { connect_timeout: timeout, routes: vec![route] }
    }

    /// The route for a request with this method and target.
    pub fn route(&self, method: &str, target: &str) -> RouteId {
        let first = self.routes.iter().position(|route| route.matches.is_for(method, target));
        RouteId(first.unwrap_or(self.routes.len() - 1))
    }
}

// === impl Request ===

impl Request {
    /// With nothing special about it: not safe, used to no task.
    pub fn new(route: RouteId, ask: Ask) -> Self {
        Self { route, ask, safe: false, preferred: None, affinity: 0, fingerprint: 0, bytes: 0 }
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTask => "no task is in rotation",
            Self::Failed(FailureKind::Refused) => "the task refused the connection",
            Self::Failed(FailureKind::ConnectTimeout) => "the task did not take the connection",
            Self::Failed(FailureKind::Closed) => "the task closed the connection early",
            Self::Failed(FailureKind::Malformed) => "the task's answer was malformed",
            Self::Deadline => "the deadline passed",
            Self::Rejected(why) => return why.fmt(f),
        })
    }
}
