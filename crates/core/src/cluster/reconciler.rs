//! Desired state to actions, with time: provisioning, draining, timeouts, backoff, deployments.

mod alarm;
mod crashes;
mod explain;
mod life;
mod observe;
mod power;
mod progress;
mod restore;
mod rollout;
mod verdict;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::deployment::{DeploymentView, State};
use super::limits::Limits;
use super::plan::{Desired, Observed, Plan, Revision, Seen, Step, Waiting, plan};
use super::spread::Site;
use super::task::{Phase, Task};
use super::{Config, Numbers, View};
use crate::endpoints::{Endpoints, Health, TaskId};
use crate::machine::{Machine, soonest};
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;
use alarm::Watch;
use crashes::Backoff;
use rollout::Deployment;

pub use restore::Snapshot;
pub use words::{Action, Ending, Event, Signal};

/// Without a word from the gateway for so long, what it said last counts no more.
const SIGHTINGS_COUNT_FOR: Duration = Duration::from_secs(5);

/// Keeps one service as desired.
#[derive(Debug)]
pub struct Reconciler {
    config: Config,
    /// How many tasks are desired: those of the settings, until somebody scales.
    count: u32,
    /// Nothing should run any more.
    down: bool,
    seed: u64,
    tasks: Vec<Task>,
    numbers: Numbers,
    /// Tasks ever started.
    started: u32,
    port: Option<u16>,
    /// A fleet's first fill happens before its story begins: nothing is provisioned until then.
    filled: bool,
    deployment: Deployment,
    /// Those before it, the oldest first.
    history: VecDeque<DeploymentView>,
    /// Revisions to which one may go back, the last one last.
    completed: Vec<Revision>,
    /// Old revisions and how many tasks of each still have a place, the youngest first.
    old: Vec<(Revision, u32)>,
    backoffs: BTreeMap<Revision, Backoff>,
    /// What a task of each revision may use: the settings are those of the last one that was deployed.
    limits: BTreeMap<Revision, Limits>,
    /// When the gateway first and last said something without a break in between.
    sighted: Option<(Instant, Instant)>,
    /// The version of the endpoints that the gateway goes by, as far as is known.
    acknowledged: u64,
    /// What clients got.
    watch: Watch,
    /// Where the power is off.
    off: Vec<Site>,
    /// An earlier gateway still finishes requests.
    handover: bool,
    /// Whether it has been said that every task looks bad.
    holding: bool,
    published: Endpoints,
    actions: VecDeque<Action>,
    /// When it was last told something.
    at: Instant,
}

// === impl Reconciler ===

impl Reconciler {
    /// A service of which nothing runs yet. Tell it the time to begin.
    pub fn new(config: Config, seed: u64, numbers: Numbers) -> Self {
        let deployment = Deployment::first();
        Self {
            limits: BTreeMap::from([(deployment.revision, config.limits)]),
            count: config.desired_count,
            config,
            down: false,
            numbers,
            seed,
            tasks: Vec::new(),
            started: 0,
            port: None,
            filled: false,
            deployment,
            history: VecDeque::new(),
            completed: Vec::new(),
            old: Vec::new(),
            backoffs: BTreeMap::new(),
            sighted: None,
            acknowledged: 0,
            watch: Watch::default(),
            off: Vec::new(),
            handover: false,
            holding: false,
            published: Endpoints::default(),
            actions: VecDeque::new(),
            at: Instant::EPOCH,
        }
    }

    /// Every task that is not gone, in ascending order.
    pub fn views(&self) -> Vec<View> {
        self.tasks.iter().map(Task::view).collect()
    }

    /// How many tasks are desired.
    pub fn desired_count(&self) -> u32 {
        self.count
    }

    /// The revision that is desired.
    pub fn revision(&self) -> Revision {
        self.deployment.revision
    }

    /// Healthy tasks that our own actions leave, and tasks that our own starts do not exceed.
    pub fn bounds(&self) -> (u32, u32) {
        if self.down {
            return (0, 0);
        }
        (self.config.floor_of(self.count), self.config.ceiling_of(self.count))
    }

    /// Whether the service was taken down.
    pub fn goes_down(&self) -> bool {
        self.down
    }

    /// Whether the service was taken down and no task is left.
    pub fn is_down(&self) -> bool {
        self.down && self.tasks.is_empty()
    }

    /// What would be done now, and what is waited for.
    pub fn plan(&self, now: Instant) -> Plan {
        // Whoever takes a service down does not guess, and nobody is left to be spared.
        let informed = self.down || self.informed(now);
        plan(&self.desired(now), &Observed { tasks: self.seen(now), informed })
    }

    fn desired(&self, now: Instant) -> Desired {
        let (floor, ceiling) = self.bounds();
        let count = if self.down { 0 } else { self.count };
        let (new, keep) = self.shares(now);
        let revision = self.deployment.revision;
        let old = match self.deployment.held_for() {
            Some(better) => self.places_beside(now, better, keep),
            None => self.old.clone(),
        };
        let proven = |task: &Task| task.revision == revision && task.is_proven();
        let unproven = self.deployment.is_in_doubt() && !self.tasks.iter().any(proven);
        Desired { count, floor, ceiling, revision, new, old, keep, unproven }
    }

    fn seen(&self, now: Instant) -> Vec<Seen> {
        self.tasks.iter().map(|task| task.seen(now, &self.config)).collect()
    }

