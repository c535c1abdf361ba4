//! What each task of a service carries, and which tasks may get a call at all.

use std::time::Duration;

use crate::balance::{Balancer, Config, Target, Welcome, usual_latency};
use crate::cluster::plan::Revision;
use crate::endpoints::TaskId;
use crate::health::Rotation;
use crate::time::Instant;

/// The tasks of a service with their requests in flight, and the balancer that chooses among them.
#[derive(Debug)]
pub struct Loads {
    config: Config,
    balancer: Balancer,
    /// In ascending order of task; kept while in rotation or busy.
    targets: Vec<Target>,
    /// Places of those that may get a call, while one is chosen. Kept for its memory alone.
    open: Vec<usize>,
}

/// For which call a task is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pick<'a> {
    /// The task its client is used to: it is chosen if it may get the call.
    pub preferred: Option<TaskId>,
    /// From [`Affinity::of`](crate::balance::Affinity::of), for a consistent hash.
    pub affinity: u64,
    /// Only tasks of this revision, as long as one of them may get it.
    pub revision: Option<Revision>,
    /// It may be sent to a task that perhaps fails it.
    pub safe: bool,
    /// None of these.
    pub not: &'a [TaskId],
}

/// Which tasks may get a call.
#[derive(Clone, Copy, Debug)]
struct Choice<'a> {
    not: &'a [TaskId],
    /// Just these; any if there is none.
    revision: Option<Revision>,
    most_in_flight: u32,
    /// Those on trial, because nobody else is left, or only the others.
    on_trial: bool,
}

// === impl Loads ===

impl Loads {
    /// No task at all. `seed` is for what is drawn.
    pub fn new(config: Config, seed: u64) -> Self {
        let balancer = Balancer::new(config.algorithm, seed);
        Self { config, balancer, targets: Vec::new(), open: Vec::new() }
    }

    /// Requests sent to `task` and not yet finished.
    pub fn in_flight(&self, task: TaskId) -> u32 {
        self.targets.iter().find(|target| target.task() == task).map_or(0, Target::in_flight)
    }

