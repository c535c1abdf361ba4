//! The checks of one service's tasks as a machine.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{Config, Failing, Member, Probed, Rotation};
use crate::endpoints::{Endpoint, Endpoints, Health, TaskId, Wanted};
use crate::machine::Machine;
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

/// Names one check, so that its result finds its task again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// What the checker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The latest endpoints.
    Endpoints(Endpoints),
    /// A check's result.
    Probed(ProbeId, Probed),
}

/// What the checker wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask `GET path` of `address` on a fresh connection; report by `deadline`.
    Probe {
        /// To be given back with the result.
        probe: ProbeId,
        /// The task that is checked.
        task: TaskId,
        /// Where it listens.
        address: SocketAddr,
        /// The check has failed if it has no answer by then.
        deadline: Instant,
    },
    /// From now on the balancer chooses from these.
    Rotate(Rotation),
    /// A verdict changed.
    Record(Record),
}

/// Health checks of one service: decides who is in rotation.
#[derive(Debug)]
pub struct Checker {
    config: Config,
    version: u64,
    targets: Vec<Target>,
    rotation: Rotation,
    /// Whether the rotation holds unhealthy tasks because no other is left.
    fail_open: bool,
    last_probe: u64,
    actions: VecDeque<Action>,
}

/// One task as its checks see it.
#[derive(Debug)]
struct Target {
    endpoint: Endpoint,
    health: Health,
    /// Results in a row that contradict the verdict.
    streak: u32,
    next_probe: Instant,
    /// The check under way, and when it has failed.
    outstanding: Option<(ProbeId, Instant)>,
    /// Why it is, or is not, in rotation.
    cause: Cause,
}

// === impl Checker ===

impl Checker {
    /// A checker that knows no task yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            version: 0,
            targets: Vec::new(),
            rotation: Rotation::default(),
            fail_open: false,
            last_probe: 0,
            actions: VecDeque::new(),
        }
    }

    /// The version of the endpoints it goes by.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The verdict on each registered task, in ascending order.
    pub fn verdicts(&self) -> impl Iterator<Item = (TaskId, Health)> {
        self.targets.iter().map(|t| (t.endpoint.task, t.health))
    }

    fn register(&mut self, now: Instant, endpoints: Endpoints) {
        if endpoints.version <= self.version {
            return;
        }
        self.version = endpoints.version;
        let mut known = std::mem::take(&mut self.targets);
        for endpoint in endpoints.tasks {
            let same = |t: &Target| {
                t.endpoint.task == endpoint.task && t.endpoint.address == endpoint.address
            };
            let target = match known.iter().position(same) {
                Some(at) => Target { endpoint, ..known.swap_remove(at) },
                None => Target::new(now, endpoint),
            };
            self.targets.push(target);
        }
        self.targets.sort_by_key(|t| t.endpoint.task);
    }

    fn judge(&mut self, probe: ProbeId, result: Probed) {
        let under_way = |t: &&mut Target| t.outstanding.is_some_and(|(id, _)| id == probe);
        let Some(target) = self.targets.iter_mut().find(under_way) else { return };
        target.outstanding = None;
        let failing = match result {
            Probed::Status(status) if self.config.matcher.matches(status) => None,
            Probed::Status(status) => Some(Failing::Status(status)),
            Probed::Failed(failing) => Some(failing),
        };
        match failing {
            None => target.pass(self.config.healthy_threshold),
            Some(failing) => target.fail(self.config.unhealthy_threshold, failing),
        }
    }

    /// A check without an answer by its deadline has failed, whatever comes of it later.
    fn give_up(&mut self, now: Instant) {
        for target in &mut self.targets {
            if target.outstanding.take_if(|(_, deadline)| *deadline <= now).is_some() {
                target.fail(self.config.unhealthy_threshold, Failing::Timeout);
            }
        }
    }

    /// Sends the checks that are due.
    fn probe(&mut self, now: Instant) {
        for target in self.targets.iter_mut().filter(|target| target.next_probe <= now) {
            self.last_probe += 1;
            let (probe, deadline) = (ProbeId(self.last_probe), now + self.config.timeout);
            target.outstanding = Some((probe, deadline));
            target.next_probe = now + self.config.interval;
            let Endpoint { task, address, .. } = target.endpoint;
            self.actions.push_back(Action::Probe { probe, task, address, deadline });
        }
    }

    fn rotate(&mut self, now: Instant) {
        let wanted = || self.targets.iter().filter(|t| t.endpoint.wanted == Wanted::InRotation);
        let of = |health| wanted().filter(move |t| t.health == health).map(Target::member);
        let mut members: Vec<Member> = of(Health::Healthy).collect();
        let fail_open = members.is_empty();
        if fail_open {
            members.extend(of(Health::Unhealthy));
        }
        if members != self.rotation.members {
            let before = std::mem::replace(&mut self.rotation, Rotation { members });
            self.explain(now, &before, fail_open);
            self.actions.push_back(Action::Rotate(self.rotation.clone()));
        }
        self.fail_open = fail_open;
    }

    /// One record for each task that left or entered, against the rotation of `before`.
    fn explain(&mut self, now: Instant, before: &Rotation, fail_open: bool) {
        let after = &self.rotation;
        let gone = |member: &&Member| !after.contains(member.task);
        let left = before.members.iter().filter(gone).map(|&Member { task, .. }| {
            // One that is `Initial` again is so at another address: the one in rotation is gone.
            let registered = |t: &&Target| {
                t.endpoint.wanted == Wanted::InRotation && t.health != Health::Initial
            };
            let target = self.targets.iter().find(|t| t.endpoint.task == task);
            let cause = match target.filter(registered) {
                Some(_) if self.fail_open => Cause::OthersHealthy,
                Some(target) => target.cause.clone(),
                None => Cause::Deregistered,
            };
            (task, Decision::LeaveRotation, cause)
        });
        let entering =
            |t: &&Target| after.contains(t.endpoint.task) && !before.contains(t.endpoint.task);
        let entered = self.targets.iter().filter(entering).map(|target| {
            let cause = if fail_open { Cause::NobodyHealthy } else { target.cause.clone() };
            (target.endpoint.task, Decision::EnterRotation, cause)
        });
        let record = |(task, decision, cause)| {
            Action::Record(Record { at: now, task: Some(task), decision, cause })
        };
        let records: Vec<Action> = left.chain(entered).map(record).collect();
        self.actions.extend(records);
    }
}

