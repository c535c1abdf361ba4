//! What is wrong with a guard's settings, with the arithmetic.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What is wrong with a guard's settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// A number means nothing.
    OutOfRange {
        /// Which.
        setting: &'static str,
        /// The number.
        given: u32,
        /// The least that is allowed.
        least: u32,
        /// The most that is allowed.
        most: u32,
    },
    /// A time is zero that must not be.
    Zero {
        /// Which.
        setting: &'static str,
    },
    /// The first open time is longer than the longest.
    OpenTimes {
        /// The first.
        first: Duration,
        /// The longest.
        longest: Duration,
    },
    /// The bulkhead starves the breaker: fewer outcomes than its minimum, whatever comes.
    Starved(Starvation),
    /// The bulkhead starves the breaker once earlier successes have left its window.
    NeedsThePast(Starvation),
    /// Calls are so rare that the window never holds the minimum.
    TooFewCalls {
        /// Calls a second.
        rate: f64,
        /// The breaker's window.
        window: Duration,
        /// Its minimum.
        minimum: u32,
    },
    /// At this rate the breaker never opens when calls hang.
    NeverOpens {
        /// Calls a second.
        rate: f64,
    },
    /// When calls hang, the breaker opens late.
    OpensLate {
        /// So late.
        after: Duration,
        /// Calls a second; if unknown, `after` is the least.
        rate: Option<f64>,
    },
    /// A breaker without a timeout.
    NoTimeout,
    /// Nothing that is answered in time can be slow.
    SlowIsTooLate {
        /// The slow threshold.
        threshold: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// A trial fails by its lease that would have been in time for its caller.
    ShortLease {
        /// The lease.
        lease: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// The minimum is larger than the window, whose size counts instead.
    MinimumAboveWindow {
        /// The minimum.
        minimum: u32,
        /// The window.
        window: u32,
    },
}

/// The numbers of a bulkhead that starves a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Starvation {
    /// The bulkhead's permits.
    pub permits: u32,
    /// For how long a call that hangs holds one.
    pub timeout: Duration,
    /// The breaker's window.
    pub window: Duration,
    /// The most outcomes in it.
    pub outcomes: u64,
    /// The breaker's minimum.
    pub minimum: u32,
}

/// How bad it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot work.
    Refused,
    /// It is likely not what was meant.
    Warning,
    /// It is worth knowing.
    Note,
}

// === impl Finding ===

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::OutOfRange { .. }
            | Self::Zero { .. }
            | Self::OpenTimes { .. }
            | Self::Starved(_)
            | Self::TooFewCalls { .. }
            | Self::NeverOpens { .. } => Severity::Refused,
            Self::NeedsThePast(_)
            | Self::OpensLate { .. }
            | Self::NoTimeout
            | Self::SlowIsTooLate { .. }
            | Self::ShortLease { .. }
            | Self::MinimumAboveWindow { .. } => Severity::Warning,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { setting, given, least, most } => {
                write!(f, "{setting} is {given}; allowed is {least} to {most}")
            }
            Self::Zero { setting } => write!(f, "{setting} is zero; allowed is any longer time"),
            Self::OpenTimes { first, longest } => {
                write!(
                    f,
                    "the first open time of {first:?} is longer than the longest, {longest:?}"
                )
            }
            Self::Starved(starved) => {
                write!(f, "{starved}: while calls hang the breaker can never open")
            }
            Self::NeedsThePast(starved) => write!(
                f,
                "{starved}: when calls hang the breaker opens only while earlier successes make up \
                 the rest"
            ),
            Self::TooFewCalls { rate, window, minimum } => write!(
                f,
                "at {rate} calls a second a window of {window:?} holds {}, and the breaker's \
                 minimum is {minimum}: it can never open",
                (rate * window.as_secs_f64()).floor()
            ),
            Self::NeverOpens { rate } => write!(
                f,
                "at {rate} calls a second, when all of them hang, the breaker's window never holds \
                 its minimum and its share of failures at once: it can never open"
            ),
            Self::OpensLate { after, rate: Some(rate) } => write!(
                f,
                "at {rate} calls a second, when all of them hang, the breaker opens after {after:.0?}"
            ),
            Self::OpensLate { after, rate: None } => {
                write!(
                    f,
                    "when all calls hang, the breaker opens after {after:.0?} at the earliest"
                )
            }
            Self::NoTimeout => write!(
                f,
                "without a timeout the breaker hears of a call that hangs only when somebody drops it"
            ),
            Self::SlowIsTooLate { threshold, timeout } => write!(
                f,
                "the slow threshold of {threshold:?} is not below the timeout of {timeout:?}: no \
                 call that is answered in time is slow"
            ),
            Self::ShortLease { lease, timeout } => write!(
                f,
                "a trial has failed after {lease:?}, although its caller waits {timeout:?} for it"
            ),
            Self::MinimumAboveWindow { minimum, window } => write!(
                f,
                "the breaker's minimum of {minimum} is more than its window of {window} calls holds: \
                 it judges when the window is full"
            ),
        }
    }
}

/// `10 permits held for 30s come free 0.33 times a second, which gives a window of 10s at most 10
/// outcomes, and the breaker's minimum is 20`
impl fmt::Display for Starvation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { permits, timeout, window, outcomes, minimum } = self;
        let rate = f64::from(*permits) / timeout.as_secs_f64();
        write!(
            f,
            "{permits} permits held for {timeout:?} come free {rate:.2} times a second, which gives \
             a window of {window:?} at most {outcomes} outcomes, and the breaker's minimum is {minimum}"
        )
    }
}
