//! What happened to the tasks of a cell: who was in rotation when, what faults did, who was
//! replaced by whom.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Fault, FaultKind};
use crate::cluster::{State, View};
use crate::endpoints::TaskId;
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

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

/// Where in its life a task is, for a lane of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has no process yet.
    Provisioning,
    /// Its process has not passed a check yet.
    Starting,
    /// It may get requests.
    InRotation,
    /// It may not any more, or not now.
    Out,
    /// It is no more.
    Gone,
}

/// One task's life.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Each stage, from when on.
    pub stages: Vec<(Instant, Stage)>,
    /// From the decision to start it to its process, as drawn.
    provisioning: Duration,
    started: Option<Instant>,
    launched: Option<Instant>,
    answered: Option<Instant>,
    entered: Option<Instant>,
    left: Option<(Instant, Cause)>,
    exit_recorded: bool,
    process_ended: Option<Instant>,
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
struct Inflicted {
    fault: Fault,
    at: Instant,
    tasks: Vec<TaskId>,
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

    /// Each task that went after the load began, with the task that came in its place: the first
    /// to be started for the first to go, and so on.
    pub fn replacements(&self) -> Vec<Replacement> {
        let Some(begin) = self.begin else { return Vec::new() };
        let mut gone: Vec<(Instant, TaskId)> =
            self.lives().filter_map(|(task, life)| Some((life.left.as_ref()?.0, task))).collect();
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

    fn without_effect(&self, inflicted: &Inflicted, stop_timeout: Duration) -> Vec<String> {
        let Inflicted { fault, at, tasks } = inflicted;
        if tasks.is_empty() {
            return vec![format!("the {fault} met no task: there were too few in rotation")];
        }
        let patience = match fault.kind {
            FaultKind::Stop => stop_timeout + EXIT_MARGIN,
            FaultKind::Kill => EXIT_MARGIN,
        };
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

    /// Tasks that left the rotation although no fault met them.
    pub fn strays(&self) -> Vec<String> {
        let met = |task| self.inflicted.iter().any(|inflicted| inflicted.tasks.contains(&task));
        let stray = |(task, life): (TaskId, &Life)| {
            let (at, cause) = life.left.as_ref()?;
            let at = at.since(self.begin?);
            (!met(task)).then(|| format!("{task} went at {at:.1?} without a fault: {cause}"))
        };
        self.lives().filter_map(stray).collect()
    }
}

// === impl Life ===

impl Life {
    /// The stage it is in.
    pub fn now(&self) -> Option<Stage> {
        self.stages.last().map(|(_, stage)| *stage)
    }

    fn note(&mut self, record: &Record) {
        match (&record.decision, &record.cause) {
            (Decision::Start, cause) => {
                self.started = Some(record.at);
                if let Cause::Missing { provisioning, .. } = cause {
                    self.provisioning = *provisioning;
                }
            }
            (Decision::Launch, _) => self.launched = Some(record.at),
            (Decision::Retire | Decision::Terminate | Decision::Kill, cause) => {
                self.leave(record.at, cause);
            }
            (Decision::Gone, cause) => {
                self.leave(record.at, cause);
                self.exit_recorded |= matches!(cause, Cause::Exited(_));
            }
            (Decision::EnterRotation | Decision::LeaveRotation | Decision::Hold, _) => {}
        }
    }

    fn leave(&mut self, at: Instant, cause: &Cause) {
        self.left.get_or_insert((at, cause.clone()));
    }

    fn stage(&mut self, now: Instant, stage: Stage) {
        if self.now() == Some(stage) {
            return;
        }
        if stage == Stage::InRotation {
            self.entered.get_or_insert(now);
        }
        self.stages.push((now, stage));
    }

    fn own_start(&self) -> Option<Duration> {
        Some(self.answered?.since(self.launched?))
    }
}

// === impl Replacement ===

impl Replacement {
    /// From the leaving of the one to the entering of the other.
    pub fn window(&self) -> Option<Duration> {
        self.entered.map(|entered| entered.saturating_sub(self.out))
    }
}

impl From<State> for Stage {
    fn from(state: State) -> Self {
        match state {
            State::Provisioning => Self::Provisioning,
            State::Starting => Self::Starting,
            State::InRotation => Self::InRotation,
            State::OutOfRotation | State::Draining | State::Stopping => Self::Out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Which;
    use crate::record::Exit;

    const STOP: Fault =
        Fault { at: Duration::from_secs(1), kind: FaultKind::Stop, tasks: Which::Oldest(1) };

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn record(millis: u64, task: u32, decision: Decision, cause: Cause) -> Record {
        Record { at: at(millis), task: Some(TaskId(task)), decision, cause }
    }

    fn views(tasks: &[(u32, State)]) -> Vec<View> {
        let view = |&(task, state)| View { task: TaskId(task), revision: 1, state, port: None };
        tasks.iter().map(view).collect()
    }

    /// Two tasks, of which the first is stopped at 1 s and replaced at 8 s.
    fn course(exit_seen: bool) -> Course {
        use State::{InRotation, Provisioning, Starting, Stopping};
        let mut course = Course::default();
        let provisioning = Duration::from_secs(6);
        let missing = Cause::Missing { have: 1, want: 2, provisioning };
        course.observe(at(0), &views(&[(1, InRotation), (2, InRotation)]), &[]);
        course.begin(at(0));
        assert_eq!(course.in_rotation(), [TaskId(1), TaskId(2)]);
        course.inflict(at(1000), STOP, vec![TaskId(1)]);
        let records = [
            record(1001, 1, Decision::Terminate, Cause::ByHand),
            record(1001, 3, Decision::Start, missing),
        ];
        course.observe(
            at(1002),
            &views(&[(1, Stopping), (2, InRotation), (3, Provisioning)]),
            &records,
        );
        if exit_seen {
            course.process_ended(at(1100), TaskId(1));
        }
        let gone = record(1100, 1, Decision::Gone, Cause::Exited(Exit::Code(0)));
        course.observe(at(1100), &views(&[(2, InRotation), (3, Provisioning)]), &[gone]);
        let launch = record(7001, 3, Decision::Launch, Cause::Provisioned);
        course.observe(at(7002), &views(&[(2, InRotation), (3, Starting)]), &[launch]);
        course.answered(at(7101), TaskId(3));
        course.observe(at(8000), &views(&[(2, InRotation), (3, InRotation)]), &[]);
        course
    }

    #[test]
    fn a_replacement_is_told_with_the_parts_of_its_window() {
        let ms = Duration::from_millis;
        let replacement = Replacement {
            task: TaskId(1),
            by: TaskId(3),
            out: ms(1001),
            provisioning: ms(6000),
            start: Some(ms(100)),
            entered: Some(ms(8000)),
        };
        assert_eq!(course(true).replacements(), [replacement]);
        assert_eq!(replacement.window(), Some(ms(6999)));
        assert_eq!(course(true).starts(), ms(100)..=ms(100));
    }

    #[test]
    fn a_fault_needs_its_proof() {
        let timeout = Duration::from_secs(3);
        let none: [String; 0] = [];
        assert_eq!(course(true).unproven(&[STOP], timeout), none);
        let still_there = "4s after the stop of 1 task at 1s the process of task-1 was still there";
        assert_eq!(course(false).unproven(&[STOP], timeout), [still_there]);
        let never = "the stop of 1 task at 1s was never carried out";
        assert_eq!(course(true).unproven(&[STOP, STOP], timeout), [never]);

        let mut course = course(true);
        course.inflict(at(1200), STOP, vec![]);
        let problems = course.unproven(&[STOP, STOP], timeout);
        assert_eq!(problems[0], "the stop of 1 task at 1s came 200ms late, more than 100ms");
        assert!(problems[1].contains("met no task"), "{problems:?}");
    }

    #[test]
    fn a_task_that_goes_by_itself_is_a_stray() {
        let mut course = course(true);
        let crash = record(9000, 2, Decision::Gone, Cause::Exited(Exit::Signal(11)));
        course.observe(at(9000), &views(&[(3, State::InRotation)]), &[crash]);
        let stray = "task-2 went at 9.0s without a fault: ended by signal 11";
        assert_eq!(course.strays(), [stray]);
    }
}
