//! Desired state to actions, with time: provisioning, draining, timeouts, backoff.

mod life;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Desired, Observed, Plan, Revision, Step, Waiting, plan};
use super::task::{Phase, Task};
use super::{Config, Numbers, View};
use crate::endpoints::{Endpoint, Endpoints, Sightings, TaskId};
use crate::machine::Machine;
use crate::record::{Cause, Decision, Exit, Record};
use crate::time::Instant;

/// Without a word from the gateway for so long, what it said last counts no more.
const SIGHTINGS_COUNT_FOR: Duration = Duration::from_secs(5);

/// What the reconciler is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What there should be has changed.
    Desired(Box<Config>, Revision),
    /// A port is reserved for the next task. The shell offers another one when it was used.
    Port(u16),
    /// The process of a task runs.
    Launched(TaskId),
    /// The process of a task could not be started.
    NotLaunched(TaskId, String),
    /// The process of a task ended.
    Exited(TaskId, Exit),
    /// The gateway was heard of.
    Sightings(Sightings),
    /// A person wants this task stopped, at once and undrained, as by hand in ECS.
    Stop(TaskId),
}

/// What the reconciler wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the process; report `Launched` or `NotLaunched`, and `Exited` when it ends.
    Launch {
        /// As this task.
        task: TaskId,
        /// Of this revision.
        revision: Revision,
        /// To listen here.
        port: u16,
    },
    /// Send a signal to the task's process group.
    Signal(TaskId, Signal),
    /// Tell the gateway.
    Publish(Endpoints),
    /// A decision was taken.
    Record(Record),
}

/// How a process is told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM: please.
    Terminate,
    /// SIGKILL: now.
    Kill,
}

/// Keeps one service as desired.
#[derive(Debug)]
pub struct Reconciler {
    config: Config,
    revision: Revision,
    seed: u64,
    tasks: Vec<Task>,
    numbers: Numbers,
    /// Tasks ever started.
    started: u32,
    port: Option<u16>,
    /// A fleet's first fill happens before its story begins: nothing is provisioned until then.
    filled: bool,
    /// Starts in a row that failed before a check passed, and when the next one may be.
    failed_starts: u32,
    next_start: Option<Instant>,
    /// When the gateway was first and last heard of without a break in between.
    sighted: Option<(Instant, Instant)>,
    /// Whether it has been said that every task looks bad.
    holding: bool,
    published: Endpoints,
    actions: VecDeque<Action>,
}

// === impl Reconciler ===

impl Reconciler {
    /// A service of which nothing runs yet. Tell it the time to begin.
    pub fn new(config: Config, seed: u64, numbers: Numbers) -> Self {
        Self {
            config,
            numbers,
            revision: 1,
            seed,
            tasks: Vec::new(),
            started: 0,
            port: None,
            filled: false,
            failed_starts: 0,
            next_start: None,
            sighted: None,
            holding: false,
            published: Endpoints::default(),
            actions: VecDeque::new(),
        }
    }

    /// Every task that is not gone, in ascending order.
    pub fn views(&self) -> Vec<View> {
        self.tasks.iter().map(Task::view).collect()
    }

    /// What would be done now, and what is waited for.
    pub fn plan(&self, now: Instant) -> Plan {
        let desired = Desired {
            count: self.config.desired_count,
            floor: self.config.floor(),
            ceiling: self.config.ceiling(),
            revision: self.revision,
        };
        let tasks = self.tasks.iter().map(Task::seen).collect();
        plan(&desired, &Observed { tasks, informed: self.informed(now) })
    }

    fn informed(&self, now: Instant) -> bool {
        self.sighted.is_some_and(|(_, last)| now.since(last) <= SIGHTINGS_COUNT_FOR)
    }

    fn record(&mut self, now: Instant, task: TaskId, decision: Decision, cause: Cause) {
        self.actions.push_back(Action::Record(Record {
            at: now,
            task: Some(task),
            decision,
            cause,
        }));
    }

