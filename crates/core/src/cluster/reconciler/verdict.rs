//! Which tasks have settled and which have failed, and what that says of a deployment.

use std::time::Duration;

use super::{Reconciler, SIGHTINGS_COUNT_FOR};
use crate::cluster::deployment::State;
use crate::cluster::plan::{Revision, Standing};
use crate::cluster::task::Task;
use crate::endpoints::{Health, TaskId};
use crate::record::{Cause, Decision, Weakness};
use crate::time::Instant;

impl Reconciler {
    /// When a task will have settled, if the gateway goes on to speak well of it. While there are requests,
    /// a new one has a while longer to answer one of them; that it answers checks says little.
    pub(super) fn settles(&self, task: &Task) -> Option<Instant> {
        let (_, last) = self.sighted?;
        let since = task.healthy_since.filter(|_| !task.settled && task.is_running())?;
        if task.disproved(&self.config).is_some() {
            return None;
        }
        let requests = self.watch.busy().is_some_and(|busy| busy > since);
        let longer = task.must_settle && !task.answered && requests;
        let quiet = if longer { self.quiet() } else { Duration::ZERO };
        let at = since + self.config.deployment.settle + quiet;
        (at <= last + SIGHTINGS_COUNT_FOR).then_some(at)
    }

    /// Takes note of tasks that have settled, and of new ones that fail before they do.
    pub(super) fn judge(&mut self, now: Instant) {
        let due = |task: &&Task| self.settles(task).is_some_and(|at| at <= now);
        let settled: Vec<TaskId> = self.tasks.iter().filter(due).map(|task| task.id).collect();
        for id in settled {
            let new = self.deployment.revision;
            let Some(task) = self.task(id) else { continue };
            task.settled = true;
            let first = !std::mem::replace(&mut task.proven, true);
            let counts = first && task.revision == new && self.canary().is_none();
            if counts && !self.config.deployment.breaker.cumulative {
                self.deployment.failures = 0;
            }
        }
        for task in self.bad_new_ones(now) {
            let failing = task.verdict.health == Health::Unhealthy;
            self.blame(now, &task, if failing { Weakness::Checks } else { Weakness::Requests });
        }
    }

    /// New tasks whose checks go on to fail or that are out for their requests. Where everyone looks bad,
    /// that is hardly the new revision's fault.
    fn bad_new_ones(&self, now: Instant) -> Vec<Task> {
        let seen = self.seen(now);
        let new = self.deployment.revision;
        let mut old = seen.iter().filter(|seen| {
            seen.revision != new && matches!(seen.standing, Standing::Serving | Standing::Failing)
        });
        let all_bad = old.clone().next().is_some() && old.all(|t| t.standing == Standing::Failing);
        let bad = |task: &&Task| {
            let seen = task.seen(now, &self.config);
            let failing = seen.standing == Standing::Failing && seen.lasting;
            task.is_running() && (failing || task.verdict.ejection.is_some())
        };
        self.tasks
            .iter()
            .filter(|task| !all_bad && self.informed(now) && self.may_be_blamed(task))
            .filter(bad)
            .cloned()
            .collect()
    }

    fn may_be_blamed(&self, task: &Task) -> bool {
        let ended = matches!(self.deployment.state, State::Completed);
        // A canary is there to be looked at for longer.
        let proven = task.is_proven() && self.canary().is_none();
        task.revision == self.deployment.revision && !task.blamed && !proven && !ended
    }

    /// Counts a task of the new revision that failed before it settled, once.
    pub(super) fn blame(&mut self, now: Instant, task: &Task, how: Weakness) {
        if self.down || !self.may_be_blamed(task) {
            return;
        }
        if let Some(task) = self.task(task.id) {
            task.blamed = true;
        }
        self.deployment.failures += 1;
        let failures = self.deployment.failures;
        let threshold = self.threshold();
        let cause = Cause::FailedBeforeItSettled { how, failures, threshold };
        self.record(now, task.id, Decision::Blame, cause);
        if failures >= threshold
            && self.deployment.state.is_under_way()
            && !self.deployment.rollback
        {
            self.fail(now, &Cause::TooManyFailures { failures, threshold });
        }
    }

    /// So many failures are too many, by the count that is desired now.
    pub(super) fn threshold(&self) -> u32 {
        self.config.deployment.breaker.threshold(self.count)
    }

    /// Gives the deployment up: back to the last revision that was completed, or no further.
    pub(super) fn fail(&mut self, now: Instant, cause: &Cause) {
        self.record_all(now, Decision::Fail, cause.clone());
        self.deployment.end(State::Failed, Some(cause));
        // Where nothing ran before there is nothing to save: starts go on, further and further apart.
        if self.deployment.from.is_none() || !self.config.deployment.rollback {
            return;
        }
        match self.last_completed() {
            Some(to) => self.go_back(now, to, false),
            None => self.record_all(now, Decision::Hold, Cause::NoneToGoBackTo),
        }
    }

    /// The last revision that was completed, other than this one.
    pub(super) fn last_completed(&self) -> Option<Revision> {
        self.completed.iter().rev().find(|revision| **revision != self.deployment.revision).copied()
    }

    /// For how long a deployment may be without a request before it ends without one.
    pub(super) fn quiet(&self) -> Duration {
        self.config.deployment.quiet
    }
}
