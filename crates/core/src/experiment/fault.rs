//! Something bad, done on purpose.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::model::Program;
use super::{LinkFault, TaskFault};
use crate::cluster::spread::{Location, Site};
use crate::endpoints::TaskId;

/// Something bad, done on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From the first request of the load. For what waits for a deployment to come so far: when that
    /// is begun.
    pub at: Duration,
    /// What it waits for, if it does not come at a time of its own.
    pub once: Option<Once>,
    /// Until it is healed; zero for what is done in a moment.
    pub lasts: Duration,
    /// What is done.
    pub kind: FaultKind,
}

/// What is done, and to whom. Services are places in the fleet's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Tasks are ended from outside.
    End {
        /// How.
        how: Ending,
        /// Of this service,
        service: usize,
        /// these.
        tasks: Which,
    },
    /// All tasks at a site end, as by a crash, and no other one can start there until it is over.
    PowerOff {
        /// Of this service,
        service: usize,
        /// there.
        site: Site,
    },
    /// Tasks are asked to misbehave, each directly: what only the program itself can do.
    Ask {
        /// Of this service,
        service: usize,
        /// these.
        tasks: Which,
        /// `POST` of this path.
        path: String,
        /// What is known of the program as which they go on, if anything is.
        model: Option<Program>,
    },
    /// Tasks go on, and badly.
    Task {
        /// Of this service,
        service: usize,
        /// these.
        tasks: Which,
        /// How.
        fault: TaskFault,
    },
    /// The way to a service is disturbed, between its callers and the gateway.
    Link {
        /// The service that is called.
        to: usize,
        /// How.
        fault: LinkFault,
    },
    /// One request through the gateway that kills whoever takes it.
    QueryOfDeath {
        /// The service that is asked.
        service: usize,
        /// `GET` of this path.
        path: String,
    },
    /// A deployment of a new revision begins.
    Deploy {
        /// Of this service,
        service: usize,
        /// made from this.
        definition: Definition,
    },
    /// There are so many times as many requests, of every flow.
    Spike(u32),
    /// A command of the user's.
    Exec(Exec),
}

/// What a new revision has that the one before it has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Added to the service's environment.
    pub environment: BTreeMap<String, String>,
    /// In place of the service's command, if it is another one.
    pub command: Option<Vec<String>>,
    /// What is known of the program that it is then, if anything is.
    pub model: Option<Program>,
}

/// How far a deployment must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Once {
    /// The first task of the new revision is being started.
    NewTaskStarted,
    /// The first task of the new revision is in rotation.
    NewTaskServes,
    /// The first task of an old revision is out of rotation.
    OldTaskLeft,
}

/// A fault that is done, proven and healed by commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Does it.
    pub command: Vec<String>,
    /// Ends with status 0 only if it has taken effect. It is run again until it does, for a while.
    pub proof: Vec<String>,
    /// Undoes it, always, however the drill ends.
    pub heal: Option<Vec<String>>,
}

/// How a task is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As by hand in ECS: SIGTERM at once, undrained.
    Stop,
    /// SIGKILL, as by a crash.
    Kill,
}

/// Which tasks a fault meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// So many of those in rotation, the oldest first.
    Oldest(u32),
    /// All in rotation.
    All,
    /// This one.
    Task(TaskId),
    /// All in rotation there.
    In(Site),
}

// === impl Fault ===

impl Fault {
    /// When it is over.
    pub fn end(&self) -> Duration {
        self.at + self.lasts
    }

    /// The service of which it begins a deployment, if it does.
    pub(super) fn deploys(&self) -> Option<usize> {
        match self.kind {
            FaultKind::Deploy { service, .. } => Some(service),
            _ => None,
        }
    }

    /// The same fault `scale` times faster.
    pub(super) fn faster(&mut self, scale: u32) {
        // What lasts to the end of the load still does, whatever is cut off by dividing.
        let end = self.end() / scale;
        self.at /= scale;
        self.lasts = end.saturating_sub(self.at);
        match &mut self.kind {
            FaultKind::Link { fault: LinkFault::Latency(latency), .. }
            | FaultKind::Task { fault: TaskFault::Slow(latency), .. } => *latency /= scale,
            _ => {}
        }
    }
}

// === impl Which ===

impl Which {
    /// The tasks meant, of those in rotation (in ascending order, each with where it is). Empty if the
    /// fault cannot be done as said.
    pub fn among(&self, in_rotation: &[(TaskId, Option<&Location>)]) -> Vec<TaskId> {
        let those = |is_meant: &dyn Fn(TaskId, Option<&Location>) -> bool| {
            let meant = in_rotation.iter().filter(|(task, at)| is_meant(*task, *at));
            meant.map(|(task, _)| *task).collect::<Vec<_>>()
        };
        match self {
            Self::Oldest(count) if in_rotation.len() < *count as usize => Vec::new(),
            Self::Oldest(count) => {
                in_rotation[..*count as usize].iter().map(|(task, _)| *task).collect()
            }
            Self::All => those(&|_, _| true),
            Self::Task(meant) => those(&|task, _| task == *meant),
            Self::In(site) => those(&|_, at| at.is_some_and(|at| site.has(at))),
        }
    }
}

// === impl Display ===

/// `stop of 1 task at 1.5s`, `latency of 30s at 10s for 20s`, `kill of 1 task once a new task serves`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.once {
            Some(once) => write!(f, "{} {once}", self.kind)?,
            None => write!(f, "{} at {:?}", self.kind, self.at)?,
        }
        if self.lasts > Duration::ZERO { write!(f, " for {:?}", self.lasts) } else { Ok(()) }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End { how, tasks, .. } => write!(f, "{how} of {tasks}"),
            Self::PowerOff { site, .. } => write!(f, "power off of {site}"),
            Self::Ask { tasks, path, .. } => write!(f, "POST {path} to {tasks}"),
            Self::Task { fault, tasks, .. } => write!(f, "{fault} of {tasks}"),
            Self::Link { fault, .. } => write!(f, "{fault}"),
            Self::QueryOfDeath { path, .. } => write!(f, "query of death {path}"),
            Self::Deploy { definition, .. } => write!(f, "deployment of {definition}"),
            Self::Spike(times) => write!(f, "spike of {times} times the load"),
            Self::Exec(exec) => write!(f, "`{}`", exec.command.join(" ")),
        }
    }
}

/// `the same definition`, `` `store serve` with A=1 ``
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "`{}`", command.join(" "))?,
            None => write!(f, "the same definition")?,
        }
        let variables: Vec<String> =
            self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if variables.is_empty() { Ok(()) } else { write!(f, " with {}", variables.join(", ")) }
    }
}

impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewTaskStarted => "once a new task is started",
            Self::NewTaskServes => "once a new task serves",
            Self::OldTaskLeft => "once an old task has left",
        })
    }
}

impl fmt::Display for Ending {
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
            Self::In(site) => write!(f, "{site}"),
        }
    }
}
