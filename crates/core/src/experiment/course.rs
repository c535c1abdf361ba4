//! What happened to the tasks of a cell: who was in rotation when, what faults did, who was
//! replaced by whom.

mod detection;
mod life;
mod replacement;
mod rollout;
mod starts;
mod strays;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Ending, Fault, FaultKind, Which};
use crate::cluster::spread::Site;
use crate::cluster::{Numbers, View};
use crate::endpoints::TaskId;
use crate::record::Record;
use crate::time::Instant;

pub use detection::Detection;
pub use life::{Life, Stage};
pub use replacement::Replacement;
pub use rollout::Rollout;
pub use starts::Starts;

/// A fault that comes later than this was not done as said.
pub const FAULT_LATENESS_LIMIT: Duration = Duration::from_millis(100);

/// A process may be there for so long after it should have been killed at the latest.
const EXIT_MARGIN: Duration = Duration::from_secs(1);

/// A query of death has killed within this.
const QUERY_MARGIN: Duration = Duration::from_secs(2);

/// Nobody waits longer than this for the word whether a fault has taken effect.
const PROOF_MARGIN: Duration = Duration::from_secs(10);

/// Follows the tasks of one cell.
#[derive(Clone, Debug)]
pub struct Course {
    /// How many services there are; none in a drill with a target.
    services: usize,
    /// The first moment of the load, once there is one.
    begin: Option<Instant>,
    lives: BTreeMap<TaskId, Life>,
    inflicted: Vec<Inflicted>,
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
    /// Whether it has taken effect, and if not, why, where somebody has to tell: what ends tasks is
    /// proven by their end.
    pub told: Option<Result<(), String>>,
}

// === impl Course ===

impl Course {
    /// Of a fleet with so many services.
    pub fn of(services: usize) -> Self {
        Self { services, begin: None, lives: BTreeMap::new(), inflicted: Vec::new() }
    }

    /// Whether `task` is of the service at `place`.
    fn is_of(&self, task: TaskId, place: usize) -> bool {
        Numbers::of(place, self.services).include(task)
    }

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
            let life = self.lives.entry(view.task).or_default();
            life.revision = view.revision;
            life.location.clone_from(&view.location);
            life.stage(now, view.state.into());
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

    /// A fault was carried out on these tasks. Returns its number.
    pub fn inflict(&mut self, now: Instant, fault: Fault, tasks: Vec<TaskId>) -> usize {
        self.inflicted.push(Inflicted { fault, at: now, tasks, told: None });
        self.inflicted.len() - 1
    }

    /// Whether the fault with this number has taken effect, and if not, why. A bad word outweighs a
    /// good one, whichever comes first.
    pub fn told(&mut self, number: usize, effect: Result<(), String>) {
        let told = &mut self.inflicted[number].told;
        if effect.is_err() || told.is_none() {
            *told = Some(effect);
        }
    }

    /// The way of control refused what it was told last: the deployment that has come to nothing.
    pub fn refused(&mut self, why: &str) {
        let open = self.inflicted.iter().rposition(|inflicted| {
            inflicted.fault.deploys().is_some() && self.brought(inflicted).is_none()
        });
        if let Some(number) = open {
            self.told(number, Err(why.to_owned()));
        }
    }

    /// The faults that were carried out so far, in order.
    pub fn inflicted(&self) -> &[Inflicted] {
        &self.inflicted
    }

    /// The very process that a fault met was seen to be gone.
    pub fn process_ended(&mut self, now: Instant, task: TaskId) {
        self.lives.entry(task).or_default().process_ended.get_or_insert(now);
    }

    /// When this task left the rotation for good, if it has.
    pub fn left_at(&self, task: TaskId) -> Option<Instant> {
        self.lives.get(&task)?.left.as_ref().map(|(at, _)| *at)
    }

    /// Every task there ever was.
    pub fn lives(&self) -> impl Iterator<Item = (TaskId, &Life)> {
        self.lives.iter().map(|(task, life)| (*task, life))
    }

    /// Of the service at `place`.
    fn lives_of(&self, place: usize) -> impl Iterator<Item = (TaskId, &Life)> {
        self.lives().filter(move |(task, _)| self.is_of(*task, place))
    }

    /// Who may get requests now, in ascending order.
    pub fn in_rotation(&self) -> Vec<TaskId> {
        let serving = |life: &Life| life.now() == Some(Stage::InRotation);
        self.lives().filter(|(_, life)| serving(life)).map(|(task, _)| task).collect()
    }

    /// The same, of the service at `place`.
    pub fn in_rotation_of(&self, place: usize) -> Vec<TaskId> {
        self.in_rotation().into_iter().filter(|task| self.is_of(*task, place)).collect()
    }

    /// Whom of the service at `place` a fault on these tasks meets now.
    pub fn meant(&self, tasks: &Which, place: usize) -> Vec<TaskId> {
        self.among(tasks, &self.in_rotation_of(place))
    }

    /// Whose processes, of the service at `place`, are there now, in rotation or not.
    pub fn there(&self, site: &Site, place: usize) -> Vec<TaskId> {
        let runs = |life: &Life| {
            matches!(life.now(), Some(Stage::Starting | Stage::InRotation | Stage::Out))
        };
        let is_there = |life: &Life| life.location.as_ref().is_some_and(|at| site.has(at));
        let those = self.lives_of(place).filter(|(_, life)| runs(life) && is_there(life));
        those.map(|(task, _)| task).collect()
    }

    fn among(&self, tasks: &Which, in_rotation: &[TaskId]) -> Vec<TaskId> {
        let located = |task: &TaskId| (*task, self.lives[task].location.as_ref());
        tasks.among(&in_rotation.iter().map(located).collect::<Vec<_>>())
    }

