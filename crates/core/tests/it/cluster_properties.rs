//! Whatever happens: never below the floor by our own action, never above the ceiling, and as
//! desired again when faults stop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::cluster::Config;
use seaworthy_core::cluster::deployment::{self, Breaker, Canary, State};
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::plan::Waiting;
use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::cluster::spread::{Location, Site};
use seaworthy_core::endpoints::{Endpoints, Health, Sighting, TaskId};
use seaworthy_core::record::{Decision, Exit, Record};
use seaworthy_core::time::Instant;

use crate::world::{Bad, World};

#[derive(Clone, Debug)]
enum Fault {
    Crash(usize),
    Stop(usize),
    Sicken(usize),
    /// All look bad, as where the machine stands still, or all look well again.
    Stall(bool),
    Stubborn(usize),
    Busy(usize, u32),
    Deploy(Option<Bad>),
    Rollback,
    Scale(u32),
    Drain(usize),
    AgentRestarts,
    MachineRestarts,
    Handover(bool),
    GatewaySilent(bool),
    GatewayRestarts,
    /// The gateway goes by what an earlier agent told it.
    EarlierAgent,
    StartsFail(bool),
    /// A timeout that nobody wanted.
    Spurious,
    /// In so many of [`ZONES`], from this one on.
    PowerOff(usize, usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => any::<usize>().prop_map(Fault::Crash),
        3 => any::<usize>().prop_map(Fault::Stop),
        2 => any::<usize>().prop_map(Fault::Sicken),
        2 => any::<bool>().prop_map(Fault::Stall),
        1 => any::<usize>().prop_map(Fault::Stubborn),
        2 => (any::<usize>(), 0..5u32).prop_map(|(task, n)| Fault::Busy(task, n)),
        2 => bad().prop_map(Fault::Deploy),
        1 => Just(Fault::Rollback),
        1 => (0..6u32).prop_map(Fault::Scale),
        2 => any::<usize>().prop_map(Fault::Drain),
        2 => Just(Fault::AgentRestarts),
        1 => Just(Fault::MachineRestarts),
        1 => any::<bool>().prop_map(Fault::Handover),
        1 => any::<bool>().prop_map(Fault::GatewaySilent),
        1 => Just(Fault::GatewayRestarts),
        1 => Just(Fault::EarlierAgent),
        1 => any::<bool>().prop_map(Fault::StartsFail),
        1 => Just(Fault::Spurious),
        1 => (0..ZONES.len(), 0..=ZONES.len()).prop_map(|(first, zones)| Fault::PowerOff(first, zones)),
    ]
}

fn bad() -> impl Strategy<Value = Option<Bad>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Bad::NeverHealthy)),
        1 => Just(Some(Bad::AnswersBadly)),
        1 => (50..2_500u64).prop_map(|ms| Some(Bad::Crashes(Duration::from_millis(ms)))),
    ]
}

/// What is bad shows before it has settled.
fn deployment() -> impl Strategy<Value = deployment::Config> {
    let canary = (1..=100u32, 0..20u64)
        .prop_map(|(percent, bake)| Canary { percent, bake: Duration::from_secs(bake) });
    (3..6u64, any::<bool>(), any::<bool>(), prop::option::of(canary), 0..5u64).prop_map(
        |(settle, cumulative, rollback, canary, quiet)| deployment::Config {
            settle: Duration::from_secs(settle),
            breaker: Breaker { cumulative, ..Breaker::default() },
            rollback,
            alarm: None,
            canary,
            quiet: Duration::from_secs(quiet),
        },
    )
}

const ZONES: [&str; 3] = ["a", "b", "c"];

/// In the first so many of [`ZONES`] that begin with this one.
fn power_off(first: usize, zones: usize) -> Event {
    let sites = ZONES.into_iter().skip(first).take(zones);
    Event::PowerOff(sites.map(|zone| Site::Zone(zone.to_owned())).collect())
}

fn machines() -> impl Strategy<Value = Vec<Location>> {
    let names = prop::sample::select(vec!["", "a b", "a/1 a/2 b", "a/1 b/1 a/2 b/2 c"]);
    names.prop_map(|names| {
        names.split_whitespace().map(|name| name.parse().expect("a machine")).collect()
    })
}

