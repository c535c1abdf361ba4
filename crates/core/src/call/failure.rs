//! How a try fails, and why a call gets no answer from a task.

use std::fmt;

use crate::policy::Rejection;

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
    /// No task is in rotation, and the queue is full, or the deadline passed in it.
    NoTask,
    /// Every task has as many requests as it may have, and the queue likewise.
    Busy,
    /// The last try failed, and another one is not allowed or not possible.
    Failed(FailureKind),
    /// The deadline passed before an answer came.
    Deadline,
    /// A policy of the route did not let it pass.
    Rejected(Rejection),
}

// === impl Failure ===

impl Failure {
    /// A kept connection that turns out closed says nothing about the task.
    pub(super) fn is_stale(self) -> bool {
        self.reused && self.kind == FailureKind::Closed && !self.answered
    }
}

// === impl Refusal ===

impl Refusal {
    /// The status with which a client is told.
    pub fn status(self) -> u16 {
        match self {
            Self::NoTask | Self::Busy | Self::Rejected(_) => 503,
            Self::Failed(FailureKind::ConnectTimeout) | Self::Deadline => 504,
            Self::Failed(_) => 502,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTask => "no task is in rotation",
            Self::Busy => "every task has as many requests as it may have",
            Self::Failed(FailureKind::Refused) => "the task refused the connection",
            Self::Failed(FailureKind::ConnectTimeout) => "the task did not take the connection",
            Self::Failed(FailureKind::Closed) => "the task closed the connection early",
            Self::Failed(FailureKind::Malformed) => "the task's answer was malformed",
            Self::Deadline => "the deadline passed",
            Self::Rejected(why) => return why.fmt(f),
        })
    }
}