// === impl Machine for Checker ===

impl Machine for Checker {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        self.give_up(now);
        match input {
            Input::Endpoints(endpoints) => self.register(now, endpoints),
            Input::Probed(probe, result) => self.judge(probe, result),
        }
        self.handle_timeout(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.give_up(now);
        self.probe(now);
        self.rotate(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = |t: &Target| t.outstanding.map_or(t.next_probe, |(_, end)| end.min(t.next_probe));
        self.targets.iter().map(due).min()
    }
}

// === impl Target ===

impl Target {
    fn new(now: Instant, endpoint: Endpoint) -> Self {
        Self {
            health: endpoint.inherited.unwrap_or(Health::Initial),
            endpoint,
            streak: 0,
            next_probe: now,
            outstanding: None,
            cause: Cause::Inherited,
        }
    }

    fn member(&self) -> Member {
        let Endpoint { task, weight, revision, .. } = self.endpoint;
        Member { task, weight, revision, on_trial: false }
    }

    fn pass(&mut self, healthy_threshold: u32) {
        let threshold = match self.health {
            Health::Healthy => return self.streak = 0,
            Health::Unhealthy => healthy_threshold,
            Health::Initial => 1,
        };
        // Failures before the first pass are no argument against it.
        self.streak = if self.health == Health::Initial { 1 } else { self.streak + 1 };
        if self.streak >= threshold {
            self.cause = Cause::ChecksPass { passes: self.streak, threshold };
            self.health = Health::Healthy;
            self.streak = 0;
        }
    }

    fn fail(&mut self, threshold: u32, last: Failing) {
        if self.health == Health::Unhealthy {
            return self.streak = 0;
        }
        self.streak += 1;
        if self.streak >= threshold {
            self.cause = Cause::ChecksFail { failures: self.streak, threshold, last };
            // A task that never passed is not yet a bad one: it is still starting.
            if self.health == Health::Healthy {
                self.health = Health::Unhealthy;
                self.streak = 0;
            }
        }
    }
}