    fn task(&mut self, id: TaskId) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    fn observe(&mut self, now: Instant, sightings: &Sightings) {
        if sightings.acknowledged > self.published.version {
            return self.number_from(sightings.acknowledged + 1);
        }
        let first = self.sighted.filter(|_| self.informed(now)).map_or(now, |(first, _)| first);
        self.sighted = Some((first, now));
        for task in &mut self.tasks {
            if task.observe(sightings) {
                self.failed_starts = 0;
            }
        }
        let drained = |task: &Task| match task.phase {
            Phase::Draining { version, .. } => {
                let busy = sightings.of(task.id).is_some_and(|seen| seen.in_flight > 0);
                sightings.acknowledged >= version && !busy
            }
            _ => false,
        };
        let drained: Vec<TaskId> =
            self.tasks.iter().filter(|task| drained(task)).map(|task| task.id).collect();
        for id in drained {
            self.stop(now, id, Cause::Drained);
        }
        let serving = self.tasks.iter().filter(|task| task.passed).count() as u32;
        self.filled |= serving >= self.config.desired_count;
        if sightings.acknowledged < self.published.version {
            // Perhaps it was lost, or the gateway was started again.
            self.actions.push_back(Action::Publish(self.published.clone()));
        }
    }

    /// The gateway goes by the numbers of an earlier agent. Ours go on from there; what it saw of
    /// that one's tasks is not about ours.
    fn number_from(&mut self, first: u64) {
        self.published.version = first;
        for task in &mut self.tasks {
            if let Phase::Draining { version, .. } = &mut task.phase {
                *version = first;
            }
        }
        self.actions.push_back(Action::Publish(self.published.clone()));
    }

    /// Carries the plan out as far as backoff lets it.
    fn carry_out(&mut self, now: Instant) {
        let plan = self.plan(now);
        self.hold(now, plan.waiting_on.contains(&Waiting::EveryoneLooksBad));
        for step in plan.steps {
            match step {
                Step::Start(_) if self.next_start.is_some() => {}
                Step::Start(revision) => self.start(now, revision),
                Step::Retire(id, cause) => self.retire(now, id, cause),
            }
        }
    }

    /// Says once that nothing is done although every task looks bad.
    fn hold(&mut self, now: Instant, everyone_looks_bad: bool) {
        let told = std::mem::replace(&mut self.holding, everyone_looks_bad);
        if everyone_looks_bad && !told {
            let (decision, cause) = (Decision::Hold, Cause::EveryoneLooksBad);
            self.actions.push_back(Action::Record(Record { at: now, task: None, decision, cause }));
        }
    }

    fn publish(&mut self) {
        let tasks: Vec<_> = self.tasks.iter().filter_map(Task::endpoint).collect();
        let shape = |tasks: &[Endpoint]| -> Vec<_> {
            tasks.iter().map(|e| (e.task, e.address, e.wanted)).collect()
        };
        // An inherited verdict is no news to a gateway that lives: it does not make a version.
        if shape(&tasks) == shape(&self.published.tasks) {
            self.published.tasks = tasks;
        } else {
            let version = self.published.version + 1;
            self.published = Endpoints { version, tasks, ..Endpoints::default() };
            self.actions.push_back(Action::Publish(self.published.clone()));
        }
    }
}

// === impl Machine for Reconciler ===

impl Machine for Reconciler {
    type Input = Event;
    type Action = Action;

    fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Desired(config, revision) => {
                self.config = *config;
                self.revision = revision;
            }
            Event::Port(port) => self.port = Some(port),
            Event::Launched(id) => {
                if let Some(task) = self.task(id)
                    && let Phase::Launching { port } = task.phase
                {
                    task.phase = Phase::Running { port, since: now };
                }
            }
            Event::NotLaunched(id, why) => self.gone(now, id, Cause::NotStarted(why)),
            Event::Exited(id, exit) => self.gone(now, id, Cause::Exited(exit)),
            Event::Sightings(sightings) => self.observe(now, &sightings),
            Event::Stop(id) => self.stop(now, id, Cause::ByHand),
        }
        self.handle_timeout(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.carry_out(now);
        // A task that needs no provisioning is due already.
        self.advance(now);
        self.publish();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = |task: &Task| match task.phase {
            // Without a port there is nothing to wake up for.
            Phase::Provisioning { until } => self.port.map(|_| until),
            Phase::Running { since, .. } if !task.passed => self.start_deadline(since),
            Phase::Draining { until, .. } => Some(until),
            Phase::Stopping { kill_at, .. } => kill_at,
            Phase::Launching { .. } | Phase::Running { .. } => None,
        };
        self.tasks.iter().filter_map(due).chain(self.next_start).min()
    }
}
