//! The contract of everything that is *asked*.
//!
//! | policy | protects | by |
//! |---|---|---|
//! | [`timeout`] | the caller, from a service that is slow rather than dead | one deadline |
//! | [`breaker`] | the service, from calls that would fail anyway | no calls for a while, then trials |
//! | [`bulkhead`] | everybody else, from one service that holds on to everything | a bound on work under way |
//! | [`retry`] | the caller, from a failure the next try would not meet | another try, later |
//! | [`budget`] | the service, from retries that multiply | a share of what succeeds |
//! | [`fallback`] | the user, from an error | the last good value, with its age |
//!
//! [`guard`] is the first three in one fixed order; [`per_key`] keeps one policy for each key.

pub mod adaptive;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod fallback;
pub mod guard;
pub mod hedge;
pub(crate) mod latencies;
pub mod per_key;
mod recent;
pub mod retry;
pub mod timeout;

use std::fmt;
use std::time::Duration;

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
/// - A policy is lazy: it has no timers, and whoever asks sees it as it is `now`. Asking more often
///   changes nothing.
/// - Every pass is settled once. One that its holder drops is settled as [`Outcome::Cancelled`], and
///   its age decides: past its deadline, or slower than the policy calls slow, it is a slow failure;
///   before that it is cancelled and counted nowhere.
/// - A policy never counts its own rejections as failures, nor those of other policies.
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
    /// The breaker is open.
    Open {
        /// Trials begin after so long.
        retry_after: Duration,
    },
    /// The breaker is half-open, and has as many trials as its verdict needs.
    TrialsTaken {
        /// Under way, or back with a result.
        trials: u32,
    },
    /// The breaker has closed a short while ago and lets only a share of the calls pass.
    Ramp {
        /// The share that passes now.
        percent: u32,
    },
    /// The breaker is held open by hand.
    ForcedOpen,
    /// The bulkhead is full.
    Full {
        /// So much work may be under way.
        limit: u32,
        /// So much is, abandoned work included.
        running: u32,
        /// So much of it nobody waits for any more.
        abandoned: u32,
    },
    /// Every key that may be kept is in use.
    KeysInUse {
        /// So many may be kept.
        limit: u32,
    },
}

// === impl Rejection ===

impl Rejection {
    /// After how long it may be worth asking again, if that is known.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Open { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlinePassed => write!(f, "the deadline had passed before the call began"),
            Self::Open { retry_after } => {
                write!(f, "the breaker is open, trials begin in {retry_after:.1?}")
            }
            Self::TrialsTaken { trials } => {
                write!(f, "the breaker is half-open; trials taken: {trials}")
            }
            Self::Ramp { percent } => {
                write!(f, "the breaker has just closed and lets {percent}% of the calls pass")
            }
            Self::ForcedOpen => write!(f, "the breaker is held open by hand"),
            Self::Full { limit, running, abandoned } => {
                write!(f, "the bulkhead is full: {running} of {limit} calls run")?;
                match abandoned {
                    0 => Ok(()),
                    _ => write!(f, ", {abandoned} of them abandoned"),
                }
            }
            Self::KeysInUse { limit } => write!(f, "all {limit} keys that are kept are in use"),
        }
    }
}
