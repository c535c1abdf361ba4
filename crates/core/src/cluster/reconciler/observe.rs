//! What the gateway sees and what it is told; what tasks use.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Reconciler, SIGHTINGS_COUNT_FOR};
use crate::cluster::limits::Usage;
use crate::cluster::plan::{Replace, Revision};
use crate::cluster::task::{Phase, Task};
use crate::endpoints::{Endpoint, Endpoints, Sightings, TaskId, Wanted};
use crate::record::{Cause, Decision};
use crate::time::Instant;

/// A task above its soft limit for so long is replaced; one that is half-way to where it dies, at once.
const OVER_FOR: Duration = Duration::from_secs(10);

impl Reconciler {
    pub(super) fn observe(&mut self, now: Instant, sightings: &Sightings) {
        if sightings.acknowledged > self.published.version {
            return self.number_from(sightings.acknowledged + 1);
        }
        self.acknowledged = sightings.acknowledged;
        let unbroken = self.informed(now);
        // Whoever writes for long hears late: what it hears then is no later for that.
        let at = sightings.at.unwrap_or(now);
        let first = self.sighted.filter(|_| unbroken).map_or(at, |(first, _)| first);
        self.sighted = Some((first, at));
        for task in &mut self.tasks {
            task.observe(now, sightings, unbroken);
        }
        self.stop_drained(now, sightings);
        let passed = self.tasks.iter().filter(|task| task.passed).count() as u32;
        self.filled |= passed >= self.count;
        self.watch(now, sightings.traffic);
        if sightings.acknowledged < self.published.version {
            // Perhaps it was lost, or the gateway was started again.
            self.actions.push_back(Action::Publish(self.published.clone()));
        }
    }

    fn stop_drained(&mut self, now: Instant, sightings: &Sightings) {
        if self.handover {
            return;
        }
        let drained = |task: &&Task| match task.phase {
            Phase::Draining { version, .. } => {
                let busy = sightings.of(task.id).is_some_and(|seen| seen.in_flight > 0);
                sightings.acknowledged >= version && !busy
            }
            _ => false,
        };
        let drained: Vec<TaskId> = self.tasks.iter().filter(drained).map(|task| task.id).collect();
        for id in drained {
            self.stop(now, id, Cause::Drained);
        }
    }

    /// The gateway goes by the numbers of an earlier agent. Ours go on from there; what it saw of
    /// that one's tasks is not about ours.
    fn number_from(&mut self, first: u64) {
        self.published.version = first;
        for task in &mut self.tasks {
            if let Phase::Draining { version, .. } = &mut task.phase {
                *version = first;
            }
        }
        self.actions.push_back(Action::Publish(self.published.clone()));
    }

    pub(super) fn publish(&mut self) {
        let tasks: Vec<_> = self.tasks.iter().filter_map(Task::endpoint).collect();
        let weights = self.weights(&tasks);
        let shape = |tasks: &[Endpoint]| -> Vec<_> {
            tasks.iter().map(|e| (e.task, e.address, e.wanted)).collect()
        };
        // An inherited verdict is no news to a gateway that lives: it does not make a version.
        let before = &self.published;
        let same = weights == before.weights && self.down == before.down;
        if same && shape(&tasks) == shape(&before.tasks) {
            self.published.tasks = tasks;
        } else {
            let version = self.published.version + 1;
            self.published = Endpoints { version, tasks, weights, down: self.down };
            self.actions.push_back(Action::Publish(self.published.clone()));
        }
    }

    /// While a canary is out, its revision gets its share of the requests and the others the rest.
    fn weights(&self, tasks: &[Endpoint]) -> BTreeMap<Revision, u32> {
        let new = self.deployment.revision;
        let Some(canary) = self.canary() else { return BTreeMap::new() };
        let wanted = || tasks.iter().filter(|e| e.wanted == Wanted::InRotation);
        let of = |revision| wanted().filter(|e| e.revision == revision).count() as u32;
        let old: Vec<Revision> = wanted().map(|e| e.revision).filter(|r| *r != new).collect();
        if of(new) == 0 || old.is_empty() {
            return BTreeMap::new();
        }
        let (rest, all) = (100_u32.saturating_sub(canary.percent), old.len() as u32);
        let share = |revision: Revision| (revision, rest * of(revision) / all);
        old.into_iter().map(share).chain([(new, canary.percent)]).collect()
    }

    /// A task that needs more memory for a while than one of its revision should is replaced before it
    /// dies, one at a time; one that may die soon does not wait for others.
    pub(super) fn measure(&mut self, now: Instant, usage: &[(TaskId, Usage)]) {
        for task in &mut self.tasks {
            let Some((_, usage)) = usage.iter().find(|(id, _)| *id == task.id) else { continue };
            let before = task.over.filter(|(_, last)| now.since(*last) <= SIGHTINGS_COUNT_FOR);
            let first = before.map_or(now, |(first, _)| first);
            let limits = self.limits.get(&task.revision);
            let limit = limits.and_then(|limits| limits.memory_soft);
            task.over = limit.filter(|limit| usage.memory > *limit).map(|_| (first, now));
        }
        for (id, Usage { memory: used, .. }) in usage {
            let waits = |task: &Task| matches!(task.replace, Some(Replace::Memory { .. }));
            let one_waits = self.tasks.iter().any(waits);
            let Some(task) = self.tasks.iter_mut().find(|task| task.id == *id) else { continue };
            let Some(limits) = self.limits.get(&task.revision) else { continue };
            let (Some((first, last)), Some(limit)) = (task.over, limits.memory_soft) else {
                continue;
            };
            let soon = limits.memory.is_some_and(|most| *used >= limit.midpoint(most));
            let ripe = soon || last.since(first) >= OVER_FOR && !one_waits;
            if ripe && task.is_running() && task.replace.is_none() {
                task.replace = Some(Replace::Memory { used: *used, limit });
                self.record(now, *id, Decision::Replace, Cause::Memory { used: *used, limit });
            }
        }
    }
}
