//! The checks of one service's tasks as a machine, with what requests show of them.

mod rotation;
mod target;
mod traffic;

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::passive::Hold;
use super::{Config, Failing, Probed, Rotation};
use crate::call::Seen;
use crate::endpoints::{Endpoint, Endpoints, Health, Inherited, TaskId};
use crate::machine::Machine;
use crate::record::Record;
use crate::time::Instant;
use target::Target;

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
    /// What a request has shown.
    Seen(Seen),
}

/// What the checker wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Check `address` on a fresh connection; report by `deadline`.
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
    /// In ascending order.
    targets: Vec<Target>,
    rotation: Rotation,
    /// Whether the rotation holds tasks that look bad because no other is left.
    fail_open: bool,
    /// Everyone looked bad: nobody is ejected before.
    quiet_until: Instant,
    /// Nor is anybody for being late meanwhile.
    hold: Hold,
    last_probe: u64,
    /// When the time is to be looked at next.
    due: Option<Instant>,
    actions: VecDeque<Action>,
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
            quiet_until: Instant::EPOCH,
            hold: Hold::default(),
            last_probe: 0,
            due: None,
            actions: VecDeque::new(),
        }
    }

    /// The version of the endpoints it goes by.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The verdicts on each registered task, in ascending order.
    pub fn verdicts(&self, now: Instant) -> impl Iterator<Item = (TaskId, Inherited)> {
        self.targets.iter().map(move |target| (target.endpoint.task, target.verdict(now)))
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
                Some(at) => known.swap_remove(at).renewed(endpoint),
                None => Target::new(now, endpoint, self.config.passive),
            };
            self.targets.push(target);
        }
        self.targets.sort_by_key(|t| t.endpoint.task);
    }

    fn judge(&mut self, now: Instant, probe: ProbeId, result: Probed) {
        let under_way = |t: &&mut Target| t.outstanding.is_some_and(|(id, _)| id == probe);
        let Some(target) = self.targets.iter_mut().find(under_way) else { return };
        target.outstanding = None;
        match self.config.check.failing(result) {
            None => target.pass(now, self.config.healthy_threshold),
            Some(failing) => {
                target.fail(self.config.unhealthy_threshold, failing);
                let is_fact = self.config.passive.is_some() && target.health != Health::Initial;
                if is_fact && failing == Failing::Refused {
                    target.desert();
                }
            }
        }
    }

    /// What the time alone decides: a check without an answer by its deadline has failed, whatever
    /// comes of it later; and ejections end.
    fn catch_up(&mut self, now: Instant) {
        for target in &mut self.targets {
            target.give_up(now, self.config.unhealthy_threshold);
            target.move_on(now);
        }
    }

    /// Sends the checks that are due.
    fn probe(&mut self, now: Instant) {
        for target in &mut self.targets {
            if target.next_probe(&self.config).is_none_or(|at| at > now) {
                continue;
            }
            self.last_probe += 1;
            let (probe, deadline) = (ProbeId(self.last_probe), now + self.config.timeout);
            target.outstanding = Some((probe, deadline));
            target.probed = Some(now);
            let Endpoint { task, address, .. } = target.endpoint;
            self.actions.push_back(Action::Probe { probe, task, address, deadline });
        }
    }

    /// Almost every request shows what is known already, and is to cost nothing more.
    fn take(&mut self, now: Instant, seen: Seen) {
        if self.due.is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
        if self.see(now, seen) {
            self.handle_timeout(now);
        }
    }
}

// === impl Machine for Checker ===

impl Machine for Checker {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        if let Input::Seen(seen) = input {
            return self.take(now, seen);
        }
        self.catch_up(now);
        match input {
            Input::Endpoints(endpoints) => self.register(now, endpoints),
            Input::Probed(probe, result) => self.judge(now, probe, result),
            Input::Seen(_) => unreachable!("it was taken"),
        }
        self.handle_timeout(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.catch_up(now);
        self.probe(now);
        self.rotate(now);
        self.due = self.targets.iter().map(|target| target.due(&self.config)).min();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}
