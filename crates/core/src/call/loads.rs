//! What each task of a service carries.

use std::time::Duration;

use crate::balance::{Algorithm, Balancer, Candidate};
use crate::endpoints::TaskId;
use crate::health::{Member, Rotation};
use crate::time::Instant;

/// What a task is chosen by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick<'a> {
    pub(super) preferred: Option<TaskId>,
    pub(super) affinity: u64,
    pub(super) safe: bool,
    pub(super) not: &'a [TaskId],
}

/// Tasks and their requests in flight, and whose turn it is.
#[derive(Debug)]
pub(super) struct Loads {
    balancer: Balancer,
    /// In ascending order; kept while in rotation or busy.
    tasks: Vec<Load>,
}

/// What one task carries.
#[derive(Debug)]
struct Load {
    task: TaskId,
    in_flight: u32,
    in_rotation: bool,
}

// === impl Loads ===

impl Loads {
    /// No task at all.
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { balancer: Balancer::new(algorithm), tasks: Vec::new() }
    }

    pub(super) fn in_flight(&self, task: TaskId) -> u32 {
        self.tasks.iter().find(|load| load.task == task).map_or(0, |load| load.in_flight)
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = (TaskId, bool)> {
        self.tasks.iter().map(|load| (load.task, load.in_rotation))
    }

    /// Whether anybody may get a call.
    pub(super) fn any_in_rotation(&self) -> bool {
        self.tasks.iter().any(|load| load.in_rotation)
    }

    pub(super) fn pick(&mut self, _now: Instant, pick: &Pick<'_>) -> Option<TaskId> {
        let open = |load: &&Load| load.in_rotation && !pick.not.contains(&load.task);
        let is_preferred = |load: &&Load| open(load) && Some(load.task) == pick.preferred;
        if let Some(preferred) = self.tasks.iter().find(is_preferred) {
            return Some(preferred.task);
        }
        let candidate = |load: &Load| Candidate { task: load.task, in_flight: load.in_flight };
        self.balancer.pick(self.tasks.iter().filter(open).map(candidate))
    }

    /// One more request is in flight.
    pub(super) fn take(&mut self, _now: Instant, task: TaskId) {
        if let Some(load) = self.tasks.iter_mut().find(|load| load.task == task) {
            load.in_flight += 1;
        }
    }

    pub(super) fn answered(&mut self, _now: Instant, _task: TaskId, _latency: Duration) {}
    pub(super) fn overtaken(&mut self, _now: Instant, _task: TaskId, _waited: Duration) {}
    pub(super) fn failed(&mut self, _now: Instant, _task: TaskId) {}

    /// One less is.
    pub(super) fn release(&mut self, _now: Instant, task: TaskId) {
        let Some(at) = self.tasks.iter().position(|load| load.task == task) else { return };
        let load = &mut self.tasks[at];
        load.in_flight -= 1;
        if load.in_flight == 0 && !load.in_rotation {
            self.tasks.remove(at);
        }
    }

    pub(super) fn rotate(&mut self, _now: Instant, rotation: &Rotation) {
        for load in &mut self.tasks {
            load.in_rotation = rotation.contains(load.task);
        }
        self.tasks.retain(|load| load.in_rotation || load.in_flight > 0);
        for &Member { task, .. } in &rotation.members {
            if let Err(at) = self.tasks.binary_search_by_key(&task, |load| load.task) {
                self.tasks.insert(at, Load { task, in_flight: 0, in_rotation: true });
            }
        }
    }
}