    /// Who of the service at `place` could get requests when the load began, in ascending order.
    pub fn at_the_beginning(&self, place: usize) -> Vec<TaskId> {
        let Some(begin) = self.begin else { return Vec::new() };
        let served = |life: &Life| {
            life.entered.is_some_and(|at| at <= begin)
                && life.left.as_ref().is_none_or(|(at, _)| *at >= begin)
        };
        let of = |(task, life): &(TaskId, &Life)| served(life) && self.is_of(*task, place);
        self.lives().filter(of).map(|(task, _)| task).collect()
    }

    /// Tasks that went after the load began.
    pub fn gone(&self) -> usize {
        let Some(begin) = self.begin else { return 0 };
        self.lives().filter(|(_, life)| life.left_since(begin).is_some()).count()
    }

    /// Faults of the schedule that were not done as said, or cannot be shown to have taken effect.
    pub fn unproven(&self, faults: &[Fault], stop_timeout: Duration) -> Vec<String> {
        let mut problems = Vec::new();
        for inflicted in &self.inflicted {
            problems.extend(self.late(inflicted));
            problems.extend(self.without_effect(inflicted, stop_timeout));
        }
        let mut done: Vec<&Fault> = self.inflicted.iter().map(|done| &done.fault).collect();
        for fault in faults {
            match done.iter().position(|other| *other == fault) {
                Some(place) => drop(done.remove(place)),
                None => problems.push(format!("the {fault} was never carried out")),
            }
        }
        problems
    }

    fn late(&self, inflicted: &Inflicted) -> Option<String> {
        let late = inflicted.at.since(self.due(&inflicted.fault)?);
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
                || match inflicted.fault.kind {
                    FaultKind::End { .. } | FaultKind::PowerOff { .. } => {
                        inflicted.tasks.iter().all(|task| {
                            let life = self.lives.get(task);
                            life.is_some_and(|life| {
                                life.process_ended.is_some() && life.exit_recorded
                            })
                        })
                    }
                    // Who knows whether it kills one more.
                    FaultKind::QueryOfDeath { .. } => false,
                    FaultKind::Deploy { .. } => {
                        inflicted.told.is_some() || self.brought(inflicted).is_some()
                    }
                    // The load goes as planned.
                    FaultKind::Spike(_) => true,
                    _ => inflicted.told.is_some(),
                }
        })
    }

    fn without_effect(&self, inflicted: &Inflicted, stop_timeout: Duration) -> Vec<String> {
        let Inflicted { fault, at, tasks, told } = inflicted;
        match (&fault.kind, told) {
            (FaultKind::End { .. }, _) if tasks.is_empty() => {
                return vec![format!("the {fault} met no task: {}", self.why_nobody(fault, *at))];
            }
            // That nothing can come there is an effect as well.
            (FaultKind::End { .. } | FaultKind::PowerOff { .. }, _) => {}
            (FaultKind::QueryOfDeath { .. }, _) if self.died_after(*at).next().is_none() => {
                return vec![format!("within {QUERY_MARGIN:?} of the {fault} no task ended")];
            }
            (FaultKind::Deploy { .. }, None) if self.brought(inflicted).is_none() => {
                return vec![format!("the {fault} had no effect: no new task was started")];
            }
            (_, Some(Err(why))) => return vec![format!("the {fault} had no effect: {why}")],
            (
                FaultKind::QueryOfDeath { .. } | FaultKind::Deploy { .. } | FaultKind::Spike(_),
                _,
            )
            | (_, Some(Ok(()))) => return Vec::new(),
            (_, None) => {
                return vec![format!("nobody could tell whether the {fault} had an effect")];
            }
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
        let FaultKind::End { service, tasks, .. } = &fault.kind else { return String::new() };
        let serving = stages()
            .filter(|(task, stage)| *stage == Stage::InRotation && self.is_of(*task, *service));
        let in_rotation: Vec<TaskId> = serving.map(|(task, _)| task).collect();
        if !self.among(tasks, &in_rotation).is_empty() {
            return "a process that it was meant for had ended by itself".to_owned();
        }
        match tasks {
            Which::Task(task) if stages().any(|(other, _)| other == *task) => {
                format!("{task} was not in rotation")
            }
            Which::Task(task) => format!("there was no {task}"),
            Which::In(_) => {
                format!("none of the {} in rotation was there", in_rotation.len())
            }
            Which::All | Which::Oldest(_) => {
                let count = in_rotation.len();
                let were = if count == 1 { "task was" } else { "tasks were" };
                format!("{count} {were} in rotation")
            }
        }
    }

    /// Tasks that ended so soon after `at` that a query of death then may have killed them.
    fn died_after(&self, at: Instant) -> impl Iterator<Item = TaskId> {
        self.lives().filter_map(move |(task, life)| {
            let (left, _) = life.left_since(at)?;
            (*left <= at + QUERY_MARGIN).then_some(task)
        })
    }
}

/// How long after a fault there is something to be seen of its effect: for a task that is ended, how
/// long its process may be there.
fn patience(fault: &Fault, stop_timeout: Duration) -> Duration {
    match fault.kind {
        FaultKind::End { how: Ending::Stop, .. } => stop_timeout + EXIT_MARGIN,
        FaultKind::End { how: Ending::Kill, .. } | FaultKind::PowerOff { .. } => EXIT_MARGIN,
        FaultKind::QueryOfDeath { .. } => QUERY_MARGIN,
        FaultKind::Ask { .. }
        | FaultKind::Task { .. }
        | FaultKind::Link { .. }
        | FaultKind::Deploy { .. }
        | FaultKind::Spike(_)
        | FaultKind::Exec(_) => fault.lasts + PROOF_MARGIN,
    }
}

#[cfg(test)]
mod tests;
