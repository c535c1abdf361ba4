//! What became of a service's calls, counted for those who watch it: deployments, autoscaling, alarms.

use std::time::Duration;

use crate::endpoints::{TaskId, Traffic};
use crate::policy::latencies::Latencies;
use crate::time::Instant;

/// Calls are forgotten after five to ten seconds: soon enough for an alarm, and at ten a second there
/// are still enough of them.
const HALF: Duration = Duration::from_secs(5);
/// What most of them took at most is told by so many percent.
const PERCENT: u32 = 99;

/// Calls of one service, and the whole answers of each of its tasks.
#[derive(Debug)]
pub(super) struct Tally {
    ended: u64,
    failed: u64,
    running: u32,
    took: Latencies,
    /// In ascending order of task.
    answered: Vec<(TaskId, u64)>,
}

// === impl Tally ===

impl Tally {
    /// No call yet.
    pub(super) fn new() -> Self {
        let took = Latencies::new(PERCENT, HALF);
        Self { ended: 0, failed: 0, running: 0, took, answered: Vec::new() }
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

    /// A whole answer of `task` was passed on.
    pub(super) fn answer(&mut self, task: TaskId) {
        // Only the first one of a task takes memory.
        match self.place(task) {
            Ok(at) => self.answered[at].1 += 1,
            Err(at) => self.answered.insert(at, (task, 1)),
        }
    }

    /// Whole answers of `task`.
    pub(super) fn answered(&self, task: TaskId) -> u64 {
        self.place(task).map_or(0, |at| self.answered[at].1)
    }

    /// Forgets the answers of all other tasks.
    pub(super) fn keep(&mut self, is_known: impl Fn(TaskId) -> bool) {
        self.answered.retain(|(task, _)| is_known(*task));
    }

    /// What clients got until `now`.
    pub(super) fn traffic(&self, now: Instant) -> Traffic {
        let Self { ended, failed, running, .. } = *self;
        Traffic { ended, failed, running, p99: self.took.quantile_at(now) }
    }

    fn place(&self, task: TaskId) -> Result<usize, usize> {
        self.answered.binary_search_by_key(&task, |(task, _)| *task)
    }
}
