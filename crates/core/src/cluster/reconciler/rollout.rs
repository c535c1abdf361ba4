//! Deployments: how they begin, and how many tasks each revision may have.

use serde::{Deserialize, Serialize};

use super::Reconciler;
use crate::cluster::Config;
use crate::cluster::autoscaler::Why;
use crate::cluster::deployment::{DeploymentView, State};
use crate::cluster::plan::{Revision, Seen, Standing};
use crate::cluster::task::Task;
use crate::record::{Cause, Decision};
use crate::time::Instant;

/// So many deployments are remembered, and so many revisions to go back to.
pub(super) const REMEMBERED: usize = 20;

/// How far the desired revision has come. There always is one: the last one stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub(super) revision: Revision,
    /// What it takes the place of; none: nothing ran before.
    pub(super) from: Option<Revision>,
    /// What is known to be better, should it fail: the last revision that was not given up or left
    /// half-way.
    base: Option<Revision>,
    /// Whether it is a way back, which needs no canary and is not given up.
    pub(super) rollback: bool,
    pub(super) state: State,
    since: Instant,
    pub(super) failures: u32,
    reason: Option<String>,
    /// It is in its first step, if it has one.
    pub(super) canary: bool,
    /// Since when the canary serves.
    pub(super) baking: Option<Instant>,
    /// Since when all are there, and only requests are missing.
    pub(super) ready: Option<Instant>,
    /// The alarm rang before it began: it may well be the cure, so the alarm does not give it up.
    #[serde(default)]
    pub(super) rang_before: bool,
}

// === impl Deployment ===

impl Deployment {
    /// Of a service of which nothing runs.
    pub(super) fn first() -> Self {
        Self {
            revision: 1,
            from: None,
            base: None,
            rollback: false,
            state: State::InProgress,
            since: Instant::EPOCH,
            failures: 0,
            reason: None,
            canary: false,
            baking: None,
            ready: None,
            rang_before: false,
        }
    }

    pub(super) fn end(&mut self, state: State, reason: Option<&Cause>) {
        self.state = state;
        self.reason = reason.map(ToString::to_string);
        (self.canary, self.baking, self.ready) = (false, None, None);
    }

    /// The first one begins when its service is first told the time.
    pub(super) fn begin_at(&mut self, now: Instant) {
        if self.since == Instant::EPOCH {
            self.since = now;
        }
    }

    /// By another clock.
    pub(super) fn begin_again(&mut self, now: Instant) {
        self.since = now;
        self.wait_anew();
    }

    /// What was waited for is waited for anew.
    pub(super) fn wait_anew(&mut self) {
        (self.baking, self.ready) = (None, None);
        if self.state == State::Baking {
            self.state = State::InProgress;
        }
    }

    /// The revision that makes up for what this one was not given, if it was given up half-way.
    pub(super) fn held_for(&self) -> Option<Revision> {
        self.base.filter(|_| self.state == State::Failed)
    }