fn config() -> impl Strategy<Value = Config> {
    let movable = |c: &Config| c.ceiling() > c.desired_count || c.floor() < c.desired_count;
    ((1..6u32, 0..=100u32, 100..=250u32, 0..30u64), deployment(), 0..3u64, machines())
        .prop_map(|(tasks, deployment, grace, machines)| {
            let (desired_count, minimum_healthy_percent, maximum_percent, provisioning) = tasks;
            Config {
                desired_count,
                minimum_healthy_percent,
                maximum_percent,
                provisioning: (Duration::ZERO, Duration::from_secs(provisioning)),
                start_timeout: Duration::from_secs(10),
                stop_timeout: Duration::from_secs(5),
                deregistration_delay: Duration::from_secs(5),
                restart_backoff: (Duration::from_secs(1), Duration::from_secs(20)),
                health_grace: Duration::from_secs(grace),
                machines,
                limits: Limits::default(),
                deployment,
                autoscaling: None,
            }
        })
        .prop_filter("a rollout can move", movable)
}

/// Every step of the world, with its invariants.
struct Watched {
    world: World,
    config: Config,
    revision: u32,
    records_seen: usize,
    leaving: BTreeSet<TaskId>,
    /// As the gateway told it, without a break.
    healthy_since: BTreeMap<TaskId, Instant>,
    down: bool,
}

impl Watched {
    /// After some seconds and all faults.
    fn after(config: &Config, seed: u64, faults: Vec<(u64, Fault)>) -> Self {
        let mut watched = Self {
            world: World::new(config.clone(), seed),
            config: config.clone(),
            revision: 1,
            records_seen: 0,
            leaving: BTreeSet::new(),
            healthy_since: BTreeMap::new(),
            down: false,
        };
        watched.run(Duration::from_secs(2));
        for (after, fault) in faults {
            watched.run(Duration::from_millis(after));
            watched.inflict(&fault);
        }
        watched
    }

    /// And long after all of them have ended.
    fn calm_after(config: &Config, seed: u64, faults: Vec<(u64, Fault)>) -> Self {
        let mut watched = Self::after(config, seed, faults);
        watched.heal();
        watched.run(Duration::from_secs(900));
        watched
    }

    /// Faults stop.
    fn heal(&mut self) {
        self.world.gateway_silent = false;
        self.world.starts_fail = false;
        self.world.tell(Event::Handover(false));
        self.world.tell(power_off(0, 0));
        if self.world.reconciler.desired_count() == 0 {
            // Without a task nothing is proven, and a deployment waits.
            self.world.tell(Event::Scale(2));
        }
        for process in self.world.processes.values_mut() {
            process.sick = false;
            process.in_flight = 0;
        }
    }

    fn run(&mut self, duration: Duration) {
        let until = self.world.now + duration;
        loop {
            let before = self.answering();
            let more = self.world.step(until);
            self.check(&before);
            if !more {
                break;
            }
        }
    }

    /// Tasks that answer their users, as far as anybody could tell.
    fn in_rotation(&self) -> BTreeSet<TaskId> {
        let (_, told) = &self.world.told;
        let tasks = told.tasks.iter().filter(|seen| seen.in_rotation).map(|seen| seen.task);
        tasks.filter(|task| self.world.processes.contains_key(task)).collect()
    }

    /// Those of them that were not told to go.
    fn answering(&self) -> BTreeSet<TaskId> {
        self.in_rotation().difference(&self.leaving).copied().collect()
    }

