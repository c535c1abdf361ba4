//! What each task of a service carries.

use crate::balance::{Algorithm, Balancer, Candidate};
use crate::endpoints::TaskId;
use crate::health::{Member, Rotation};

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

    /// `preferred` if it is in rotation, or whose turn it is.
    pub(super) fn first(&mut self, preferred: Option<TaskId>) -> Option<TaskId> {
        let open = |load: &&Load| load.in_rotation && Some(load.task) == preferred;
        let preferred = self.tasks.iter().find(open).map(|load| load.task);
        preferred.or_else(|| self.pick(&[]))
    }

    /// Chooses among the tasks in rotation that are not in `failed`.
    pub(super) fn pick(&mut self, failed: &[TaskId]) -> Option<TaskId> {
        let open = |load: &&Load| load.in_rotation && !failed.contains(&load.task);
        let candidate = |load: &Load| Candidate { task: load.task, in_flight: load.in_flight };
        self.balancer.pick(self.tasks.iter().filter(open).map(candidate))
    }

    /// One more request is in flight.
    pub(super) fn take(&mut self, task: TaskId) {
        if let Some(load) = self.tasks.iter_mut().find(|load| load.task == task) {
            load.in_flight += 1;
        }
    }

    /// One less is.
    pub(super) fn release(&mut self, task: TaskId) {
        let Some(at) = self.tasks.iter().position(|load| load.task == task) else { return };
        let load = &mut self.tasks[at];
        load.in_flight -= 1;
        if load.in_flight == 0 && !load.in_rotation {
            self.tasks.remove(at);
        }
    }

    pub(super) fn rotate(&mut self, rotation: &Rotation) {
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