    /// Whether nobody knows yet that it is as good as what was before.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.from.is_some() && !self.rollback && self.state != State::Completed
    }

    /// Those that matter to it.
    pub(super) fn revisions(&self) -> impl Iterator<Item = Revision> {
        [Some(self.revision), self.from, self.base].into_iter().flatten()
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl Reconciler {
    /// The deployment that is under way, or the last one.
    pub fn deployment(&self) -> DeploymentView {
        let Deployment { revision, from, state, since, failures, ref reason, .. } = self.deployment;
        let healthy = self.settled(revision).count() as u32;
        let (threshold, desired) = (self.threshold(), self.count);
        let reason = reason.clone();
        DeploymentView {
            revision,
            from,
            state,
            since,
            failures,
            threshold,
            healthy,
            desired,
            reason,
        }
    }

    /// The deployments before that, the oldest first: as many as are remembered.
    pub fn history(&self) -> impl Iterator<Item = &DeploymentView> {
        self.history.iter()
    }

    /// Whether one is under way.
    pub fn is_deploying(&self) -> bool {
        self.deployment.state.is_under_way()
    }

    /// Where a rollback by hand would lead, if it can be done.
    pub fn rollback_to(&self) -> Option<Revision> {
        self.last_completed()
    }

    /// The revisions to which one may go back, the last one last.
    pub fn completed(&self) -> &[Revision] {
        &self.completed
    }

    /// Tasks of a revision that are healthy and have settled.
    pub(super) fn settled(&self, revision: Revision) -> impl Iterator<Item = &Task> {
        let settled = move |task: &&Task| {
            task.revision == revision && task.is_running() && task.settled && task.replace.is_none()
        };
        self.tasks.iter().filter(settled)
    }

    pub(super) fn deploy(&mut self, now: Instant, config: Config, revision: Revision) {
        let (before, wanted) = (self.config.desired_count, config.desired_count);
        self.limits.insert(revision, config.limits);
        self.config = config;
        if revision == self.deployment.revision {
            if wanted != before {
                self.scale(now, wanted, None);
            }
            return;
        }
        self.count_first_as_completed(now);
        let places = self.places(now);
        if wanted != before {
            self.set_count(now, wanted, None);
        }
        if self.deployment.state.is_under_way() {
            let cause = Cause::Superseded { by: revision };
            self.deployment.end(State::Failed, Some(&cause));
        }
        let from = self.deployment.revision;
        let cause = Cause::NewRevision { revision, from: Some(from) };
        self.record_all(now, Decision::Deploy, cause);
        self.begin(now, revision, places, false);
    }

    /// What a service began with is all that it can go back to: if every task of it is healthy when the
    /// next revision comes, that is soon enough, settled or not.
    fn count_first_as_completed(&mut self, now: Instant) {
        let healthy = |task: &&Task| task.is_running() && task.healthy_since.is_some();
        let healthy = self.tasks.iter().filter(healthy).count() as u32;
        let first = self.deployment.from.is_none() && self.deployment.state.is_under_way();
        if first && self.count > 0 && healthy >= self.count {
            self.finish(now, healthy);
        }
    }

    /// How many tasks of the revision that is left have a place until new ones take it.
    fn places(&mut self, now: Instant) -> u32 {
        let serving = self.serving(now, self.deployment.revision);
        match self.deployment.held_for() {
            _ if self.deployment.state == State::Completed => self.count,
            Some(better) => {
                let keep = self.count.saturating_sub(serving);
                self.old = self.places_beside(now, better, keep);
                serving
            }
            // What of it has not settled yet is nothing to be replaced.
            None => {
                let taken = self.old.iter().map(|(_, places)| places).sum();
                serving.min(self.count.saturating_sub(taken))
            }
        }
    }

    /// Where a deployment was given up, what works of it stays, and of other old revisions as well;
    /// the rest of `keep` places is for the one that is known to be better.
    pub(super) fn places_beside(
        &self,
        now: Instant,
        better: Revision,
        keep: u32,
    ) -> Vec<(Revision, u32)> {
        let mut left = keep;
        let mut places = Vec::new();
        for (revision, _) in self.old.iter().filter(|(old, _)| *old != better) {
            let taken = self.serving(now, *revision).min(left);
            left -= taken;
            places.extend((taken > 0).then_some((*revision, taken)));
        }
        places.insert(0, (better, left));
        places
    }

    /// How many tasks of a revision work and are to go on.
    pub(super) fn serving(&self, now: Instant, revision: Revision) -> u32 {
        let serves = |seen: &&Seen| {
            seen.revision == revision
                && seen.standing == Standing::Serving
                && seen.replace.is_none()
        };
        self.seen(now).iter().filter(serves).count() as u32
    }

    fn begin(&mut self, now: Instant, revision: Revision, places: u32, rollback: bool) {
        let from = self.deployment.revision;
        let ended = self.deployment();
        self.history.push_back(ended);
        if self.history.len() > REMEMBERED {
            self.history.pop_front();
        }
        self.old.insert(0, (from, places));
        self.old.retain(|(old, places)| *old != revision && *places > 0);
        self.backoffs.remove(&revision);
        let old = &self.old;
        self.backoffs.retain(|of, _| old.iter().any(|(old, _)| old == of));
        let Deployment { state, rollback: back, base, .. } = self.deployment;
        let rang_before = self.watch.begin();
        let base = base.filter(|_| state != State::Completed && !back).unwrap_or(from);
        self.deployment = Deployment {
            revision,
            from: Some(from),
            base: Some(base),
            rollback,
            since: now,
            canary: !rollback,
            rang_before,
            ..Deployment::first()
        };
        if rang_before && !rollback {
            self.record_all(now, Decision::Hold, Cause::RangBefore { revision });
        }
        let needed = self.snapshot().revisions();
        self.limits.retain(|revision, _| needed.contains(revision));
    }

    pub(super) fn roll_back_by_hand(&mut self, now: Instant) {
        match self.last_completed() {
            Some(to) => self.go_back(now, to, true),
            None => self.record_all(now, Decision::Refuse, Cause::NoneToGoBackTo),
        }
    }

    /// Leaves the revision for one that was completed before, and for good: nobody comes back to it
    /// unasked.
    pub(super) fn go_back(&mut self, now: Instant, to: Revision, by_hand: bool) {
        let from = self.deployment.revision;
        let places = if self.deployment.state == State::Completed { self.count } else { 0 };
        self.completed.retain(|revision| *revision != from);
        if self.deployment.state != State::Completed {
            let given_up = Cause::ByHand;
            let reason = by_hand.then_some(&given_up);
            self.deployment.state = State::RolledBack;
            self.deployment.reason =
                reason.map(ToString::to_string).or(self.deployment.reason.take());
        }
        self.record_all(now, Decision::RollBack, Cause::GoneBack { from, to });
        self.begin(now, to, places, true);
    }

    pub(super) fn scale(&mut self, now: Instant, count: u32, why: Option<Why>) {
        let before = self.count;
        self.set_count(now, count, why);
        // Of both revisions there are more, for the new one may not be good.
        for (_, places) in &mut self.old {
            *places = (*places * count).div_ceil(before.max(1));
        }
        // Where none was desired nobody had a place, and the new one may not be good.
        if let Some(better) = self.deployment.base.filter(|_| before == 0)
            && self.deployment.is_in_doubt()
        {
            self.old = vec![(better, count)];
        }
    }

    fn set_count(&mut self, now: Instant, count: u32, why: Option<Why>) {
        let from = std::mem::replace(&mut self.count, count);
        if from != count {
            self.record_all(now, Decision::Scale, Cause::Scaled { from, to: count, why });
        }
    }

    /// A task of an old revision was retired: if nobody of its revision took its place, it has none
    /// any more.
    pub(super) fn give_up_place(&mut self, now: Instant, revision: Revision) {
        let stays = |task: &&Task| {
            let standing = task.seen(now, &self.config).standing;
            task.revision == revision
                && task.replace.is_none()
                && matches!(standing, Standing::Coming | Standing::Unsettled | Standing::Serving)
        };
        let stay = self.tasks.iter().filter(stays).count() as u32;
        for (old, places) in &mut self.old {
            if *old == revision && stay < *places {
                *places -= 1;
            }
        }
    }
}
