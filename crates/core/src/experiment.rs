//! What a drill *is*, without doing any of it: load and faults on a schedule, the steady state, the
//! four numbers and the verdict. `drill` does it live; a simulator can do it in virtual time.

pub mod expectation;
pub mod load;
pub mod numbers;
mod raw;

use std::time::Duration;

use crate::endpoints::TaskId;
use crate::fleet::Fleet;
use crate::fleet::written::Share;
use crate::health::Matcher;

pub use raw::RawDrill;

/// A drill as meant: every configuration is put through every schedule; each pair is a cell.
#[derive(Clone, Debug)]
pub struct Drill {
    /// One line.
    pub title: String,
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
    /// What to conclude: sentences with the figures of cells as `{1.one.gap}` in them.
    pub reading: Vec<String>,
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

/// Something bad, done on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From the first request of the load.
    pub at: Duration,
    /// What is done.
    pub kind: FaultKind,
    /// To whom.
    pub tasks: Which,
}

/// What is done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// As by hand in ECS: SIGTERM at once, undrained.
    Stop,
    /// SIGKILL, as by a crash.
    Kill,
}

/// Which tasks a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// So many of those in rotation, the oldest first.
    Oldest(u32),
    /// All in rotation.
    All,
    /// This one.
    Task(TaskId),
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

// === impl Drill ===

impl Drill {
    /// The same drill `scale` times faster: provisioning, spacing, intervals, timeouts and
    /// deadlines are divided, the rate is not.
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

// === impl Which ===

impl Which {
    /// The tasks meant, of those in rotation (in ascending order). Empty if the fault cannot be
    /// done as said.
    pub fn among(self, in_rotation: &[TaskId]) -> Vec<TaskId> {
        match self {
            Self::Oldest(count) if in_rotation.len() < count as usize => Vec::new(),
            Self::Oldest(count) => in_rotation[..count as usize].to_vec(),
            Self::All => in_rotation.to_vec(),
            Self::Task(task) => in_rotation.iter().copied().filter(|t| *t == task).collect(),
        }
    }

    /// How many tasks of a fleet of `count` are meant.
    pub fn count(self, count: u32) -> u32 {
        match self {
            Self::Oldest(tasks) => tasks,
            Self::All => count,
            Self::Task(_) => 1,
        }
    }
}
