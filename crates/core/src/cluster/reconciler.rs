//! Desired state to actions, with time: provisioning, draining, timeouts, backoff.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Desired, Observed, Plan, Revision, Seen, Standing, Step, plan};
use super::task::{Phase, Task};
use super::{Config, View};
use crate::endpoints::{Endpoints, Health, Sightings, TaskId};
use crate::machine::Machine;
use crate::random::{Stream, duration_between};
use crate::record::{Cause, Decision, Exit, Record};
use crate::time::Instant;

/// Without a word from the gateway for so long, what it said last counts no more.
const SIGHTINGS_COUNT_FOR: Duration = Duration::from_secs(5);

/// What the reconciler is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What there should be has changed.
    Desired(Config, Revision),
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
    /// Tasks ever started, which numbers them.
    started: u32,
    port: Option<u16>,
    /// A fleet's first fill happens before its story begins: nothing is provisioned until then.
    filled: bool,
    /// Starts in a row that failed before a check passed, and when the next one may be.
    failed_starts: u32,
    next_start: Option<Instant>,
    sighted_at: Option<Instant>,
    published: Endpoints,
    acknowledged: u64,
    actions: VecDeque<Action>,
}

// === impl Reconciler ===

impl Reconciler {
    /// A service of which nothing runs yet. Tell it the time to begin.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            revision: 1,
            seed,
            tasks: Vec::new(),
            started: 0,
            port: None,
            filled: false,
            failed_starts: 0,
            next_start: None,
            sighted_at: None,
            published: Endpoints::default(),
            acknowledged: 0,
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
        let informed = self.sighted_at.is_some_and(|at| now.since(at) <= SIGHTINGS_COUNT_FOR);
        let tasks = self.tasks.iter().map(Task::seen).collect();
        plan(&desired, &Observed { tasks, informed })
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

    fn start(&mut self, now: Instant, revision: Revision) {
        let good = |seen: &Seen| {
            seen.revision == revision
                && matches!(seen.standing, Standing::Coming | Standing::Serving)
        };
        let have = self.tasks.iter().map(Task::seen).filter(good).count() as u32;
        self.started += 1;
        let id = TaskId(self.started);
        let (shortest, longest) = self.config.provisioning;
        let provisioning = if self.filled {
            duration_between(shortest, longest, self.seed, Stream::Provisioning, id.0.into())
        } else {
            Duration::ZERO
        };
        self.tasks.push(Task {
            id,
            revision,
            phase: Phase::Provisioning { until: now + provisioning },
            health: Health::Initial,
            passed: false,
            in_rotation: false,
            in_flight: 0,
        });
        let want = self.config.desired_count;
        self.record(now, id, Decision::Start, Cause::Missing { have, want, provisioning });
    }

    /// The one way to retire a task: out of rotation, acknowledged, nothing in flight or the delay
    /// over, SIGTERM, SIGKILL. Only a crash and a stop by hand skip it.
    fn retire(&mut self, now: Instant, id: TaskId, cause: Cause) {
        // The snapshot that takes it out is the next one.
        let version = self.published.version + 1;
        let until = now + self.config.deregistration_delay;
        let Some(task) = self.task(id) else { return };
        match task.phase {
            Phase::Running { port, .. } => task.phase = Phase::Draining { port, version, until },
            // Its process is on the way, nobody has seen it: no request can be in flight.
            Phase::Launching { .. } => return self.stop(now, id, cause),
            Phase::Provisioning { .. } => self.tasks.retain(|task| task.id != id),
            Phase::Draining { .. } | Phase::Stopping { .. } => return,
        }
        self.record(now, id, Decision::Retire, cause);
    }

    fn stop(&mut self, now: Instant, id: TaskId, cause: Cause) {
        let kill_at = now + self.config.stop_timeout;
        let Some(task) = self.task(id) else { return };
        match task.phase {
            Phase::Launching { port }
            | Phase::Running { port, .. }
            | Phase::Draining { port, .. } => {
                task.phase = Phase::Stopping { port, kill_at: Some(kill_at) };
                self.record(now, id, Decision::Terminate, cause);
                self.actions.push_back(Action::Signal(id, Signal::Terminate));
            }
            Phase::Provisioning { .. } => {
                self.tasks.retain(|task| task.id != id);
                self.record(now, id, Decision::Gone, cause);
            }
            Phase::Stopping { .. } => {}
        }
    }

