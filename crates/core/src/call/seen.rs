//! What tries show of their tasks: what passive health goes by.

use std::time::Duration;

use super::FailureKind;
use crate::endpoints::TaskId;
use crate::time::Instant;

/// What a try has shown of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: TaskId,
    /// What it did.
    pub how: How,
    /// The task was on trial when the try began.
    pub on_trial: bool,
    /// Of the request: see [`Request::fingerprint`](super::Request::fingerprint).
    pub fingerprint: u64,
}

/// What a task did with a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A proper answer began after so long, and nothing of it was cut short.
    Answered(Duration),
    /// An answer that is a failure, such as a 500, or none at all. What every task that was asked
    /// has failed is not told: it is the request's fault.
    Failed {
        /// How.
        what: FailedHow,
        /// Another task has answered the same request properly, so it is surely the task's fault.
        blamed: bool,
    },
    /// Nobody listens at its address.
    Refused,
    /// No answer had begun after so long, when another task's came; or, if it is on trial, when the client left.
    Overtaken(Duration),
    /// It says of itself that it wants no more requests.
    Withdrawn,
    /// Nothing yet: it is on trial.
    Tried {
        /// What the requests of the trial show comes by then. If that is now, they have shown nothing, as when a client
        /// has gone, or no more than that an answer has begun.
        until: Instant,
    },
}

/// How a task failed a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedHow {
    /// By this status.
    Status(u16),
    /// Without a whole answer.
    Broken(FailureKind),
    /// The deadline passed before it had answered, so long after it was asked.
    Deadline(Duration),
}
