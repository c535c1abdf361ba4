//! What tasks may use of the machine, and what they use.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::cluster::limits::{Limits, Usage};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

use crate::cgroup::{Cgroups, Enforcement, Group};
use crate::directory::Directory;
use crate::exec::Within;
use crate::processes::Identity;
use crate::say::say;
use crate::usage::{Meter, Watched, over};

/// The limits of all tasks, and what they use.
pub(super) struct Resources {
    /// None where the kernel limits nothing for us.
    cgroups: Option<Cgroups>,
    groups: BTreeMap<TaskId, Group>,
    limits: BTreeMap<TaskId, Limits>,
    meter: Meter,
    usage: BTreeMap<TaskId, Usage>,
    /// Those that we had killed for their memory.
    killed: BTreeSet<TaskId>,
}

// === impl Resources ===

impl Resources {
    /// Nothing is limited yet. `limited`: something is going to be.
    pub(super) fn new(directory: &Directory, limited: bool) -> Self {
        let found = limited.then(|| Cgroups::find(directory.path()));
        let cgroups = found.and_then(|found| {
            found.map_err(|why| say(format_args!("agent: limits are only observed: {why}"))).ok()
        });
        Self {
            cgroups,
            groups: BTreeMap::new(),
            limits: BTreeMap::new(),
            meter: Meter::new(),
            usage: BTreeMap::new(),
            killed: BTreeSet::new(),
        }
    }

    /// A task that runs already.
    pub(super) fn adopt(&mut self, task: TaskId, process: Identity, limits: Limits) {
        self.limits.insert(task, limits);
        let group = self.cgroups.as_ref().and_then(|cgroups| cgroups.adopt(task, process));
        self.groups.extend(group.map(|group| (task, group)));
    }

    /// Ends what earlier tasks have left.
    pub(super) fn release_others(&mut self) {
        let kept = self.groups.keys().copied().collect();
        self.cgroups.iter_mut().for_each(|cgroups| cgroups.release_others(&kept));
    }

    /// What a task that is about to start is to be put in.
    pub(super) fn within(&mut self, task: TaskId, limits: Limits) -> Within {
        self.limits.insert(task, limits);
        if limits.cpu.is_none() && limits.memory.is_none() {
            return Within::default();
        }
        let created = self.cgroups.as_mut().map(|cgroups| cgroups.create(task, &limits));
        match created {
            Some(Ok(group)) => {
                let within = Within::group(&group);
                self.groups.insert(task, group);
                within
            }
            Some(Err(error)) => {
                say(format_args!("agent: the limits of {task} are only observed: {error}"));
                Within::observed(&limits)
            }
            None => Within::observed(&limits),
        }
    }

    /// A task is gone; whether it was killed for its memory.
    pub(super) fn gone(&mut self, task: TaskId) -> bool {
        self.limits.remove(&task);
        self.usage.remove(&task);
        let group = self.groups.remove(&task);
        let by_kernel = group.as_ref().is_some_and(Group::was_killed_for_memory);
        if let (Some(cgroups), Some(group)) = (&mut self.cgroups, group) {
            cgroups.release(group);
        }
        self.killed.remove(&task) || by_kernel
    }

    /// Looks at what tasks use; returns those that have to be killed for it.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        processes: &BTreeMap<TaskId, Identity>,
    ) -> Vec<TaskId> {
        let limits = |task| self.limits.get(task).copied().unwrap_or_default();
        let watched: Vec<Watched> = processes
            .iter()
            .map(|(task, process)| Watched { task: *task, process: *process, limits: limits(task) })
            .collect();
        let samples = self.meter.sample(now, &watched);
        self.usage = samples.into_iter().map(|sample| (sample.task, sample.usage)).collect();
        let too_much = |(task, usage): (&TaskId, &Usage)| {
            let group = self.groups.get(task);
            let killed = group.is_some_and(Group::was_killed_for_memory);
            let over = group.is_none() && over(self.limits.get(task)?.memory, usage);
            (killed || over).then_some(*task)
        };
        let too_much: Vec<TaskId> = self.usage.iter().filter_map(too_much).collect();
        self.killed.extend(too_much.iter().copied());
        for error in self.cgroups.iter_mut().flat_map(Cgroups::sweep) {
            say(format_args!("agent: a control group stays: {error}"));
        }
        too_much
    }

    pub(super) fn usage(&self) -> &BTreeMap<TaskId, Usage> {
        &self.usage
    }

    /// How the limits of a task are kept, if it has any.
    pub(super) fn enforcement(&self, task: TaskId) -> Option<Enforcement> {
        let limits = self.limits.get(&task)?;
        let limited = limits.cpu.is_some() || limits.memory.is_some();
        let kept = || match (&self.cgroups, self.groups.contains_key(&task)) {
            (Some(cgroups), true) => cgroups.enforcement(),
            _ => Enforcement::Observed,
        };
        limited.then(kept)
    }
}