    /// Every task that is in rotation or busy, in ascending order, with whether it is in rotation.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskId, bool)> {
        self.targets.iter().map(|target| (target.task(), target.in_rotation()))
    }

    /// Whether anybody may get a call.
    pub fn any_in_rotation(&self) -> bool {
        self.targets.iter().any(Target::in_rotation)
    }

    /// Whether somebody is in rotation, and a plain call would find nobody all the same: each has as
    /// many requests as it may have.
    pub fn full(&self) -> bool {
        self.any_in_rotation() && !self.any_for(&Pick::default())
    }

    /// Whether a task in rotation has fewer requests than that.
    pub fn any_below(&self, in_flight: u32) -> bool {
        self.targets.iter().any(|t| t.in_rotation() && t.in_flight() < in_flight)
    }

    /// Every task of the revisions of `these`.
    pub(crate) fn of_their_revisions(&self, these: &[TaskId]) -> Vec<TaskId> {
        let is_kin = |target: &&Target| {
            let kin = |other: &&Target| other.member().revision == target.member().revision;
            self.targets.iter().filter(kin).any(|other| these.contains(&other.task()))
        };
        self.targets.iter().filter(is_kin).map(Target::task).collect()
    }

    /// Whether some task may get such a call.
    pub fn any_for(&self, pick: &Pick<'_>) -> bool {
        let choice = self.choice(pick);
        self.targets.iter().any(|target| choice.has(target) || pick.safe && choice.tries(target))
    }

    /// The same of a task that is not on trial.
    pub(crate) fn any_good_for(&self, pick: &Pick<'_>) -> bool {
        let choice = self.choice(pick);
        !choice.on_trial && self.targets.iter().any(|target| choice.has(target))
    }

    /// Chooses a task for a call, if one may get it. What its client is used to comes first; then a task on trial, which
    /// gets one safe call; and then the algorithm. Whoever is chosen has had its turn: it is
    /// to get the call.
    pub fn pick(&mut self, now: Instant, pick: &Pick<'_>) -> Option<TaskId> {
        let choice = self.choice(pick);
        // Whoever is used to a task is used to its revision.
        let free = Choice { revision: None, on_trial: false, ..choice };
        if let Some(target) = pick.preferred.and_then(|task| self.target(task))
            && free.has(target)
        {
            return Some(target.task());
        }
        let tried = self.targets.iter().find(|target| pick.safe && choice.tries(target));
        if let Some(target) = tried {
            return Some(target.task());
        }
        self.open(now, choice);
        if self.open.is_empty() {
            return None;
        }
        let at = self.balancer.pick(now, &mut self.targets, &mut self.open, pick.affinity);
        Some(self.targets[at].task())
    }

    /// One more request of `task` is in flight. True if the task is on trial, and this is a request of that.
    pub fn take(&mut self, now: Instant, task: TaskId) -> bool {
        self.target(task).is_some_and(|target| target.take(now))
    }

    /// A request of the trial of `task` has shown nothing: another one may.
    pub fn try_anew(&mut self, task: TaskId) {
        if let Some(target) = self.target(task) {
            target.try_anew();
        }
    }

    /// The head of a proper answer of `task` came, so long after its request was sent.
    pub fn answered(&mut self, now: Instant, task: TaskId, latency: Duration) {
        if let Some(target) = self.target(task) {
            target.answered(now, latency);
        }
    }

    /// The same of an answer that says no, such as a 404 or a 429. Work that was not done takes no time:
    /// it counts as no quicker than is usual here, or whoever refuses fast gets more and more.
    pub fn declined(&mut self, now: Instant, task: TaskId, latency: Duration) {
        let usual = Duration::from_nanos(usual_latency(now, &self.targets));
        self.answered(now, task, latency.max(usual));
    }

    /// A request to `task` had an error for an answer, or none. Of each try this, [`Self::answered`] or
    /// [`Self::declined`] is told, or nothing if nobody waited for it any more.
    pub fn failed(&mut self, now: Instant, task: TaskId) {
        if let Some(target) = self.target(task) {
            target.failed(now);
        }
    }

    /// An answer of `task` whose head had come was cut short: it was no better than an error.
    pub fn cut(&mut self, now: Instant, task: TaskId) {
        if let Some(target) = self.target(task) {
            target.cut(now);
        }
    }

    /// No answer of `task` had begun after `waited`, when another task's came: it would have taken
    /// longer, and nobody knows how much. It counts as twice as long.
    pub fn overtaken(&mut self, now: Instant, task: TaskId, waited: Duration) {
        self.answered(now, task, waited * 2);
    }

    /// One request of `task` less is in flight. `heard`: it was told how it went.
    pub fn release(&mut self, now: Instant, task: TaskId, heard: bool) {
        let Some(at) = self.targets.iter().position(|target| target.task() == task) else { return };
        let target = &mut self.targets[at];
        target.release(now, heard);
        if target.in_flight() == 0 && !target.in_rotation() {
            self.targets.remove(at);
        }
    }

    /// Who may get calls from now on.
    pub fn rotate(&mut self, now: Instant, rotation: &Rotation) {
        for target in self.targets.iter_mut().filter(|t| !rotation.contains(t.task())) {
            target.leave();
        }
        self.targets.retain(|target| target.in_rotation() || target.in_flight() > 0);
        let welcome = Welcome::among(now, self.config.slow_start, &self.targets);
        for member in &rotation.members {
            let at = self.targets.binary_search_by_key(&member.task, Target::task);
            let at = at.unwrap_or_else(|at| {
                self.targets.insert(at, Target::new(now, *member));
                at
            });
            self.targets[at].enter(now, *member, welcome);
        }
    }

    fn target(&mut self, task: TaskId) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.task() == task)
    }

    fn choice<'a>(&self, pick: &Pick<'a>) -> Choice<'a> {
        let most_in_flight = self.config.most_in_flight.unwrap_or(u32::MAX);
        let any = Choice { not: pick.not, ..Choice::any(most_in_flight) };
        let plain = |target: &Target| any.is_about(target) && !target.member().on_trial;
        let on_trial = !self.targets.iter().any(plain);
        // A revision of one task is not to make calls fail or wait that others could answer.
        let has_room = |revision: &Revision| {
            let only = Choice { revision: Some(*revision), on_trial, ..any };
            self.targets.iter().any(|target| only.has(target))
        };
        Choice { revision: pick.revision.filter(has_room), on_trial, ..any }
    }

    /// Finds the tasks among which the algorithm chooses. Slow start holds one back only as long as
    /// another one is there.
    fn open(&mut self, now: Instant, choice: Choice<'_>) {
        let slow_start = self.config.slow_start;
        self.open.clear();
        if !slow_start.is_zero() {
            let present = self.targets.iter().filter(|target| target.in_rotation());
            let weights = present.map(|target| u64::from(target.member().weight)).sum();
            let places = |target: &(usize, &mut Target)| choice.has(target.1);
            for (at, target) in self.targets.iter_mut().enumerate().filter(places) {
                if target.may_take(now, slow_start, weights) {
                    self.open.push(at);
                }
            }
        }
        if self.open.is_empty() {
            let places = self.targets.iter().enumerate().filter(|(_, target)| choice.has(target));
            self.open.extend(places.map(|(at, _)| at));
        }
    }
}

// === impl Choice ===

impl Choice<'_> {
    fn any(most_in_flight: u32) -> Self {
        Self { not: &[], revision: None, most_in_flight, on_trial: false }
    }

    fn is_about(&self, target: &Target) -> bool {
        target.in_rotation()
            && self.revision.is_none_or(|revision| revision == target.member().revision)
            && !self.not.contains(&target.task())
    }

    fn has(&self, target: &Target) -> bool {
        self.is_about(target) && target.member().on_trial == self.on_trial && self.has_room(target)
    }

    fn tries(&self, target: &Target) -> bool {
        self.is_about(target) && target.wants_trial() && self.has_room(target)
    }

    fn has_room(&self, target: &Target) -> bool {
        target.in_flight() < self.most_in_flight
    }
}

#[cfg(test)]
mod tests;
