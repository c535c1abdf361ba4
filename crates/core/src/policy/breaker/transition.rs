//! What a breaker decided, and why.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Mode;
use crate::time::Instant;

/// Whether calls pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// They do.
    Closed,
    /// They do not, for a while.
    Open {
        /// The end of it.
        until: Instant,
    },
    /// A few do, as trials.
    HalfOpen,
    /// They do not, by hand.
    ForcedOpen,
    /// They do, by hand.
    ForcedClosed,
}

/// One decision of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When it fell due, whoever noticed it when.
    pub at: Instant,
    /// From this state.
    pub before: State,
    /// To this one.
    pub after: State,
    /// Why.
    pub cause: Cause,
}

/// Why a breaker changed its state, with the numbers that decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Too many calls, or trials, failed.
    Failures {
        /// So many.
        failures: u64,
        /// Of so many.
        of: u64,
        /// This share is too many.
        percent: u32,
    },
    /// Too many calls, or trials, were slow.
    Slow {
        /// So many.
        slow: u64,
        /// Of so many.
        of: u64,
        /// This share is too many.
        percent: u32,
        /// Slow is what takes longer.
        threshold: Duration,
    },
    /// It was open for long enough.
    OpenTimeOver,
    /// Enough trials went well.
    TrialsPassed {
        /// Trials that failed all the same.
        failures: u64,
        /// Trials with a result.
        results: u64,
        /// The verdict was about so many.
        of: u64,
    },
    /// A person or a drill switched its mode.
    ByHand(Mode),
}

// === impl Display ===

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}: {}", self.before, self.after, self.cause)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed"),
            Self::Open { until } => write!(f, "open until {until}"),
            Self::HalfOpen => write!(f, "half-open"),
            Self::ForcedOpen => write!(f, "forced open"),
            Self::ForcedClosed => write!(f, "forced closed"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures { failures, of, percent } => {
                write!(f, "{failures} of {of} failed, {percent}% is too many")
            }
            Self::Slow { slow, of, percent, threshold } => {
                write!(f, "{slow} of {of} took longer than {threshold:?}, {percent}% is too many")
            }
            Self::OpenTimeOver => write!(f, "the open time is over"),
            Self::TrialsPassed { failures, results, of } => {
                write!(f, "{} of {of} trials succeeded, {failures} failed", results - failures)
            }
            Self::ByHand(mode) => write!(f, "switched to {mode} by hand"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::ForcedOpen => "forced open",
            Self::ForcedClosed => "forced closed",
            Self::MetricsOnly => "metrics only",
        })
    }
}
