//! A cluster in virtual time around a reconciler: processes that start, serve, sicken and die, and
//! a gateway that sees it all a little later.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use seaworthy_core::cluster::limits::Usage;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::reconciler::{Action, Ending, Event, Reconciler, Signal, Snapshot};
use seaworthy_core::cluster::{Config, Numbers, State};
use seaworthy_core::endpoints::{
    Endpoint, Endpoints, Health, Sighting, Sightings, TaskId, Traffic, Wanted,
};
use seaworthy_core::health::passive::Ejection;
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
    /// What is wrong with a revision.
    pub(crate) bad: BTreeMap<Revision, Bad>,
    /// Requests that end between two heartbeats, in percent how many of them fail, and how slow they
    /// are.
    pub(crate) load: (u64, u64, Option<Duration>),
    /// Bytes of memory that are told of some tasks.
    pub(crate) memory: BTreeMap<TaskId, u64>,
    traffic: Traffic,
    config: Config,
    seed: u64,
    /// What the gateway goes by: the latest it was told, by whichever agent.
    pub(crate) endpoints: Endpoints,
    /// What the reconciler was last told of the gateway, and when.
    pub(crate) told: (Instant, Sightings),
    pending: VecDeque<(Instant, Pending)>,
    next_port: u16,
    next_heartbeat: Instant,
}

/// What is wrong with a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// No check passes.
    NeverHealthy,
    /// It ends so long after its start.
    Crashes(Duration),
    /// Its requests fail, its checks pass.
    AnswersBadly,
    /// The same, but after a failure it gets none for so long that it is never ejected.
    IsSpared,
}

pub(crate) struct Process {
    /// Requests that it has answered properly,
    pub(crate) answered: u64,
    /// and that it has failed.
    pub(crate) failed: u64,
    fails: bool,
    /// No request comes to it.
    pub(crate) unasked: bool,
    pub(crate) out: Option<Ejection>,
    pub(crate) healthy_at: Option<Instant>,
    pub(crate) sick: bool,
    pub(crate) stubborn: bool,
    pub(crate) in_flight: u32,
}

enum Pending {
    Tell(Event),
    Exit(TaskId, Exit),
    Ejected(TaskId, u32),
    Endpoints(Endpoints),
}

impl World {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let mut world = Self {
            now: Instant::EPOCH,
            reconciler: Reconciler::new(config.clone(), seed, Numbers::of(0, 1)),
            bad: BTreeMap::new(),
            load: (0, 0, None),
            memory: BTreeMap::new(),
            traffic: Traffic::default(),
            config,
            seed,
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
            self.serve();
            self.sight();
            let usage =
                |(task, memory): (&TaskId, &u64)| (*task, Usage { cpu: 0, memory: *memory });
            let usage: Vec<_> = self.memory.iter().map(usage).collect();
            if !usage.is_empty() {
                self.tell(Event::Usage(usage));
            }
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

    /// The kernel kills a task for its memory.
    pub(crate) fn dies_of_memory(&mut self, task: TaskId) {
        self.processes.remove(&task);
        let ending = Ending { out_of_memory: true, ..Ending::from(Exit::Signal(9)) };
        self.tell(Event::Exited(task, ending));
    }

    /// A process ends and nobody is there to see it.
    pub(crate) fn vanish(&mut self, task: TaskId) {
        self.processes.remove(&task);
    }

    /// Requests of one heartbeat end.
    fn serve(&mut self) {
        let (ended, failed, p99) = self.load;
        self.traffic.ended += ended;
        self.traffic.failed += ended * failed / 100;
        self.traffic.p99 = p99;
        if ended > 0 {
            for seen in self.sightings().tasks.iter().filter(|seen| seen.in_rotation) {
                self.processes.entry(seen.task).and_modify(|process| {
                    process.answered += u64::from(!process.fails && !process.unasked);
                    process.failed += u64::from(process.fails && !process.unasked);
                });
            }
        }
    }

    /// The agent dies, and the next one goes on with what it kept.
    pub(crate) fn agent_restarts(&mut self) {
        let running: Vec<TaskId> = self.processes.keys().copied().collect();
        let snapshot = self.kept();
        let views = self.reconciler.views();
        self.restore(snapshot.clone(), &running);
        // What runs is no news to the next agent.
        let early = |state| matches!(state, State::Provisioning | State::Starting);
        if views.iter().all(|view| running.contains(&view.task) && !early(view.state)) {
            assert_eq!(self.reconciler.snapshot(), snapshot);
        }
        self.next_port += 1;
        self.pending.retain(|(_, pending)| !matches!(pending, Pending::Tell(_)));
        self.tell(Event::Port(self.next_port));
    }

