//! What a drill *is*, without doing any of it: load and faults on a schedule, the steady state, the
//! four numbers and the verdict. `drill` does it live; a simulator can do it in virtual time.

mod arithmetic;
mod cell;
pub mod course;
pub mod expectation;
mod fault;
mod filling;
mod findings;
pub mod load;
pub mod numbers;
mod raw;
pub mod reading;

use std::fmt;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::fleet::written::Share;
use crate::health::Matcher;

pub use arithmetic::outage;
pub use cell::{Cell, NotACell, Selection};
pub use fault::{Fault, FaultKind, Which};
pub use filling::Filling;
pub use findings::Findings;
pub use raw::RawDrill;

/// A drill as meant: every configuration is put through every schedule; each pair is a cell.
#[derive(Clone, Debug)]
pub struct Drill {
    /// One line.
    pub title: String,
    /// How many times faster than life it runs unless told otherwise.
    pub scale: u32,
    /// Programs that are run once, before the first cell.
    pub prepare: Vec<Vec<String>>,
    /// What a task costs a month, if that is known.
    pub monthly_price_per_task: Option<u32>,
    /// The requests.
    pub load: load::Load,
    /// What counts as a success, and how many there should be.
    pub objective: Objective,
    /// How it should look when nothing is wrong.
    pub hypothesis: Hypothesis,
    /// The fleets that are compared.
    pub configurations: Vec<Configuration>,
    /// What is done to each of them.
    pub schedules: Vec<Schedule>,
    /// What to conclude.
    pub reading: Vec<reading::Sentence>,
}

/// One fleet of a drill.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// One line.
    pub title: String,
    /// The fleet.
    pub fleet: Fleet,
}

/// One course of events.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Short, for files: `one_by_one`.
    pub name: String,
    /// For people.
    pub title: String,
    /// How long the load lasts.
    pub duration: Duration,
    /// In order of time.
    pub faults: Vec<Fault>,
    /// One for each configuration.
    pub expect: Vec<expectation::Expectation>,
}

/// When a request has succeeded, and how many must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// A right answer has one of these statuses,
    pub status: Matcher,
    /// and is complete so soon after the *intended* send.
    pub latency: Duration,
    /// The share of requests that must succeed.
    pub success: Share,
}

/// The steady state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hypothesis {
    /// The fleet has recovered when the objective holds for so long.
    pub window: Duration,
    /// Users do not call a gap of up to this long an outage.
    pub tolerated_gap: Duration,
}

/// How many times faster than life a drill can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleLimit {
    /// At most so many times.
    pub highest: u32,
    /// What would be too short beyond that, for a machine that does other things as well.
    what: &'static str,
}

/// So many times faster is too fast, or is nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{scale} is out of range; allowed is 1 to {}, {limit}", limit.highest)]
pub struct ScaleError {
    scale: u32,
    limit: ScaleLimit,
}

// === impl Hypothesis ===

impl Hypothesis {
    /// Whether users call so long a gap an outage.
    pub fn is_outage(&self, gap: Duration) -> bool {
        gap > self.tolerated_gap
    }
}

// === impl ScaleLimit ===

/// `or objective.latency would be too short to measure`
impl fmt::Display for ScaleLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "or {} would be too short to measure", self.what)
    }
}

// === impl Drill ===

impl Drill {
    /// How many times faster the drill can be done. As written it can be done in any case: how
    /// quick that is, is its author's business.
    pub fn scale_limit(&self) -> ScaleLimit {
        // What, how long it is in life, and the fewest milliseconds in which it can be measured.
        let mut limits = vec![
            ("objective.latency", self.objective.latency, 50),
            // The rate is not scaled, so that requests come no closer.
            (
                "hypothesis.tolerated_gap",
                self.hypothesis.tolerated_gap,
                1000_u32.div_ceil(self.load.rate).max(50),
            ),
            ("hypothesis.window", self.hypothesis.window, 250),
        ];
        for configuration in &self.configurations {
            let health = &configuration.fleet.services[0].health;
            limits.push(("the health checks' timeout", health.timeout, 50));
            limits.push(("the health checks' interval", health.interval, 100));
        }
        let limit = |&(what, in_life, least): &(&'static str, Duration, u32)| ScaleLimit {
            highest: (u32::try_from(in_life.as_millis()).unwrap_or(u32::MAX) / least).max(1),
            what,
        };
        limits.iter().map(limit).min_by_key(|limit| limit.highest).expect("there are some")
    }

    /// Whether the drill can be done `scale` times faster.
    pub fn check_scale(&self, scale: u32) -> Result<(), ScaleError> {
        let limit = self.scale_limit();
        let allowed = (1..=limit.highest).contains(&scale);
        if allowed { Ok(()) } else { Err(ScaleError { scale, limit }) }
    }

    /// The same drill `scale` times faster: provisioning, spacing, intervals, timeouts and
    /// deadlines are divided, the rate is not. `scale` is one that [`check_scale`](Self::check_scale)
    /// allows.
    #[must_use]
    pub fn faster(mut self, scale: u32) -> Self {
        self.objective.latency /= scale;
        self.hypothesis.window /= scale;
        self.hypothesis.tolerated_gap /= scale;
        for schedule in &mut self.schedules {
            schedule.duration /= scale;
            schedule.faults.iter_mut().for_each(|fault| fault.at /= scale);
        }
        for configuration in &mut self.configurations {
            configuration.fleet = configuration.fleet.clone().faster(scale);
        }
        self
    }
}
