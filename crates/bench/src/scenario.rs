//! What is done to a backend, and under which load.

use std::ops::Range;
use std::time::Duration;

use seaworthy_core::experiment::load::Method;
use serde::Serialize;

/// Requests a second, unless a scenario says otherwise.
const RATE: u32 = 2_000;
/// The fault comes after so long,
const FAULT_AT: Duration = Duration::from_secs(5);
/// and lasts for so long,
const LASTS: Duration = Duration::from_secs(8);
/// but a killed backend is started again after so long.
const STARTED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The load goes on for so long after it is over.
const AFTERWARDS: Duration = Duration::from_secs(7);

/// What is done, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// SIGKILL of one, started again after 1 s
    Kill,
    /// The same; each request takes 2 ms
    KillBusy,
    /// `kill` with POST
    KillPost,
    /// `kill-busy` with POST
    KillBusyPost,
    /// SIGSTOP of one, SIGCONT after 8 s
    Hang,
    /// One answers 500 to everything but checks, for 8 s
    Fail,
    /// One takes 500 ms longer, but for checks, for 8 s
    Slow,
    /// SIGKILL of both of two, started again at once, start-up 300 ms; clients wait 5 s
    KillBoth,
    /// Nothing is done: p99 is ten times p50, with pauses of 50 ms
    Healthy,
    /// Nothing is done: each request takes 2 s, 50 a second; the peers are configured to end a try after 2 s
    Honest,
}

/// What is done to backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// To this many.
    Kill(usize),
    Hang,
    Fail,
    Slow,
}

// === impl Scenario ===

impl Scenario {
    /// What is done.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::Kill | Self::KillBusy | Self::KillPost | Self::KillBusyPost => {
                Some(Fault::Kill(1))
            }
            Self::KillBoth => Some(Fault::Kill(2)),
            Self::Hang => Some(Fault::Hang),
            Self::Fail => Some(Fault::Fail),
            Self::Slow => Some(Fault::Slow),
            Self::Healthy | Self::Honest => None,
        }
    }

    /// From when to when, from the first moment of the load.
    pub(crate) fn faulty(self) -> Range<Duration> {
        let lasts = match self.fault() {
            Some(Fault::Kill(1)) => STARTED_AGAIN_AFTER,
            Some(Fault::Kill(_)) | None => Duration::ZERO,
            Some(Fault::Hang | Fault::Fail | Fault::Slow) => LASTS,
        };
        FAULT_AT..FAULT_AT + lasts
    }

    /// How long the load goes on, unless it is said.
    pub(crate) fn lasts(self) -> Duration {
        self.faulty().end + AFTERWARDS
    }

    pub(crate) fn method(self) -> Method {
        if matches!(self, Self::KillPost | Self::KillBusyPost) { Method::Post } else { Method::Get }
    }

    /// Requests a second.
    pub(crate) fn rate(self) -> u32 {
        if self == Self::Honest { 50 } else { RATE }
    }

    pub(crate) fn backends(self) -> usize {
        if self == Self::KillBoth { 2 } else { 3 }
    }

    /// How long a client waits.
    pub(crate) fn patience(self) -> Duration {
        Duration::from_secs(if self == Self::KillBoth { 5 } else { 10 })
    }

    /// What its backends are told.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::KillBusy | Self::KillBusyPost => &["--work", "2ms"],
            Self::KillBoth => &["--start-up", "300ms"],
            Self::Healthy => &["--work", "5ms", "--tail"],
            Self::Honest => &["--work", "2s"],
            Self::Kill | Self::KillPost | Self::Hang | Self::Fail | Self::Slow => &[],
        }
    }

    /// As on the command line.
    pub(crate) fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self).expect("none is skipped");
        value.get_name().to_owned()
    }

    /// What is done, in words.
    pub(crate) fn says(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self).expect("none is skipped");
        value.get_help().map(ToString::to_string).unwrap_or_default()
    }
}
