//! A service as the way of data sees it: its checks and its calls, wired once for gateway and
//! simulator.

use std::collections::{BTreeMap, VecDeque};

use crate::balance;
use crate::call::{self, Dispatcher, RouteId, Standing, Work};
use crate::endpoints::{Endpoints, Health, Inherited, Sighting, Sightings, TaskId};
use crate::health::{self, Checker, ProbeId, Probed};
use crate::machine::{Machine, soonest};
use crate::record::Record;
use crate::time::Instant;

/// What a target group is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The agent's latest snapshot. An older one than is known is ignored.
    Endpoints(Endpoints),
    /// A check's result.
    Probed(ProbeId, Probed),
    /// Something about a call.
    Call(call::Input),
}

/// What a target group wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Carry out a check.
    Probe {
        /// To be given back with the result.
        probe: ProbeId,
        /// The task that is checked.
        task: TaskId,
        /// Where it listens.
        address: std::net::SocketAddr,
        /// The check has failed if it has no answer by then.
        deadline: Instant,
    },
    /// Carry on with a call.
    Call(call::Action),
    /// A decision was taken.
    Record(Record),
}

/// Checks and calls of one service.
#[derive(Debug)]
pub struct TargetGroup {
    checker: Checker,
    dispatcher: Dispatcher,
    /// What the checker wants, which comes before what the dispatcher wants.
    actions: VecDeque<Action>,
}

impl TargetGroup {
    /// A target group without targets. `seed` draws what its policies draw.
    pub fn new(
        health: health::Config,
        call: call::Config,
        balancing: balance::Config,
        seed: u64,
    ) -> Self {
        Self {
            checker: Checker::new(health),
            dispatcher: Dispatcher::new(call, balancing, seed),
            actions: VecDeque::new(),
        }
    }

    /// The version of the endpoints that decisions go by.
    pub fn version(&self) -> u64 {
        self.checker.version()
    }

    /// What the agent is to know `now`. `acknowledged` is the shell's to say: the version that every
    /// worker has taken up.
    pub fn sightings(&self, now: Instant, acknowledged: u64) -> Sightings {
        let verdicts: BTreeMap<TaskId, Inherited> = self.checker.verdicts(now).collect();
        let in_rotation: BTreeMap<TaskId, bool> = self.dispatcher.tasks().collect();
        let mut known: Vec<TaskId> = verdicts.keys().chain(in_rotation.keys()).copied().collect();
        known.sort_unstable();
        known.dedup();
        let sighting = |task| {
            let verdict = verdicts.get(&task).copied().unwrap_or(Health::Initial.into());
            let Work { answered, failed } = self.dispatcher.work(task);
            Sighting {
                task,
                health: verdict.health,
                ejection: verdict.ejection,
                in_rotation: in_rotation.get(&task).copied().unwrap_or(false),
                in_flight: self.dispatcher.in_flight(task),
                answered,
                failed,
            }
        };
        let tasks = known.into_iter().map(sighting).collect();
        Sightings { acknowledged, tasks, traffic: self.dispatcher.traffic(now), at: None }
    }

    /// Calls that wait because no task may get them.
    pub fn queued(&self) -> usize {
        self.dispatcher.queued()
    }

    /// How the policies before `route` stand.
    pub fn standing(&mut self, now: Instant, route: RouteId) -> Standing {
        self.dispatcher.standing(now, route)
    }

    /// Passes on what the two parts want: what the dispatcher has seen to the checker, and the
    /// checker's rotation to the dispatcher.
    fn settle(&mut self, now: Instant) {
        while let Some(seen) = self.dispatcher.poll_seen() {
            self.checker.handle(now, health::Input::Seen(seen));
            self.pass_on(now);
        }
        self.pass_on(now);
    }

    /// Passes on what the checker wants.
    fn pass_on(&mut self, now: Instant) {
        while let Some(action) = self.checker.poll_action() {
            match action {
                health::Action::Probe { probe, task, address, deadline } => {
                    self.actions.push_back(Action::Probe { probe, task, address, deadline });
                }
                health::Action::Rotate(rotation) => {
                    self.dispatcher.handle(now, call::Input::Rotate(rotation));
                }
                health::Action::Record(record) => self.actions.push_back(Action::Record(record)),
            }
        }
    }
}

impl Machine for TargetGroup {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Endpoints(endpoints) => {
                if endpoints.version > self.version() {
                    let tasks = endpoints.tasks.iter().map(|endpoint| endpoint.task).collect();
                    let weights = endpoints.weights.clone();
                    self.dispatcher.handle(now, call::Input::Endpoints { tasks, weights });
                    if endpoints.down {
                        self.dispatcher.close_queue(now);
                    }
                }
                self.checker.handle(now, health::Input::Endpoints(endpoints));
            }
            Input::Probed(probe, result) => {
                self.checker.handle(now, health::Input::Probed(probe, result));
            }
            Input::Call(input) => self.dispatcher.handle(now, input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.checker.handle_timeout(now);
        self.dispatcher.handle_timeout(now);
        self.settle(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if let Some(action) = self.dispatcher.poll_action() {
            return Some(Action::Call(action));
        }
        self.dispatcher.poll_record().map(Action::Record)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        soonest(self.checker.poll_timeout(), self.dispatcher.poll_timeout())
    }
}
