//! Deployments: how they go on, step by step, and when they are complete.

use super::Reconciler;
use super::rollout::REMEMBERED;
use crate::cluster::deployment::{Canary, State};
use crate::cluster::task::Task;
use crate::machine::soonest;
use crate::record::{Cause, Decision};
use crate::time::Instant;

impl Reconciler {
    /// The canary that is out.
    pub(super) fn canary(&self) -> Option<Canary> {
        let deployment = &self.deployment;
        let out = deployment.canary && deployment.state.is_under_way() && !self.down;
        self.config.deployment.canary.filter(|_| out && self.count > 0)
    }

    /// How many new tasks there should be for now, and how many old ones stay whatever the floor.
    pub(super) fn shares(&self, now: Instant) -> (u32, u32) {
        if self.down {
            return (0, 0);
        }
        if self.deployment.held_for().is_some() {
            let new = self.serving(now, self.deployment.revision).min(self.count);
            return (new, self.count - new);
        }
        let Some(canary) = self.canary() else { return (self.count, 0) };
        let new = canary.tasks(self.count);
        let (_, ceiling) = self.bounds();
        (new, self.count.saturating_sub(new).max(1).min(ceiling.saturating_sub(new)))
    }

    /// Takes a deployment one step further, if it is time.
    pub(super) fn roll(&mut self, now: Instant) {
        // A service that never came up may do so yet.
        let first = self.deployment.from.is_none() && self.deployment.state == State::Failed;
        if self.down || !self.deployment.state.is_under_way() && !first {
            return;
        }
        if self.lacks_proof() {
            self.deployment.wait_anew();
        } else if let Some(canary) = self.canary() {
            self.bake(now, canary);
        } else {
            self.deployment.canary = false;
            self.complete(now);
        }
    }

    /// Whether no task is desired that could show what the revision is worth. One that is gone back to
    /// has shown it before.
    pub(super) fn lacks_proof(&self) -> bool {
        self.count == 0 && !self.deployment.rollback
    }

    fn bake(&mut self, now: Instant, canary: Canary) {
        let revision = self.deployment.revision;
        let wanted = canary.tasks(self.count);
        let is_out = |task: &&Task| task.revision == revision && task.verdict.ejection.is_some();
        let out = self.tasks.iter().filter(is_out).count() as u32;
        // Second tries and ejections hide from clients, and so from the alarm, what it is there to show.
        if self.deployment.baking.is_some() && out * 2 > wanted {
            return self.fail(now, &Cause::CanaryEjected { tasks: out });
        }
        let tasks = self.settled(revision).count() as u32;
        let bake = canary.bake;
        if tasks < wanted {
            (self.deployment.baking, self.deployment.state) = (None, State::InProgress);
            return;
        }
        let since = *self.deployment.baking.get_or_insert(now);
        if self.deployment.state == State::InProgress {
            self.deployment.state = State::Baking;
            self.record_all(now, Decision::Bake, Cause::CanarySettled { tasks, bake });
        }
        // What nobody saw was not seen to be good.
        if since + bake <= now && self.informed(now) {
            (self.deployment.canary, self.deployment.baking) = (false, None);
            self.deployment.state = State::InProgress;
            self.record_all(now, Decision::GoOn, Cause::Baked { bake });
        }
    }

    /// A deployment ends only when the desired count is healthy, nothing old is left, and each has
    /// answered a request or got none.
    fn complete(&mut self, now: Instant) {
        let revision = self.deployment.revision;
        let tasks = self.settled(revision).count() as u32;
        let old = self.tasks.iter().any(|task| task.revision != revision);
        if tasks < self.count || old {
            self.deployment.ready = None;
            return;
        }
        let ready = *self.deployment.ready.get_or_insert(now);
        let answered = self.settled(revision).all(|task| task.answered);
        let quiet = self.informed(now) && self.quiet_at(ready) <= now;
        if answered || quiet {
            self.finish(now, tasks);
        }
    }

    /// All are there and serve: one may go back to this revision.
    pub(super) fn finish(&mut self, now: Instant, tasks: u32) {
        let revision = self.deployment.revision;
        self.deployment.end(State::Completed, None);
        self.completed.retain(|completed| *completed != revision);
        self.completed.push(revision);
        if self.completed.len() > REMEMBERED {
            self.completed.remove(0);
        }
        self.old.clear();
        self.tasks.iter_mut().for_each(|task| task.must_settle = false);
        self.record_all(now, Decision::Complete, Cause::AllServe { revision, tasks });
    }

    /// When those that have answered no request will have got none for long enough. Where requests go by
    /// a hash, a cookie or weights, some tasks may never get one; but if nobody has answered one, all that
    /// come are asked of somebody.
    pub(super) fn quiet_at(&self, ready: Instant) -> Instant {
        let new = || self.settled(self.deployment.revision);
        let asked = if new().any(|task| task.answered) {
            new().filter(|task| !task.answered).filter_map(|task| task.asked).max()
        } else {
            self.watch.busy()
        };
        asked.map_or(ready, |asked| asked.max(ready)) + self.quiet()
    }

    /// When the deployment wants to be told the time.
    pub(super) fn rollout_due(&self) -> Option<Instant> {
        let bake = self.config.deployment.canary.map(|canary| canary.bake).unwrap_or_default();
        let baked = self.deployment.baking.map(|since| since + bake);
        let quiet = self.deployment.ready.map(|ready| self.quiet_at(ready));
        let ahead = |at: &Instant| *at > self.at;
        soonest(baked.filter(ahead), quiet.filter(ahead))
    }
}