    /// Everything dies, the clock begins anew, and the next agent goes on with what was kept.
    pub(crate) fn machine_restarts(&mut self) {
        let snapshot = self.kept();
        self.processes.clear();
        self.pending.clear();
        (self.endpoints, self.traffic) = (Endpoints::default(), Traffic::default());
        self.now = Instant::EPOCH;
        self.next_heartbeat = self.now + HEARTBEAT;
        self.told = (self.now, Sightings::default());
        self.restore(snapshot.rebooted(self.now), &[]);
        self.tell(Event::Port(self.next_port));
    }

    /// What an agent leaves to the next one.
    fn kept(&self) -> Snapshot {
        let snapshot = self.reconciler.snapshot();
        let text = toml::to_string(&snapshot).expect("a snapshot is plain data");
        let read = toml::from_str(&text).expect("what was written can be read");
        assert_eq!(snapshot, read);
        read
    }

    fn restore(&mut self, snapshot: Snapshot, running: &[TaskId]) {
        let (config, seed, numbers) = (self.config.clone(), self.seed, Numbers::of(0, 1));
        self.reconciler = Reconciler::restore(config, seed, numbers, snapshot, running, self.now);
    }

    pub(crate) fn deploy(&mut self, config: Config, revision: Revision) {
        self.config = config.clone();
        self.tell(Event::Deploy(Box::new(config), revision));
    }

    pub(crate) fn sightings(&self) -> Sightings {
        let sighting = |endpoint: &Endpoint| {
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
                ejection: process.and_then(|process| process.out),
                in_rotation: health == Health::Healthy
                    && endpoint.wanted == Wanted::InRotation
                    && process.is_some_and(|process| process.out.is_none()),
                in_flight: process.map_or(0, |process| process.in_flight),
                answered: process.map_or(0, |process| process.answered),
                failed: process.map_or(0, |process| process.failed),
            }
        };
        let tasks = self.endpoints.tasks.iter().map(sighting).collect();
        Sightings { acknowledged: self.endpoints.version, tasks, traffic: self.traffic, at: None }
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
                    let last = vec!["out of fish".to_owned()];
                    self.tell(Event::Exited(task, Ending { last, ..Ending::from(exit) }));
                }
            }
            Pending::Ejected(task, times) => self.eject(task, times),
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
            Action::Launch { task, revision, .. } => self.launch(task, revision),
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

    /// Out for its requests, and again when that is over.
    pub(crate) fn eject(&mut self, task: TaskId, times: u32) {
        let left = Duration::from_secs(5) * times;
        if let Some(process) = self.processes.get_mut(&task) {
            process.failed += 1;
            process.out = Some(Ejection { times, left });
            self.later(left, Pending::Ejected(task, times + 1));
            self.sight();
        }
    }

    fn launch(&mut self, task: TaskId, revision: Revision) {
        let bad = self.bad.get(&revision).copied();
        let boots = !self.starts_fail && bad != Some(Bad::NeverHealthy);
        let process = Process {
            answered: 0,
            failed: 0,
            fails: matches!(bad, Some(Bad::AnswersBadly | Bad::IsSpared)),
            unasked: false,
            out: None,
            healthy_at: boots.then(|| self.now + BOOT),
            sick: false,
            stubborn: false,
            in_flight: 0,
        };
        self.processes.insert(task, process);
        self.next_port += 1;
        self.later(SPAWN, Pending::Tell(Event::Launched(task)));
        self.later(SPAWN, Pending::Tell(Event::Port(self.next_port)));
        match bad {
            Some(Bad::Crashes(after)) => self.later(after, Pending::Exit(task, Exit::Code(1))),
            Some(Bad::AnswersBadly) => self.later(BOOT * 10, Pending::Ejected(task, 1)),
            Some(Bad::NeverHealthy | Bad::IsSpared) | None => {}
        }
        if self.starts_fail {
            self.later(BOOT, Pending::Exit(task, Exit::Code(1)));
        }
    }
}