    fn gone(&mut self, now: Instant, id: TaskId, cause: Cause) {
        let Some(at) = self.tasks.iter().position(|task| task.id == id) else { return };
        let task = self.tasks.remove(at);
        self.record(now, id, Decision::Gone, cause);
        let unasked = !matches!(task.phase, Phase::Draining { .. } | Phase::Stopping { .. });
        if unasked && !task.passed {
            self.back_off(now, id);
        }
    }

    /// The next start waits, twice as long after each start that failed.
    fn back_off(&mut self, now: Instant, id: TaskId) {
        let (first, longest) = self.config.restart_backoff;
        let wait = first.saturating_mul(1 << self.failed_starts.min(20)).min(longest);
        self.failed_starts += 1;
        self.next_start = Some(now + wait);
        let failures = self.failed_starts;
        self.record(now, id, Decision::Hold, Cause::StartsFail { failures, wait });
    }

    fn observe(&mut self, now: Instant, sightings: &Sightings) {
        self.sighted_at = Some(now);
        self.acknowledged = sightings.acknowledged;
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

    /// Does what is due at `now` for tasks as they are.
    fn advance(&mut self, now: Instant) {
        self.next_start = self.next_start.filter(|at| *at > now);
        let due: Vec<(TaskId, Phase, bool, u32)> =
            self.tasks.iter().map(|t| (t.id, t.phase, t.passed, t.in_flight)).collect();
        for (id, phase, passed, in_flight) in due {
            match phase {
                Phase::Provisioning { until } if until <= now => self.launch(now, id),
                Phase::Running { since, .. }
                    if !passed && now.since(since) >= self.config.start_timeout =>
                {
                    let limit = self.config.start_timeout;
                    self.back_off(now, id);
                    self.stop(now, id, Cause::StartTimeoutOver { limit });
                }
                Phase::Draining { until, .. } if until <= now => {
                    self.stop(now, id, Cause::DeregistrationDelayOver { in_flight });
                }
                Phase::Stopping { port, kill_at: Some(at) } if at <= now => {
                    let limit = self.config.stop_timeout;
                    if let Some(task) = self.task(id) {
                        task.phase = Phase::Stopping { port, kill_at: None };
                    }
                    self.record(now, id, Decision::Kill, Cause::StopTimeoutOver { limit });
                    self.actions.push_back(Action::Signal(id, Signal::Kill));
                }
                _ => {}
            }
        }
    }

    fn launch(&mut self, now: Instant, id: TaskId) {
        // Without a port it waits; the next port is an event and comes back here.
        let Some(port) = self.port.take() else { return };
        let Some(task) = self.task(id) else { return };
        task.phase = Phase::Launching { port };
        let revision = task.revision;
        self.record(now, id, Decision::Launch, Cause::Provisioned);
        self.actions.push_back(Action::Launch { task: id, revision, port });
    }

    /// Carries the plan out as far as backoff lets it.
    fn carry_out(&mut self, now: Instant) {
        for step in self.plan(now).steps {
            match step {
                Step::Start(_) if self.next_start.is_some() => {}
                Step::Start(revision) => self.start(now, revision),
                Step::Retire(id, cause) => self.retire(now, id, cause),
            }
        }
    }

    fn publish(&mut self) {
        let tasks: Vec<_> = self.tasks.iter().filter_map(Task::endpoint).collect();
        let shape = |tasks: &[crate::endpoints::Endpoint]| -> Vec<_> {
            tasks.iter().map(|e| (e.task, e.address, e.wanted)).collect()
        };
        // An inherited verdict is no news to a gateway that lives: it does not make a version.
        if shape(&tasks) == shape(&self.published.tasks) {
            self.published.tasks = tasks;
        } else {
            self.published = Endpoints { version: self.published.version + 1, tasks };
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
                self.config = config;
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
            Phase::Running { since, .. } if !task.passed => Some(since + self.config.start_timeout),
            Phase::Draining { until, .. } => Some(until),
            Phase::Stopping { kill_at, .. } => kill_at,
            Phase::Launching { .. } | Phase::Running { .. } => None,
        };
        self.tasks.iter().filter_map(due).chain(self.next_start).min()
    }
}
