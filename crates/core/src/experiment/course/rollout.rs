//! How a deployment went, and what waits for it to have come so far.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Course, Inflicted, Life, Stage};
use crate::endpoints::TaskId;
use crate::experiment::{Fault, FaultKind, Once};
use crate::record::Cause;
use crate::time::Instant;

/// How a deployment went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What began it.
    pub fault: Fault,
    /// From then to the decision to start the first new task.
    pub started: Option<Duration>,
    /// From then to the moment in which only tasks of the new revision were there, and as many in
    /// rotation as there should be; none if that never came.
    pub done: Option<Duration>,
    /// From then to the moment since which, after new ones had come, only old ones were there, and as
    /// many in rotation as there should be; none if it was not so to the end.
    pub back: Option<Duration>,
    /// The fewest old ones in rotation from then on.
    pub kept: u32,
}

// === impl Course ===

impl Course {
    /// When `fault` is to be done, if that is known yet.
    pub fn due(&self, fault: &Fault) -> Option<Instant> {
        let Some(once) = fault.once else { return Some(self.begin? + fault.at) };
        let FaultKind::End { service, .. } = fault.kind else { return None };
        let begun = |inflicted: &&Inflicted| {
            inflicted.fault.at == fault.at && inflicted.fault.deploys() == Some(service)
        };
        let deployment = self.inflicted.iter().find(begun)?;
        match once {
            Once::NewTaskStarted => self.brought(deployment),
            Once::NewTaskServes => {
                self.tasks(deployment, true).filter_map(|life| life.entered).min()
            }
            Once::OldTaskLeft => {
                let left = |life: &Life| Some(life.left_since(deployment.at)?.0);
                self.tasks(deployment, false).filter_map(left).min()
            }
        }
    }

    /// When the last fault was that waited for something, from the first moment of the load.
    pub fn last_awaited(&self) -> Option<Duration> {
        let begin = self.begin?;
        let awaited = self.inflicted.iter().filter(|inflicted| inflicted.fault.once.is_some());
        awaited.map(|inflicted| inflicted.at.since(begin)).max()
    }

    /// The deployments of services that should have so many tasks, by their place.
    pub fn rollouts(&self, desired: &[u32]) -> Vec<Rollout> {
        let rollout = |deployment: &Inflicted| {
            let desired = *desired.get(deployment.fault.deploys()?)?;
            let since = |at: Instant| at.since(deployment.at);
            Some(Rollout {
                fault: deployment.fault.clone(),
                started: self.brought(deployment).map(since),
                done: self.done(deployment, desired).map(since),
                back: self.back(deployment, desired).map(since),
                kept: self.kept(deployment),
            })
        };
        self.inflicted.iter().filter_map(rollout).collect()
    }

    /// The fewest in rotation, and the most that were there, of the service at `place` since the load
    /// began.
    pub fn fewest_and_most(&self, place: usize) -> (u32, u32) {
        let Some(begin) = self.begin else { return (0, 0) };
        let count = |at: Instant, counts: fn(Stage) -> bool| {
            let there = self.lives_of(place).filter_map(|(_, life)| life.stage_at(at));
            there.filter(|stage| counts(*stage)).count() as u32
        };
        let moments = || std::iter::once(begin).chain(self.changes(begin));
        let serving = moments().map(|at| count(at, |stage| stage == Stage::InRotation));
        let there = moments().map(|at| count(at, |stage| stage != Stage::Gone));
        (serving.min().unwrap_or_default(), there.max().unwrap_or_default())
    }

    /// When the first task was started that a deployment brought.
    pub(super) fn brought(&self, deployment: &Inflicted) -> Option<Instant> {
        self.tasks(deployment, true).filter_map(|life| life.started).min()
    }

    /// Whether a task left as a deployment has it: one of an old revision makes room, and what becomes
    /// of a new one is what the drill is about.
    pub(super) fn deployed_away(&self, task: TaskId, life: &Life) -> bool {
        self.inflicted.iter().filter(|done| self.is_for(done, task)).any(|deployment| {
            let makes_room = |(_, cause): &(Instant, Cause)| {
                matches!(cause, Cause::OldRevision | Cause::Surplus { .. })
            };
            self.is_new(deployment, life) || life.left_since(deployment.at).is_some_and(makes_room)
        })
    }

    fn is_for(&self, done: &Inflicted, task: TaskId) -> bool {
        done.fault.deploys().is_some_and(|place| self.is_of(task, place))
    }

    fn done(&self, deployment: &Inflicted, desired: u32) -> Option<Instant> {
        let is_done = |at: &Instant| self.only(deployment, true, *at, desired);
        self.changes(deployment.at).into_iter().find(is_done)
    }

    fn back(&self, deployment: &Inflicted, desired: u32) -> Option<Instant> {
        let is_back = |at: &Instant| self.only(deployment, false, *at, desired);
        let brought = self.brought(deployment)?;
        self.changes(brought).into_iter().rev().take_while(is_back).last()
    }

    fn kept(&self, deployment: &Inflicted) -> u32 {
        let moments = std::iter::once(deployment.at).chain(self.changes(deployment.at));
        moments.map(|at| self.serving(deployment, false, at)).min().unwrap_or_default()
    }

    /// Whether only new tasks were there, or only old ones, and `desired` of them in rotation.
    fn only(&self, deployment: &Inflicted, new: bool, at: Instant, desired: u32) -> bool {
        let gone = |life: &Life| life.stage_at(at).is_none_or(|stage| stage == Stage::Gone);
        self.serving(deployment, new, at) >= desired && self.tasks(deployment, !new).all(gone)
    }

    fn serving(&self, deployment: &Inflicted, new: bool, at: Instant) -> u32 {
        let serves = |life: &&Life| life.stage_at(at) == Some(Stage::InRotation);
        self.tasks(deployment, new).filter(serves).count() as u32
    }

    /// When anything changed since then.
    fn changes(&self, since: Instant) -> BTreeSet<Instant> {
        let changes = self.lives.values().flat_map(|life| &life.stages).map(|(at, _)| *at);
        changes.filter(|at| *at >= since).collect()
    }

    /// Tasks that a deployment brought, or those of revisions that were there before it.
    fn tasks(&self, deployment: &Inflicted, new: bool) -> impl Iterator<Item = &Life> {
        let lives = self.lives().filter(|(task, _)| self.is_for(deployment, *task));
        lives.map(|(_, life)| life).filter(move |life| self.is_new(deployment, life) == new)
    }

    /// Whether a task of its service is of a later revision than any that there was before it began. In
    /// virtual time its first task is started in the very moment in which it begins.
    fn is_new(&self, deployment: &Inflicted, life: &Life) -> bool {
        let was = |(_, life): &(TaskId, &Life)| {
            life.stages.first().is_some_and(|(at, _)| *at < deployment.at)
        };
        let of = self.lives().filter(|(task, _)| self.is_for(deployment, *task));
        let latest = of.filter(was).map(|(_, life)| life.revision).max();
        life.revision > latest.unwrap_or_default()
    }
}
