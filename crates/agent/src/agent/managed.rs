//! One service of the fleet, as the agent manages it.

use std::collections::BTreeMap;

use seaworthy_core::cluster::autoscaler::{Autoscaler, Change, Observation};
use seaworthy_core::cluster::limits::{Limits, Usage};
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler};
use seaworthy_core::cluster::{Numbers, View};
use seaworthy_core::endpoints::{About, Endpoints, TaskId, Traffic};
use seaworthy_core::fleet::Service;
use seaworthy_core::machine::drive;
use seaworthy_core::time::Instant;
use tokio::net::UnixDatagram;

use super::store::{Revisions, StoredService, same_task};
use crate::messages::TaskView;
use crate::processes::Identity;

/// One service of the fleet.
pub(super) struct Managed {
    /// As it is meant now.
    pub(super) service: Service,
    pub(super) numbers: Numbers,
    pub(super) revisions: Revisions,
    pub(super) reconciler: Reconciler,
    autoscaler: Option<Autoscaler>,
    /// What clients got, as last heard, since the autoscaler was last asked.
    traffic: Option<Traffic>,
    /// The last time, no port could be had for its next task.
    pub(super) needs_port: bool,
    /// For the gateway, as long as it does not take it.
    pub(super) unpublished: Option<Endpoints>,
}

// === impl Managed ===

impl Managed {
    /// A service of which nothing is known.
    pub(super) fn new(service: Service, seed: u64, numbers: Numbers, at: u64) -> Self {
        let reconciler = Reconciler::new(service.cluster.clone(), seed, numbers);
        let revisions = Revisions::first(service.clone(), at);
        Self::with(service, numbers, revisions, reconciler)
    }

    /// One that an earlier agent managed; `running` are the tasks that have a process.
    pub(super) fn restore(
        now: Instant,
        seed: u64,
        stored: StoredService,
        running: &[TaskId],
    ) -> Self {
        let StoredService { meant, numbers, revisions, snapshot } = stored;
        let config = meant.cluster.clone();
        let reconciler = Reconciler::restore(config, seed, numbers, snapshot, running, now);
        Self::with(meant, numbers, revisions, reconciler)
    }

    fn with(
        service: Service,
        numbers: Numbers,
        revisions: Revisions,
        reconciler: Reconciler,
    ) -> Self {
        let autoscaler = service.cluster.autoscaling.clone().map(Autoscaler::new);
        let (needs_port, unpublished) = (true, None);
        Self {
            service,
            numbers,
            revisions,
            reconciler,
            autoscaler,
            traffic: None,
            needs_port,
            unpublished,
        }
    }

    /// Whether a task that is not gone is of this service.
    pub(super) fn owns(&self, task: TaskId) -> bool {
        self.reconciler.views().iter().any(|view| view.task == task)
    }

    /// Whether what outlives the agent is `stored` as it is. Revisions only come, each with the next
    /// number, so none of them is looked into.
    pub(super) fn is_stored(&self, stored: &BTreeMap<String, StoredService>) -> bool {
        stored.get(&self.service.name).is_some_and(|stored| {
            stored.numbers == self.numbers
                && stored.revisions.latest().0 == self.revisions.latest().0
                && stored.meant == self.service
                && stored.snapshot == self.reconciler.snapshot()
        })
    }

    /// What outlives the agent.
    pub(super) fn stored(&self) -> StoredService {
        StoredService {
            meant: self.service.clone(),
            numbers: self.numbers,
            revisions: self.revisions.clone(),
            snapshot: self.reconciler.snapshot(),
        }
    }

    /// Tells core, and returns what it wants.
    pub(super) fn drive(&mut self, now: Instant, event: Option<Event>) -> Vec<Action> {
        if let Some(Event::Sightings(sightings)) = &event {
            self.traffic = Some(sightings.traffic);
        }
        let mut actions = Vec::new();
        drive(&mut self.reconciler, now, event, |action| actions.push(action));
        actions
    }

    /// `service` is meant from now on. Tasks are made anew if they would not be made as those of the
    /// current revision are, or if that is asked for.
    pub(super) fn meant(&mut self, service: Service, at: u64, anew: bool) -> Event {
        let current = self.reconciler.revision();
        let as_before = same_task(&self.revisions.of(current).service, &service);
        let revision = if as_before && !anew {
            self.revisions.amend(current, service.clone());
            current
        } else {
            let used: Vec<Revision> =
                self.reconciler.views().iter().map(|view| view.revision).chain([current]).collect();
            self.revisions.register(service.clone(), at, &used)
        };
        self.autoscaler = service.cluster.autoscaling.clone().map(Autoscaler::new);
        let config = Box::new(service.cluster.clone());
        self.service = service;
        Event::Deploy(config, revision)
    }

    /// What a task may use: its revision says it.
    pub(super) fn limits_of(&self, task: &View) -> Limits {
        self.revisions.of(task.revision).service.cluster.limits
    }

    /// Asks the autoscaler, if there is one.
    pub(super) fn autoscale(
        &mut self,
        now: Instant,
        usage: &BTreeMap<TaskId, Usage>,
    ) -> Option<Change> {
        self.autoscaler.as_ref()?;
        // A gateway that is silent tells nothing.
        let traffic = self.traffic.take()?;
        let in_rotation = self.reconciler.views().into_iter().filter(View::is_in_rotation);
        let in_rotation: Vec<View> = in_rotation.collect();
        let allowed = in_rotation.iter().map(|view| self.limits_of(view).cpu.unwrap_or(1000));
        let allowed: u32 = allowed.sum();
        let used = in_rotation.iter().map(|view| usage.get(&view.task).map(|usage| usage.cpu));
        let used: Option<u32> = used.sum();
        let observation = Observation {
            desired: self.reconciler.desired_count(),
            in_rotation: in_rotation.len() as u32,
            traffic,
            cpu: used.and_then(|used| {
                (u64::from(used) * 1000).checked_div(allowed.into()).map(|cpu| cpu as u32)
            }),
            deploying: self.reconciler.is_deploying(),
        };
        self.autoscaler.as_mut()?.observe(now, &observation)
    }

    pub(super) fn views(
        &self,
        processes: &BTreeMap<TaskId, Identity>,
    ) -> impl Iterator<Item = TaskView> {
        self.reconciler.views().into_iter().map(|view| TaskView {
            service: self.service.name.clone(),
            process: processes.get(&view.task).copied(),
            view,
        })
    }

    /// Tells the gateway what it is to know, if it takes it.
    pub(super) fn publish(&mut self, gateway: &UnixDatagram) {
        if let Some(snapshot) = self.unpublished.take() {
            let about = About { service: self.service.name.clone(), snapshot };
            let bytes = serde_json::to_vec(&about).expect("endpoints are plain data");
            if gateway.try_send(&bytes).is_err() {
                self.unpublished = Some(about.snapshot);
            }
        }
    }
}

/// The service whose task it is, or was, as far as that is known. Those that were there when another
/// service came have numbers of before.
pub(super) fn name_of(services: &[Managed], task: TaskId) -> String {
    let mut by_number = services.iter().filter(|managed| managed.numbers.include(task));
    let managed = by_number.next().or_else(|| services.iter().find(|managed| managed.owns(task)));
    managed.map(|managed| managed.service.name.clone()).unwrap_or_default()
}