    fn informed(&self, now: Instant) -> bool {
        self.sighted.is_some_and(|(_, last)| now.since(last) <= SIGHTINGS_COUNT_FOR)
    }

    fn record(&mut self, now: Instant, task: TaskId, decision: Decision, cause: Cause) {
        self.tell(Record { at: now, task: Some(task), decision, cause });
    }

    /// Of the whole service.
    fn record_all(&mut self, now: Instant, decision: Decision, cause: Cause) {
        self.tell(Record { at: now, task: None, decision, cause });
    }

    fn tell(&mut self, record: Record) {
        self.actions.push_back(Action::Record(record));
    }

    fn task(&mut self, id: TaskId) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    /// Carries the plan out as far as backoff lets it.
    fn carry_out(&mut self, now: Instant) {
        let plan = self.plan(now);
        self.hold(now, plan.waiting_on.contains(&Waiting::EveryoneLooksBad));
        for step in plan.steps {
            match step {
                Step::Start(_) if self.has_no_power() => {}
                Step::Start(revision) if self.must_wait(now, revision).is_some() => {}
                Step::Start(revision) => self.start(now, revision),
                Step::Retire(id, cause) => self.retire(now, id, cause),
            }
        }
    }

    /// Says once that nothing is done although every task looks bad.
    fn hold(&mut self, now: Instant, everyone_looks_bad: bool) {
        let told = std::mem::replace(&mut self.holding, everyone_looks_bad);
        if everyone_looks_bad && !told {
            self.record_all(now, Decision::Hold, Cause::EveryoneLooksBad);
        }
    }

    /// Somebody wants a task gone, but not its place empty.
    fn drain(&mut self, now: Instant, id: TaskId) {
        let Some(task) = self.task(id) else { return };
        if !task.is_leaving() && task.replace.is_none() {
            task.replace = Some(super::plan::Replace::ByHand);
            self.record(now, id, Decision::Replace, Cause::ByHand);
        }
    }

    fn take_down(&mut self, now: Instant) {
        if std::mem::replace(&mut self.down, true) {
            return;
        }
        self.record_all(now, Decision::Down, Cause::ByHand);
        if self.deployment.state.is_under_way() {
            self.deployment.end(State::Failed, Some(&Cause::TakenDown));
        }
    }

    /// Whether a wish comes too late.
    fn refuses(&mut self, now: Instant, event: &Event) -> bool {
        let wish = matches!(
            event,
            Event::Deploy(..) | Event::Scale(_) | Event::Autoscale(_) | Event::Rollback
        );
        if self.down && wish {
            self.record_all(now, Decision::Refuse, Cause::TakenDown);
        }
        self.down && wish
    }
}

// === impl Machine for Reconciler ===

impl Machine for Reconciler {
    type Input = Event;
    type Action = Action;

    fn handle(&mut self, now: Instant, event: Event) {
        self.calm_down(now);
        if self.refuses(now, &event) {
            return;
        }
        match event {
            Event::Deploy(config, revision) => self.deploy(now, *config, revision),
            Event::Scale(count) => self.scale(now, count, None),
            Event::Autoscale(change) => self.scale(now, change.to, Some(change.why)),
            Event::Rollback => self.roll_back_by_hand(now),
            Event::Drain(id) => self.drain(now, id),
            Event::Down => self.take_down(now),
            Event::Port(port) => self.port = Some(port),
            Event::Launched(id) => {
                if let Some(task) = self.task(id)
                    && let Phase::Launching { port } = task.phase
                {
                    task.phase = Phase::Running { port, since: now };
                }
            }
            Event::NotLaunched(id, why) => self.not_launched(now, id, why),
            Event::Exited(id, ending) => self.exited(now, id, ending),
            Event::Sightings(sightings) => self.observe(now, &sightings),
            Event::Usage(usage) => self.measure(now, &usage),
            Event::Handover(handover) => self.handover = handover,
            Event::Stop(id) => self.stop(now, id, Cause::ByHand),
            Event::PowerOff(sites) => self.power_off(now, sites),
        }
        self.handle_timeout(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.at = now;
        self.deployment.begin_at(now);
        self.advance(now);
        self.judge(now);
        self.roll(now);
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
            // Whether it works is the gateway's to say.
            Phase::Running { .. } if !task.passed => None,
            Phase::Running { since, .. } if task.verdict.health == Health::Unhealthy => {
                // Its grace ends, and the patience with it.
                let grace = since + self.config.health_grace;
                let ahead = |at: &Instant| *at > self.at;
                soonest(Some(grace).filter(ahead), task.lasts(&self.config).filter(ahead))
            }
            Phase::Running { .. } => {
                let disproved = task.disproved(&self.config).filter(|at| *at > self.at);
                soonest(self.settles(task), disproved)
            }
            // Without an acknowledgement there is nothing to wake up for.
            Phase::Draining { until, version, .. } => {
                Some(until).filter(|_| self.has_left(version))
            }
            Phase::Stopping { kill_at, .. } => kill_at,
            Phase::Launching { .. } => None,
        };
        let starts = self.backoffs.values().filter_map(Backoff::next_start);
        let starts = starts.filter(|at| *at > self.at);
        self.tasks.iter().filter_map(due).chain(starts).chain(self.rollout_due()).min()
    }
}
