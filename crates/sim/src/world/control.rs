//! The way of control of one service: the agent, without its processes and files.

use seaworthy_core::cluster::autoscaler::{Autoscaler, Change, Observation};
use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler, Snapshot};
use seaworthy_core::cluster::{self, Numbers, View};
use seaworthy_core::endpoints::{Sightings, TaskId, Traffic};
use seaworthy_core::fleet::Service;
use seaworthy_core::machine::drive;
use seaworthy_core::time::Instant;

/// The first port that is given to a task. It stands for an address and nothing else.
const FIRST_PORT: u16 = 1024;
/// So many are given at one moment at most: an agent that never has enough must not stop time, or nobody
/// would see what is wrong with it.
const MOST_PORTS: u32 = 1000;

/// The way of control of one service.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) reconciler: Reconciler,
    /// As it was told last.
    config: cluster::Config,
    seed: u64,
    numbers: Numbers,
    autoscaler: Option<Autoscaler>,
    /// What clients got, as last heard, since the autoscaler was last asked.
    traffic: Option<Traffic>,
    /// What the gateway has told last.
    pub(super) told: Option<Sightings>,
    /// What the next agent would begin with, as it was written down last.
    stored: Option<Snapshot>,
    /// The version of the endpoints that were published last.
    pub(super) published: u64,
    port: u16,
    needs_port: bool,
}

// === impl Control ===

impl Control {
    pub(super) fn new(service: &Service, seed: u64, numbers: Numbers) -> Self {
        Self {
            reconciler: Reconciler::new(service.cluster.clone(), seed, numbers),
            config: service.cluster.clone(),
            seed,
            numbers,
            autoscaler: service.cluster.autoscaling.clone().map(Autoscaler::new),
            traffic: None,
            told: None,
            stored: None,
            published: 0,
            port: FIRST_PORT,
            needs_port: true,
        }
    }

    /// The next agent goes on with what this one has written down, and these tasks run.
    pub(super) fn restore(&mut self, now: Instant, running: &[TaskId], forgetful: bool) {
        let (config, mut snapshot) = (self.config.clone(), self.reconciler.snapshot());
        if forgetful {
            snapshot = snapshot.renumbered();
        }
        self.reconciler =
            Reconciler::restore(config, self.seed, self.numbers, snapshot, running, now);
        self.renew();
        (self.traffic, self.told) = (None, None);
        self.needs_port = true;
    }

    /// The service is meant otherwise: its autoscaler has seen nothing of it yet.
    pub(super) fn renew(&mut self) {
        self.autoscaler = self.config.autoscaling.clone().map(Autoscaler::new);
    }

    /// Tells core, and returns what it wants. The next task always has a port.
    pub(super) fn drive(&mut self, now: Instant, event: Option<Event>) -> Vec<Action> {
        if let Some(Event::Sightings(seen)) = &event {
            self.traffic = Some(seen.traffic);
            self.told = Some(seen.clone());
        }
        if let Some(Event::Deploy(config, _)) = &event {
            self.config.clone_from(config);
            self.renew();
        }
        let mut actions = Vec::new();
        drive(&mut self.reconciler, now, event, |action| actions.push(action));
        for _ in 0..MOST_PORTS {
            let takes_it = |action: &Action| match action {
                Action::Launch { port, .. } => *port == self.port,
                _ => false,
            };
            if !self.needs_port && !actions.iter().any(takes_it) {
                break;
            }
            self.needs_port = false;
            self.port = self.port.checked_add(1).unwrap_or(FIRST_PORT);
            let port = Event::Port(self.port);
            drive(&mut self.reconciler, now, Some(port), |action| actions.push(action));
        }
        actions
    }

    /// Whether it has changed since this was last asked: then it is written down.
    pub(super) fn is_news(&mut self) -> bool {
        let snapshot = Some(self.reconciler.snapshot());
        std::mem::replace(&mut self.stored, snapshot) != self.stored
    }

    /// What becomes of the number of tasks that there should be, if anything does.
    pub(super) fn sample(&mut self, now: Instant) -> Option<Change> {
        let autoscaler = self.autoscaler.as_mut()?;
        // A gateway that is silent tells nothing.
        let traffic = self.traffic.take()?;
        let in_rotation = self.reconciler.views().into_iter().filter(View::is_in_rotation).count();
        let seen = Observation {
            desired: self.reconciler.desired_count(),
            in_rotation: in_rotation as u32,
            traffic,
            cpu: None,
            deploying: self.reconciler.is_deploying(),
        };
        autoscaler.observe(now, &seen)
    }
}
