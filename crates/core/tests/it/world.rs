//! A cluster in virtual time around a reconciler: processes that start, serve, sicken and die, and
//! a gateway that sees it all a little later.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler, Signal};
use seaworthy_core::cluster::{Config, Numbers};
use seaworthy_core::endpoints::{Endpoints, Health, Sighting, Sightings, TaskId, Wanted};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::record::{Exit, Record};
use seaworthy_core::time::Instant;

/// How long things take here.
const SPAWN: Duration = Duration::from_millis(1);
const BOOT: Duration = Duration::from_millis(100);
const EXIT: Duration = Duration::from_millis(5);
const LINK: Duration = Duration::from_millis(2);
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) reconciler: Reconciler,
    pub(crate) records: Vec<Record>,
    pub(crate) processes: BTreeMap<TaskId, Process>,
    /// The gateway says nothing.
    pub(crate) gateway_silent: bool,
    /// New processes die before they serve.
    pub(crate) starts_fail: bool,
    /// What the gateway goes by: the latest it was told, by whichever agent.
    pub(crate) endpoints: Endpoints,
    /// What the reconciler was last told of the gateway, and when.
    pub(crate) told: (Instant, Sightings),
    pending: VecDeque<(Instant, Pending)>,
    next_port: u16,
    next_heartbeat: Instant,
}

pub(crate) struct Process {
    pub(crate) healthy_at: Option<Instant>,
    pub(crate) sick: bool,
    pub(crate) stubborn: bool,
    pub(crate) in_flight: u32,
}

enum Pending {
    Tell(Event),
    Exit(TaskId, Exit),
    Endpoints(Endpoints),
}

impl World {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let mut world = Self {
            now: Instant::EPOCH,
            reconciler: Reconciler::new(config, seed, Numbers::of(0, 1)),
            records: Vec::new(),
            processes: BTreeMap::new(),
            gateway_silent: false,
            starts_fail: false,
            endpoints: Endpoints::default(),
            told: (Instant::EPOCH, Sightings::default()),
            pending: VecDeque::new(),
            next_port: 9000,
            next_heartbeat: Instant::EPOCH + HEARTBEAT,
        };
        world.tell(Event::Port(9000));
        world
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.drive(Some(event));
    }

    /// Goes on until `until`, one event after the other.
    pub(crate) fn run(&mut self, until: Instant) {
        while self.step(until) {}
    }

    /// Lets the next thing happen; false if there is none until `until`.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let Some(next) = self.next_moment().filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = next;
        if self.pending.front().is_some_and(|(at, _)| *at <= next) {
            let (_, pending) = self.pending.pop_front().expect("it was there");
            self.happen(pending);
        } else if self.next_heartbeat <= next {
            self.next_heartbeat = next + HEARTBEAT;
            self.sight();
        } else {
            self.drive(None);
        }
        true
    }

    pub(crate) fn exit(&mut self, task: TaskId, exit: Exit) {
        self.happen(Pending::Exit(task, exit));
    }

    /// The gateway tells what it sees now.
    pub(crate) fn sight(&mut self) {
        if self.gateway_silent {
            return;
        }
        self.told = (self.now, self.sightings());
        self.tell(Event::Sightings(self.told.1.clone()));
    }

    pub(crate) fn sightings(&self) -> Sightings {
        let sighting = |endpoint: &seaworthy_core::endpoints::Endpoint| {
            let process = self.processes.get(&endpoint.task);
            let booted = |p: &Process| p.healthy_at.is_some_and(|at| at <= self.now);
            let health = match process {
                Some(process) if booted(process) && !process.sick => Health::Healthy,
                Some(process) if !booted(process) => Health::Initial,
                _ => Health::Unhealthy,
            };
            Sighting {
                task: endpoint.task,
                health,
                ejection: None,
                in_rotation: health == Health::Healthy && endpoint.wanted == Wanted::InRotation,
                in_flight: process.map_or(0, |process| process.in_flight),
                answered: 0,
            }
        };
        let tasks = self.endpoints.tasks.iter().map(sighting).collect();
        Sightings { acknowledged: self.endpoints.version, tasks, ..Sightings::default() }
    }

    /// Tasks that answer their users.
    pub(crate) fn serving(&self) -> u32 {
        self.sightings().tasks.iter().filter(|seen| seen.in_rotation).count() as u32
    }

    fn next_moment(&self) -> Option<Instant> {
        let pending = self.pending.front().map(|(at, _)| *at);
        let own = self.reconciler.poll_timeout();
        pending.into_iter().chain(own).chain([self.next_heartbeat]).min().map(|at| at.max(self.now))
    }

    fn later(&mut self, after: Duration, pending: Pending) {
        let at = self.now + after;
        let position = self.pending.partition_point(|(other, _)| *other <= at);
        self.pending.insert(position, (at, pending));
    }

    fn happen(&mut self, pending: Pending) {
        match pending {
            Pending::Tell(event) => self.tell(event),
            Pending::Exit(task, exit) => {
                if self.processes.remove(&task).is_some() {
                    self.tell(Event::Exited(task, exit));
                }
            }
            Pending::Endpoints(endpoints) => {
                if !self.gateway_silent && endpoints.version > self.endpoints.version {
                    self.endpoints = endpoints;
                    self.sight();
                }
            }
        }
    }

    pub(crate) fn drive(&mut self, event: Option<Event>) {
        let mut actions = Vec::new();
        drive(&mut self.reconciler, self.now, event, |action| actions.push(action));
        for action in actions {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch { task, .. } => self.launch(task),
            Action::Signal(task, signal) => {
                let stubborn = self.processes.get(&task).is_some_and(|p| p.stubborn);
                match signal {
                    Signal::Kill => self.later(EXIT, Pending::Exit(task, Exit::Signal(9))),
                    Signal::Terminate if stubborn => {}
                    Signal::Terminate => self.later(EXIT, Pending::Exit(task, Exit::Code(0))),
                }
            }
            Action::Publish(endpoints) => self.later(LINK, Pending::Endpoints(endpoints)),
            Action::Record(record) => self.records.push(record),
        }
    }

    fn launch(&mut self, task: TaskId) {
        let healthy_at = (!self.starts_fail).then(|| self.now + BOOT);
        let process = Process { healthy_at, sick: false, stubborn: false, in_flight: 0 };
        self.processes.insert(task, process);
        self.next_port += 1;
        self.later(SPAWN, Pending::Tell(Event::Launched(task)));
        self.later(SPAWN, Pending::Tell(Event::Port(self.next_port)));
        if self.starts_fail {
            self.later(BOOT, Pending::Exit(task, Exit::Code(1)));
        }
    }
}
