//! What a drill *is*, without doing any of it: load and faults on a schedule, the steady state, the
//! four numbers and the verdict. `drill` does it live; a simulator can do it in virtual time.

mod arithmetic;
pub mod caller;
mod cell;
pub mod claim;
pub mod comparison;
pub mod course;
pub mod expectation;
mod fault;
mod filling;
mod findings;
mod limits;
pub mod link;
pub mod load;
pub mod model;
pub mod numbers;
mod raw;
pub mod reading;
mod task_fault;

use std::fmt;
use std::time::Duration;

use crate::fleet::written::Share;
use crate::fleet::{Fleet, Service};
use crate::health::Matcher;

pub use crate::cluster::spread::Site;
pub use arithmetic::outage;
pub use cell::{Cell, NotACell, Selection};
pub use fault::{Definition, Ending, Exec, Fault, FaultKind, Once, Which};
pub use filling::Filling;
pub use findings::{Calls, Findings};
pub use link::LinkFault;
pub use raw::{RawCaller, RawDrill};
pub use task_fault::TaskFault;

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
    /// A service that is not ours, `http://HOST:PORT`, in place of fleets.
    pub target: Option<String>,
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
    /// What it promises.
    pub claims: Vec<claim::Claim>,
    /// What to conclude.
    pub reading: Vec<reading::Sentence>,
}

/// One fleet of a drill.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// One line.
    pub title: String,
    /// The fleet; none in a drill with a target.
    pub fleet: Option<Fleet>,
    /// What is known of the program of each of its services. It is not scaled: no program starts or works
    /// faster because a drill does.
    pub models: Vec<model::Program>,
    /// How each of them calls the others.
    pub callers: Vec<caller::Caller>,
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

// === impl Configuration ===

impl Configuration {
    /// Of whose programs nothing is known yet.
    fn new(title: &str, fleet: Option<Fleet>) -> Self {
        Self { title: title.to_owned(), fleet, models: Vec::new(), callers: Vec::new() }
    }

    /// The services of its fleet; none in a drill with a target.
    pub fn services(&self) -> &[Service] {
        self.fleet.as_ref().map(|fleet| &fleet.services[..]).unwrap_or_default()
    }

    /// From which all draws come, unless told otherwise.
    pub fn seed(&self) -> u64 {
        self.fleet.as_ref().map_or(1, |fleet| fleet.seed)
    }

    /// Of all its services.
    pub fn longest_stop_timeout(&self) -> Duration {
        let all = self.services().iter().map(|service| service.cluster.stop_timeout);
        all.max().unwrap_or_default()
    }

    /// How many tasks there are in all.
    pub fn desired_count(&self) -> u32 {
        self.services().iter().map(|service| service.cluster.desired_count).sum()
    }
}

// === impl Schedule ===

impl Schedule {
    /// When the last fault is over. One that lasts to the end of the load is not over by then, and
    /// nothing recovers from it: what counts is when it began.
    pub fn last_fault(&self) -> Option<Duration> {
        let over = |fault: &Fault| if fault.end() < self.duration { fault.end() } else { fault.at };
        self.faults.iter().map(over).max()
    }

    /// Every request of `load`, in order.
    pub fn requests(&self, load: &load::Load, seed: u64) -> Vec<load::Planned> {
        let spike = |fault: &Fault| match fault.kind {
            FaultKind::Spike(times) => Some(load::Spike { period: fault.at..fault.end(), times }),
            _ => None,
        };
        let spikes: Vec<_> = self.faults.iter().filter_map(spike).collect();
        load.schedule_with(&spikes, seed, self.duration)
    }

    /// The services whose callers reach them by way of a link that can be disturbed.
    pub fn linked(&self) -> impl Iterator<Item = usize> {
        self.faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Link { to, .. } => Some(to),
            _ => None,
        })
    }

    /// The services of which the way between gateway and tasks can be disturbed.
    pub fn relayed(&self) -> impl Iterator<Item = usize> {
        self.faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Task { service, fault, .. } => fault.on_the_way().map(|_| service),
            _ => None,
        })
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
                (self.load.widest_spacing().as_micros().div_ceil(1000) as u32).max(50),
            ),
            ("hypothesis.window", self.hypothesis.window, 250),
        ];
        for service in self.configurations.iter().flat_map(Configuration::services) {
            let health = &service.health;
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
            schedule.faults.iter_mut().for_each(|fault| fault.faster(scale));
        }
        self.load.faster(scale);
        for configuration in &mut self.configurations {
            configuration.fleet = configuration.fleet.take().map(|fleet| fleet.faster(scale));
        }
        self
    }
}
