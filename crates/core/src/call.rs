//! The way of one request, from its beginning to its last byte.

mod calls;
mod dispatcher;
mod failure;
mod gate;
mod loads;
mod queue;
mod request;
mod route;
mod seen;
mod slots;
mod tally;
mod tries;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::endpoints::TaskId;
use crate::health::Rotation;
use crate::policy::guard;
use crate::time::Instant;

pub use dispatcher::Dispatcher;
pub use failure::{Failure, FailureKind, Refusal};
pub use gate::Standing;
pub use loads::{Loads, Pick};
pub use queue::Config as Queue;
pub use request::{Request, is_idempotent, is_safe};
pub(crate) use route::path;
pub use route::{FieldMatch, HostMatch, Match, PathMatch, Route, RouteId};
pub use seen::{FailedHow, How, Seen};
pub use slots::Slots;
pub use tally::Work;

/// How the calls of a service are carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Opening a connection to a task may take so long (and never past the deadline).
    pub connect_timeout: Duration,
    /// Where calls wait while no task may get them; none if they do not.
    pub queue: Option<Queue>,
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
    /// The head of an answer came. It is kept until [`Action::Pass`] says that it is the one for the
    /// client; of two that are kept the older one is let go.
    Head {
        /// The call.
        call: CallId,
        /// The try it answers.
        attempt: Attempt,
        /// Its status. An interim one (1xx) is passed on, and with it what comes after it.
        status: u16,
        /// The task wants no more requests.
        withdraws: bool,
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
    /// The latest endpoints.
    Endpoints {
        /// All tasks there are, whether they may get calls or not.
        tasks: Vec<TaskId>,
        /// How calls are divided among revisions where their route does not say it.
        weights: BTreeMap<Revision, u32>,
    },
}

/// What the dispatcher wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the call to `task`; report `Head`, `Done` or `Failed`. Earlier tries go on.
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
        /// Why it is sent.
        why: Reason,
    },
    /// The answer of this try is the client's. All other tries are broken off.
    Pass {
        /// The call.
        call: CallId,
        /// The try that answered.
        attempt: Attempt,
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

/// Why a call is sent to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has not been sent yet.
    First,
    /// An earlier try has failed.
    Retry,
    /// An earlier try takes its time.
    Hedge,
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
            retry_status: None,
            hedge: None,
            budget: None,
            outlasts: Duration::ZERO,
            fallback: None,
            weights: BTreeMap::new(),
        };
        Self { connect_timeout: timeout, queue: None, routes: vec![route] }
    }

    /// The route for a request with this method, target (path and query) and host (perhaps with a
    /// port). `has` says whether it has a field of this name, with this value if one is given.
    pub fn route(
        &self,
        method: &str,
        target: &str,
        host: &str,
        has: impl Fn(&str, Option<&str>) -> bool,
    ) -> RouteId {
        // The last is for all.
        let special = &self.routes[..self.routes.len() - 1];
        let first = special.iter().position(|r| r.matches.is_for(method, target, host, &has));
        RouteId(first.unwrap_or(special.len()))
    }
}
