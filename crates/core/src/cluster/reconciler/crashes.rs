//! Tasks that end without being told to: what kind of failure that is, and how long the next start
//! waits for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ending, Reconciler};
use crate::cluster::plan::Revision;
use crate::cluster::task::{Phase, Task};
use crate::endpoints::TaskId;
use crate::record::{Cause, Death, Decision, Exit, Weakness};
use crate::time::Instant;

/// A task that ends unasked so soon after its start died young.
pub(super) const YOUNG: Duration = Duration::from_secs(60);

/// How many of the last lines of a task's output are recorded, and how many characters of each.
const LAST_LINES: (usize, usize) = (5, 200);

/// How starts of one revision are held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backoff {
    /// Failures in a row.
    failures: u32,
    /// When the next start may be.
    next_start: Option<Instant>,
    /// Tasks from here on were started after the last failure. Those before may well have died of
    /// the same thing at the same time, which makes no row.
    line: Option<TaskId>,
}

// === impl Backoff ===

impl Backoff {
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.next_start
    }
}

impl Reconciler {
    /// Until when starts of this revision wait, and after how many failures.
    pub(super) fn must_wait(&self, now: Instant, revision: Revision) -> Option<(Instant, u32)> {
        let backoff = self.backoffs.get(&revision)?;
        Some((backoff.next_start.filter(|at| *at > now)?, backoff.failures))
    }

    /// Failures are forgotten once a task that was started after them has lived for long enough.
    pub(super) fn calm_down(&mut self, now: Instant) {
        for (revision, backoff) in &mut self.backoffs {
            let later = |task: &&Task| {
                task.revision == *revision && backoff.line.is_none_or(|line| task.id >= line)
            };
            let lives = |task: &Task| match task.phase {
                Phase::Running { since, .. } => task.passed && now.since(since) >= YOUNG,
                _ => false,
            };
            if self.tasks.iter().filter(later).any(lives) {
                (backoff.failures, backoff.line) = (0, None);
            }
        }
    }

    pub(super) fn not_launched(&mut self, now: Instant, id: TaskId, why: String) {
        let Some(task) = self.remove(id) else { return };
        self.record(now, id, Decision::Gone, Cause::NotStarted(why));
        if !task.is_leaving() {
            self.back_off(now, &task);
            self.blame(now, &task, Weakness::Ended);
        }
    }

    pub(super) fn exited(&mut self, now: Instant, id: TaskId, ending: Ending) {
        let Some(task) = self.remove(id) else { return };
        let (exit, out_of_memory) = (ending.exit, ending.out_of_memory);
        let how = death(now, &task, out_of_memory);
        let cause = match how {
            Some(how) => Cause::Died { exit, how, last: bounded(ending.last) },
            None => Cause::Exited(exit),
        };
        self.record(now, id, Decision::Gone, cause);
        if task.is_leaving() {
            return;
        }
        if !task.passed {
            self.back_off(now, &task);
        // A row of tasks that somebody killed, after checks have passed, is no crash loop.
        } else if age(now, &task) < YOUNG && (exit != Exit::KILLED || out_of_memory) {
            self.died_young(now, &task);
        }
        self.blame(now, &task, Weakness::Ended);
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Task> {
        let at = self.tasks.iter().position(|task| task.id == id)?;
        Some(self.tasks.remove(at))
    }

    /// The first one of a line is replaced at once, for it may have been an accident.
    fn died_young(&mut self, now: Instant, task: &Task) {
        let next = self.numbers.after(self.started);
        let backoff = self.backoffs.entry(task.revision).or_default();
        match backoff.line {
            None => backoff.line = Some(next),
            Some(line) if task.id >= line => self.back_off(now, task),
            Some(_) => {}
        }
    }

    /// The next start waits, twice as long after each one that failed.
    pub(super) fn back_off(&mut self, now: Instant, task: &Task) {
        let next = self.numbers.after(self.started);
        let (first, longest) = self.config.restart_backoff;
        let backoff = self.backoffs.entry(task.revision).or_default();
        let wait = first.saturating_mul(1 << backoff.failures.min(20)).min(longest);
        backoff.failures += 1;
        backoff.next_start = Some(now + wait);
        backoff.line = Some(next);
        let failures = backoff.failures;
        self.record(now, task.id, Decision::Hold, Cause::StartsFail { failures, wait });
    }
}

fn age(now: Instant, task: &Task) -> Duration {
    match task.phase {
        Phase::Running { since, .. } => now.since(since),
        _ => Duration::ZERO,
    }
}

/// What kind of failure the end of a task is, if it is one.
pub(super) fn death(now: Instant, task: &Task, out_of_memory: bool) -> Option<Death> {
    let age = age(now, task);
    let unasked = || match (task.passed, age < YOUNG) {
        (false, _) => Death::NeverStarted,
        (true, true) => Death::Young { age },
        (true, false) => Death::Unasked { age },
    };
    if out_of_memory {
        Some(Death::OutOfMemory)
    } else if task.given_up {
        Some(Death::FailedChecks)
    } else {
        (!task.is_leaving()).then(unasked)
    }
}

/// The last few lines, cut where they are long.
fn bounded(lines: Vec<String>) -> Vec<String> {
    let (count, length) = LAST_LINES;
    let skip = lines.len().saturating_sub(count);
    lines.into_iter().skip(skip).map(|line| line.chars().take(length).collect()).collect()
}
