//! Something bad, done on purpose.

use std::fmt;
use std::time::Duration;

use crate::endpoints::TaskId;

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

// === impl Display ===

/// `stop of 1 task at 1.5s`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at {:?}", self.kind, self.tasks, self.at)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
        })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oldest(1) => write!(f, "1 task"),
            Self::Oldest(count) => write!(f, "{count} tasks"),
            Self::All => write!(f, "all tasks"),
            Self::Task(task) => write!(f, "{task}"),
        }
    }
}
