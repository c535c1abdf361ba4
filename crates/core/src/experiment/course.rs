//! What happened to the tasks of a cell: who was in rotation when, what faults did, who was
//! replaced by whom.

mod life;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Fault, FaultKind, Which};
use crate::cluster::View;
use crate::endpoints::TaskId;
use crate::record::Record;
use crate::time::Instant;

pub use life::{Life, Stage};

/// A fault that comes later than this was not done as said.
pub const FAULT_LATENESS_LIMIT: Duration = Duration::from_millis(100);

/// A process may be there for so long after it should have been killed at the latest.
const EXIT_MARGIN: Duration = Duration::from_secs(1);

/// Follows the tasks of one cell.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The first moment of the load, once there is one.
    begin: Option<Instant>,
    lives: BTreeMap<TaskId, Life>,
    inflicted: Vec<Inflicted>,
}

/// A task that went, and the one that came in its place. All times are from the first moment of the
/// load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The task that went.
    pub task: TaskId,
    /// The task that came.
    pub by: TaskId,
    /// When the first left the rotation.
    pub out: Duration,
    /// From the decision to start the second to its process, as drawn.
    pub provisioning: Duration,
    /// From its process to its first right answer, asked directly.
    pub start: Option<Duration>,
    /// When it entered the rotation.
    pub entered: Option<Duration>,
}

/// A fault that was carried out.
#[derive(Clone, Debug)]
pub struct Inflicted {
    /// The fault.
    pub fault: Fault,
    /// When it was.
    pub at: Instant,
    /// Whom it met; nobody if it could not be done as said.
    pub tasks: Vec<TaskId>,
}

// === impl Course ===

impl Course {
    /// The load begins.
    pub fn begin(&mut self, now: Instant) {
        self.begin = Some(now);
    }

    /// The way of control tells its tasks that are not gone, and its decisions since it last did.
    pub fn observe(&mut self, now: Instant, views: &[View], records: &[Record]) {
        for record in records {
            if let Some(task) = record.task {
                self.lives.entry(task).or_default().note(record);
            }
        }
        for view in views {
            self.lives.entry(view.task).or_default().stage(now, view.state.into());
        }
        for (task, life) in &mut self.lives {
            if !views.iter().any(|view| view.task == *task) {
                life.stage(now, Stage::Gone);
            }
        }
    }

    /// A task that was asked directly gave its first right answer.
    pub fn answered(&mut self, now: Instant, task: TaskId) {
        self.lives.entry(task).or_default().answered.get_or_insert(now);
    }

    /// A fault was carried out on these tasks.
    pub fn inflict(&mut self, now: Instant, fault: Fault, tasks: Vec<TaskId>) {
        self.inflicted.push(Inflicted { fault, at: now, tasks });
    }

    /// The faults that were carried out so far, in order.
    pub fn inflicted(&self) -> &[Inflicted] {
        &self.inflicted
    }

    /// The very process that a fault met was seen to be gone.
    pub fn process_ended(&mut self, now: Instant, task: TaskId) {
        self.lives.entry(task).or_default().process_ended.get_or_insert(now);
    }

    /// Every task there ever was.
    pub fn lives(&self) -> impl Iterator<Item = (TaskId, &Life)> {
        self.lives.iter().map(|(task, life)| (*task, life))
    }

    /// Who may get requests now, in ascending order.
    pub fn in_rotation(&self) -> Vec<TaskId> {
        let serving = |life: &Life| life.now() == Some(Stage::InRotation);
        self.lives().filter(|(_, life)| serving(life)).map(|(task, _)| task).collect()
    }

    /// Who could get requests when the load began, in ascending order.
    pub fn at_the_beginning(&self) -> Vec<TaskId> {
        let Some(begin) = self.begin else { return Vec::new() };
        let served = |life: &Life| {
            life.entered.is_some_and(|at| at <= begin)
                && life.left.as_ref().is_none_or(|(at, _)| *at >= begin)
        };
        self.lives().filter(|(_, life)| served(life)).map(|(task, _)| task).collect()
    }

    /// Each task that went after the load began, with the task that came in its place: the first
    /// to be started for the first to go, and so on.
    pub fn replacements(&self) -> Vec<Replacement> {
        let Some(begin) = self.begin else { return Vec::new() };
        let mut gone: Vec<(Instant, TaskId)> = self
            .lives()
            .filter_map(|(task, life)| Some((life.left_since(begin)?.0, task)))
            .collect();
        gone.sort_unstable();
        // Tasks are numbered as they are started.
        let come = self.lives().filter(|(_, life)| life.started.is_some_and(|at| at >= begin));
        gone.into_iter()
            .zip(come)
            .map(|((out, task), (by, life))| Replacement {
                task,
                by,
                out: out.since(begin),
                provisioning: life.provisioning,
                start: life.own_start(),
                entered: life.entered.map(|at| at.since(begin)),
            })
            .collect()
    }

