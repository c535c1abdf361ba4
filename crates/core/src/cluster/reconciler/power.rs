//! Machines without power: what is there is dead, and what is to come can only be elsewhere.

use super::{Action, Reconciler, Signal};
use crate::cluster::spread::{Location, Site};
use crate::cluster::task::{Phase, Task};
use crate::endpoints::TaskId;
use crate::record::{Cause, Decision};
use crate::time::Instant;

impl Reconciler {
    /// Its tasks die with a machine, which is nobody's fault: no start waits for it, and no revision is blamed.
    pub(super) fn power_off(&mut self, now: Instant, sites: Vec<Site>) {
        let (new, over) = (beyond(&sites, &self.off), beyond(&self.off, &sites));
        self.off = sites;
        for site in over {
            self.record_all(now, Decision::Machines, Cause::PowerOn { site });
        }
        for site in new {
            self.record_all(now, Decision::Machines, Cause::PowerOff { site: site.clone() });
            let there = |task: &&Task| task.location.as_ref().is_some_and(|at| site.has(at));
            let dead: Vec<TaskId> = self.tasks.iter().filter(there).map(|task| task.id).collect();
            for id in dead {
                self.kill(now, id, Cause::PowerOff { site: site.clone() });
            }
        }
    }

    /// Where tasks can come.
    pub(super) fn machines(&self) -> Vec<Location> {
        self.lit().cloned().collect()
    }

    /// Whether tasks can come nowhere.
    pub(super) fn has_no_power(&self) -> bool {
        !self.config.machines.is_empty() && self.lit().next().is_none()
    }

    fn lit(&self) -> impl Iterator<Item = &Location> {
        let is_on = |machine: &&Location| !self.off.iter().any(|site| site.has(machine));
        self.config.machines.iter().filter(is_on)
    }

    /// At once, in whatever phase.
    fn kill(&mut self, now: Instant, id: TaskId, cause: Cause) {
        let Some(task) = self.task(id) else { return };
        match task.phase {
            Phase::Provisioning { .. } => {
                self.tasks.retain(|task| task.id != id);
                self.record(now, id, Decision::Gone, cause);
            }
            Phase::Launching { port }
            | Phase::Running { port, .. }
            | Phase::Draining { port, .. }
            | Phase::Stopping { port, .. } => {
                task.phase = Phase::Stopping { port, kill_at: None };
                self.record(now, id, Decision::Kill, cause);
                self.actions.push_back(Action::Signal(id, Signal::Kill));
            }
        }
    }
}

/// Those of `all` that are not among `others`.
fn beyond(all: &[Site], others: &[Site]) -> Vec<Site> {
    all.iter().filter(|site| !others.contains(site)).cloned().collect()
}
