//! The contract of everything that is *asked*.

pub mod timeout;

use std::fmt;

use crate::time::Instant;

/// What matters of a request to those who decide about it. Nothing of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whether sending it twice does what sending it once does.
    pub repeatable: bool,
    /// The caller's own deadline, if it brought one.
    pub deadline: Option<Instant>,
}

/// A rule that lets calls pass or not, and learns from how they went.
///
/// # The contract
///
/// - A policy never waits; waiting belongs to machines.
/// - `now` never goes back.
/// - Every pass is settled once. One that its holder drops is settled by its age: past its deadline
///   it is a failure, before that it is cancelled and counted nowhere.
pub trait Policy {
    /// Leave to go on; says which state of the policy gave it, so that a late outcome is recognised.
    type Pass;

    /// Asks for leave.
    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Self::Pass, Rejection>;

    /// Tells how it went.
    fn settle(&mut self, now: Instant, pass: Self::Pass, outcome: Outcome);
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A right answer.
    Success,
    /// No answer, or a wrong one.
    Failure,
    /// No answer by the deadline.
    Timeout,
    /// The caller went away before it was over.
    Cancelled,
}

/// Why a call may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its deadline has passed already.
    DeadlinePassed,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlinePassed => write!(f, "the deadline had passed before the call began"),
        }
    }
}
