//! What can be seen of a fleet from outside.

use seaworthy_core::call::{RouteId, Standing};
use seaworthy_core::cluster::View;
use seaworthy_core::cluster::deployment::DeploymentView;
use seaworthy_core::endpoints::{Sightings, TaskId};

use super::caller::Calls;
use super::task::Process;
use super::{Overheard, Program, Tries, World};

impl World {
    /// Keeps what core and gateways say to each other from now on.
    pub fn overhear(&mut self) {
        self.overheard = Some(Vec::new());
    }

    /// What was kept since this was last asked.
    pub fn overheard(&mut self) -> Vec<Overheard> {
        self.overheard.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The tasks of the service at `place` that are not gone.
    pub fn views(&self, place: usize) -> Vec<View> {
        self.services[place].control.reconciler.views()
    }

    /// How many tasks of it there should be.
    pub fn desired_count(&self, place: usize) -> u32 {
        self.services[place].control.reconciler.desired_count()
    }

    /// Its deployment that is under way, or the last one.
    pub fn deployment(&self, place: usize) -> DeploymentView {
        self.services[place].control.reconciler.deployment()
    }

    /// Why nothing more is done for it now, for people.
    pub fn explain(&self, place: usize) -> Vec<String> {
        self.services[place].control.reconciler.explain(self.now)
    }

    /// What the gateway sees of it now.
    pub fn sightings(&self, place: usize) -> Sightings {
        let group = &self.services[place].data.group;
        group.sightings(self.now, group.version())
    }

    /// What the agent was told last, if it was told anything.
    pub fn told(&self, place: usize) -> Option<&Sightings> {
        self.services[place].control.told.as_ref()
    }

    /// Calls of it that wait.
    pub fn queued(&self, place: usize) -> usize {
        self.services[place].data.group.queued()
    }

    /// How the policies before a route of it stand.
    pub fn standing(&mut self, place: usize, route: RouteId) -> Standing {
        self.services[place].data.group.standing(self.now, route)
    }

    /// By which number requests to it for this `target` are hashed, if it says what counts.
    pub(crate) fn affinity(&self, place: usize, target: &str) -> Option<u64> {
        self.services[place].data.affinity(target)
    }

    /// How often its calls were tried.
    pub fn tries(&self, place: usize) -> Tries {
        self.services[place].data.tries()
    }

    /// The calls of its tasks to other services.
    pub(crate) fn calls(&mut self, place: usize) -> impl Iterator<Item = (TaskId, &mut Calls)> {
        let processes = self.services[place].processes.iter_mut();
        processes.filter_map(|(task, process)| Some((*task, &mut **process.calls.as_mut()?)))
    }

    /// Tries of calls between services that are not over.
    pub(crate) fn between(&self) -> usize {
        self.between.under_way()
    }

    /// Requests that its tasks have taken and not begun to work on.
    pub fn backlog(&self, place: usize) -> usize {
        self.services[place].processes.values().map(Process::backlog).sum()
    }

    /// What a task runs, if its process does.
    pub(crate) fn program(&self, task: TaskId) -> Option<Program> {
        let processes = &self.services[self.place(task)].processes;
        processes.get(&task).map(|process| process.program)
    }

    /// The agent writes down what it has decided, and decides nothing else before.
    pub(crate) fn agent_is_busy(&self) -> bool {
        self.now < self.agent_is_busy_until || !self.inbox.is_empty()
    }

    /// The tasks of it whose processes run.
    pub fn running(&self, place: usize) -> impl Iterator<Item = TaskId> {
        self.services[place].processes.keys().copied()
    }
}