    /// The shortest and the longest own start of all tasks.
    pub fn starts(&self) -> RangeInclusive<Duration> {
        let starts = || self.lives().filter_map(|(_, life)| life.own_start());
        starts().min().unwrap_or_default()..=starts().max().unwrap_or_default()
    }

    /// Faults of the schedule that were not done as said, or cannot be shown to have taken effect.
    pub fn unproven(&self, faults: &[Fault], stop_timeout: Duration) -> Vec<String> {
        let mut problems = Vec::new();
        for inflicted in &self.inflicted {
            problems.extend(self.late(inflicted));
            problems.extend(self.without_effect(inflicted, stop_timeout));
        }
        for fault in faults.iter().skip(self.inflicted.len()) {
            problems.push(format!("the {fault} was never carried out"));
        }
        problems
    }

    fn late(&self, inflicted: &Inflicted) -> Option<String> {
        let late = inflicted.at.since(self.begin? + inflicted.fault.at);
        (late > FAULT_LATENESS_LIMIT).then(|| {
            format!(
                "the {} came {late:.0?} late, more than {FAULT_LATENESS_LIMIT:?}",
                inflicted.fault
            )
        })
    }

    /// Whether nothing more can be learned of the faults: what each met has ended and nobody
    /// doubts it, or was there for too long.
    pub fn settled(&self, now: Instant, stop_timeout: Duration) -> bool {
        self.inflicted.iter().all(|inflicted| {
            now.since(inflicted.at) > patience(&inflicted.fault, stop_timeout)
                || inflicted.tasks.iter().all(|task| {
                    let life = self.lives.get(task);
                    life.is_some_and(|life| life.process_ended.is_some() && life.exit_recorded)
                })
        })
    }

    fn without_effect(&self, inflicted: &Inflicted, stop_timeout: Duration) -> Vec<String> {
        let Inflicted { fault, at, tasks } = inflicted;
        if tasks.is_empty() {
            return vec![format!("the {fault} met no task: {}", self.why_nobody(fault, *at))];
        }
        let patience = patience(fault, stop_timeout);
        let problem = |task: &TaskId| {
            let life = self.lives.get(task)?;
            let ended = life.process_ended.is_some_and(|ended| ended.since(*at) <= patience);
            if !ended {
                Some(format!(
                    "{patience:?} after the {fault} the process of {task} was still there"
                ))
            } else if !life.exit_recorded {
                Some(format!("after the {fault} nobody recorded that {task} had ended"))
            } else {
                None
            }
        };
        tasks.iter().filter_map(problem).collect()
    }

    /// Why a fault at `at` met nobody.
    fn why_nobody(&self, fault: &Fault, at: Instant) -> String {
        let stages = || self.lives().filter_map(|(task, life)| Some((task, life.stage_at(at)?)));
        let serving = stages().filter(|(_, stage)| *stage == Stage::InRotation);
        let in_rotation: Vec<TaskId> = serving.map(|(task, _)| task).collect();
        if !fault.tasks.among(&in_rotation).is_empty() {
            return "a process that it was meant for had ended by itself".to_owned();
        }
        match fault.tasks {
            Which::Task(task) if stages().any(|(other, _)| other == task) => {
                format!("{task} was not in rotation")
            }
            Which::Task(task) => format!("there was no {task}"),
            Which::All | Which::Oldest(_) => {
                let count = in_rotation.len();
                let were = if count == 1 { "task was" } else { "tasks were" };
                format!("{count} {were} in rotation")
            }
        }
    }

    /// Tasks that left the rotation although no fault met them.
    pub fn strays(&self) -> Vec<String> {
        let met = |task| self.inflicted.iter().any(|inflicted| inflicted.tasks.contains(&task));
        let stray = |(task, life): (TaskId, &Life)| {
            let begin = self.begin?;
            let (at, cause) = life.left_since(begin)?;
            let at = at.since(begin);
            (!met(task)).then(|| format!("{task} went at {at:.1?} without a fault: {cause}"))
        };
        self.lives().filter_map(stray).collect()
    }
}

/// How long the process of a task that a fault met may be there.
fn patience(fault: &Fault, stop_timeout: Duration) -> Duration {
    match fault.kind {
        FaultKind::Stop => stop_timeout + EXIT_MARGIN,
        FaultKind::Kill => EXIT_MARGIN,
    }
}

// === impl Replacement ===

impl Replacement {
    /// From the leaving of the one to the entering of the other.
    pub fn window(&self) -> Option<Duration> {
        self.entered.map(|entered| entered.saturating_sub(self.out))
    }
}

#[cfg(test)]
mod tests;
