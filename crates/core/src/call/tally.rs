//! What became of a service's calls, counted for those who watch it: deployments, autoscaling, alarms.

use std::time::Duration;

use super::{How, Seen};
use crate::endpoints::{TaskId, Traffic};
use crate::policy::latencies::Latencies;
use crate::time::Instant;

/// Calls are forgotten after five to ten seconds: soon enough for an alarm, and at ten a second there
/// are still enough of them.
const HALF: Duration = Duration::from_secs(5);
/// What most of them took at most is told by so many percent.
const PERCENT: u32 = 99;

/// Calls of one service, and what each of its tasks made of them.
#[derive(Debug)]
pub(super) struct Tally {
    ended: u64,
    failed: u64,
    running: u32,
    took: Latencies,
    /// In ascending order of task.
    tasks: Vec<(TaskId, Work)>,
}

/// What a task made of the calls that it got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Proper answers, passed on whole.
    pub answered: u64,
    /// Tries that failed, and by the task's fault as far as anybody can tell.
    pub failed: u64,
}

// === impl Tally ===

impl Tally {
    /// No call yet.
    pub(super) fn new() -> Self {
        let took = Latencies::new(PERCENT, HALF);
        Self { ended: 0, failed: 0, running: 0, took, tasks: Vec::new() }
    }

    /// A call begins.
    pub(super) fn begin(&mut self) {
        self.running += 1;
    }

    /// A call is over. How long it took since it began counts, if that means anything.
    pub(super) fn end(&mut self, now: Instant, began: Option<Instant>, failed: bool) {
        self.running -= 1;
        self.ended += 1;
        self.failed += u64::from(failed);
        if let Some(began) = began {
            self.took.record(now, now.since(began));
        }
    }

    /// A try has shown something of its task.
    pub(super) fn note(&mut self, seen: &Seen) {
        let (answered, failed) = match seen.how {
            How::Answered(_) => (1, 0),
            How::Failed { .. } => (0, 1),
            How::Refused | How::Overtaken(_) | How::Withdrawn | How::Tried { .. } => return,
        };
        // Only the first word on a task takes memory.
        let at = self.place(seen.task).unwrap_or_else(|at| {
            self.tasks.insert(at, (seen.task, Work::default()));
            at
        });
        let work = &mut self.tasks[at].1;
        work.answered += answered;
        work.failed += failed;
    }

    /// What `task` made of the calls that it got.
    pub(super) fn work(&self, task: TaskId) -> Work {
        self.place(task).map_or_else(|_| Work::default(), |at| self.tasks[at].1)
    }

    /// Forgets all other tasks.
    pub(super) fn keep(&mut self, is_known: impl Fn(TaskId) -> bool) {
        self.tasks.retain(|(task, _)| is_known(*task));
    }

    /// What clients got until `now`.
    pub(super) fn traffic(&self, now: Instant) -> Traffic {
        let Self { ended, failed, running, .. } = *self;
        Traffic { ended, failed, running, p99: self.took.quantile_at(now) }
    }

    fn place(&self, task: TaskId) -> Result<usize, usize> {
        self.tasks.binary_search_by_key(&task, |(task, _)| *task)
    }
}