    fn check(&mut self, before: &BTreeSet<TaskId>) {
        self.check_tasks();
        let reconciler = &self.world.reconciler;
        let (floor, ceiling) = reconciler.bounds();
        let new = self.world.records[self.records_seen..].to_vec();
        self.records_seen = self.world.records.len();
        if new.iter().any(|r| r.decision == Decision::Start) {
            let tasks = reconciler.views().len() as u32;
            assert!(tasks <= ceiling, "{tasks} tasks, {ceiling} are allowed: {new:?}");
        }
        let told = |r: &&Record| matches!(r.decision, Decision::Retire | Decision::Terminate);
        self.leaving.extend(new.iter().filter(told).filter_map(|r| r.task));
        let still: BTreeSet<TaskId> = self.in_rotation().intersection(before).copied().collect();
        let ours = |r: &Record| {
            r.decision == Decision::Retire && r.task.is_some_and(|t| still.contains(&t))
        };
        if self.down {
            return;
        }
        if new.iter().any(|r| r.decision == Decision::Retire) {
            let silent_for = self.world.now.since(self.world.told.0);
            assert!(silent_for <= Duration::from_secs(5), "blind for {silent_for:?}: {new:?}");
        }
        // What has not settled is spared by nobody and spares nobody.
        let settled = |task: &TaskId| self.has_settled(*task);
        if new.iter().any(|r| ours(r) && r.task.as_ref().is_some_and(settled)) {
            let left = self.answering().iter().filter(|task| settled(task)).count() as u32;
            assert!(left >= floor, "{left} left of {before:?}, {floor} must be: {new:?}");
        }
    }

    /// A task that came with the deployment counts once it has been healthy for long enough; those
    /// of an earlier revision did so before.
    fn has_settled(&self, task: TaskId) -> bool {
        let Some(since) = self.healthy_since.get(&task) else { return false };
        let deployment = self.world.reconciler.deployment();
        let of = |r: &&Record| r.decision == Decision::Start && r.task == Some(task);
        let started = self.world.records.iter().find(of).map(|r| r.at);
        let views = self.world.reconciler.views();
        let new = views.iter().any(|v| v.task == task && v.revision == deployment.revision);
        let came_with_it = new && started.is_some_and(|at| at >= deployment.since);
        let settle = self.config.deployment.settle;
        let old =
            !came_with_it || deployment.from.is_none() || deployment.state == State::Completed;
        old || self.world.now.since(*since) >= settle
    }

    /// No task is lost, and a plan that does nothing says why.
    fn check_tasks(&mut self) {
        let now = self.world.now;
        // Of what a gateway does not know, or does not know yet, it says nothing.
        for Sighting { task, health, ejection, .. } in &self.world.told.1.tasks {
            match (health, ejection) {
                (Health::Healthy, None) => {
                    self.healthy_since.entry(*task).or_insert(now);
                }
                (Health::Initial, _) => {}
                _ => {
                    self.healthy_since.remove(task);
                }
            }
        }
        let reconciler = &self.world.reconciler;
        let views = reconciler.views();
        let known: BTreeSet<TaskId> = views.iter().map(|view| view.task).collect();
        let lost: Vec<_> =
            self.world.processes.keys().filter(|task| !known.contains(task)).collect();
        assert!(lost.is_empty(), "nobody knows of {lost:?}");
        let plan = reconciler.plan(now);
        if !self.down && plan.steps.is_empty() && reconciler.explain(now).is_empty() {
            assert_eq!(views.len() as u32, reconciler.desired_count());
            assert!(views.iter().all(|view| view.revision == reconciler.revision()), "{views:?}");
        }
    }

    fn inflict(&mut self, fault: &Fault) {
        self.inflict_unseen(fault);
        let before = self.answering();
        self.world.sight();
        self.check(&before);
    }

    fn inflict_unseen(&mut self, fault: &Fault) {
        let world = &mut self.world;
        let tasks: Vec<TaskId> = world.processes.keys().copied().collect();
        let pick = |n: usize| tasks.get(n.checked_rem(tasks.len())?).copied();
        match *fault {
            Fault::Crash(n) => pick(n).into_iter().for_each(|t| world.exit(t, Exit::Signal(11))),
            Fault::Stop(n) => pick(n).into_iter().for_each(|t| world.tell(Event::Stop(t))),
            Fault::Sicken(n) => self.process(pick(n), |p| p.sick = true),
            Fault::Stall(sick) => world.processes.values_mut().for_each(|p| p.sick = sick),
            Fault::Stubborn(n) => self.process(pick(n), |p| p.stubborn = true),
            Fault::Busy(n, count) => self.process(pick(n), |p| p.in_flight = count),
            Fault::Deploy(bad) => {
                self.revision += 1;
                world.bad.extend(bad.map(|bad| (self.revision, bad)));
                world.deploy(self.config.clone(), self.revision);
            }
            Fault::Rollback => world.tell(Event::Rollback),
            Fault::Scale(count) => world.tell(Event::Scale(count)),
            Fault::Drain(n) => pick(n).into_iter().for_each(|t| world.tell(Event::Drain(t))),
            Fault::AgentRestarts => world.agent_restarts(),
            // What was taken down begins again then.
            Fault::MachineRestarts if self.down => {}
            Fault::MachineRestarts => {
                world.machine_restarts();
                (self.leaving, self.healthy_since) = (BTreeSet::new(), BTreeMap::new());
            }
            Fault::Handover(lasts) => world.tell(Event::Handover(lasts)),
            Fault::GatewaySilent(silent) => world.gateway_silent = silent,
            Fault::GatewayRestarts => world.endpoints = Endpoints::default(),
            Fault::EarlierAgent => world.endpoints.version += 50,
            Fault::StartsFail(fail) => world.starts_fail = fail,
            Fault::Spurious => world.drive(None),
            Fault::PowerOff(first, zones) => world.tell(power_off(first, zones)),
        }
    }

    fn process(&mut self, task: Option<TaskId>, change: impl FnOnce(&mut crate::world::Process)) {
        if let Some(process) = task.and_then(|task| self.world.processes.get_mut(&task)) {
            change(process);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn limits_hold_and_the_fleet_converges(
        config in config(),
        seed in any::<u64>(),
        faults in prop::collection::vec((0..8_000u64, fault()), 0..16),
    ) {
        // Safety is done with when it is calm again; now liveness.
        let watched = Watched::calm_after(&config, seed, faults);
        let Watched { world, .. } = watched;
        let (plan, told) = (world.reconciler.plan(world.now), world.reconciler.explain(world.now));
        let deployment = world.reconciler.deployment();
        // A deployment that was given up half-way stays there, and says so.
        let kept = |waiting: &Waiting| matches!(waiting, Waiting::Kept(_));
        prop_assert!(plan.steps.is_empty(), "{plan:?}");
        prop_assert!(plan.waiting_on.iter().all(kept), "{plan:?}");
        prop_assert!(!deployment.state.is_under_way(), "{deployment:?} {told:?}");
        prop_assert_eq!(world.serving(), world.reconciler.desired_count());
        prop_assert_eq!(world.processes.len() as u32, world.reconciler.desired_count());
    }

    /// However uneven it has become: each revision is spread anew.
    #[test]
    fn a_deployment_spreads_evenly(
        config in config(),
        seed in any::<u64>(),
        faults in prop::collection::vec((0..8_000u64, fault()), 0..16),
    ) {
        let mut watched = Watched::calm_after(&config, seed, faults);
        watched.inflict(&Fault::Deploy(None));
        watched.run(Duration::from_secs(900));

        let views = watched.world.reconciler.views();
        let zones = config.machines.iter().map(|machine| {
            let in_it = |location: &Location| location.zone() == machine.zone();
            views.iter().filter(|view| view.location.as_ref().is_some_and(in_it)).count()
        });
        let (fewest, most) = (zones.clone().min(), zones.max());
        prop_assert!(most <= fewest.map(|fewest| fewest + 1), "{views:?}");
    }

    #[test]
    fn what_is_taken_down_is_gone_and_stays_so(
        config in config(),
        seed in any::<u64>(),
        faults in prop::collection::vec((0..8_000u64, fault()), 0..8),
        later in prop::collection::vec((0..3_000u64, fault()), 0..4),
    ) {
        let mut watched = Watched::after(&config, seed, faults);
        watched.down = true;
        watched.world.tell(Event::Down);
        for (after, fault) in later {
            watched.run(Duration::from_millis(after));
            watched.inflict(&fault);
        }
        watched.heal();
        watched.run(Duration::from_secs(60));
        prop_assert!(watched.world.reconciler.is_down());
        prop_assert!(watched.world.processes.is_empty());
    }
}
