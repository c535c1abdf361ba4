//! Whatever happens: never below the floor by our own action, never above the ceiling, and as
//! desired again when faults stop.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::cluster::Config;
use seaworthy_core::cluster::deployment;
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::endpoints::{Endpoints, TaskId};
use seaworthy_core::record::{Decision, Exit, Record};

use crate::world::World;

#[derive(Clone, Debug)]
enum Fault {
    Crash(usize),
    Stop(usize),
    Sicken(usize),
    Stubborn(usize),
    Busy(usize, u32),
    Deploy,
    GatewaySilent(bool),
    GatewayRestarts,
    /// The gateway goes by what an earlier agent told it.
    EarlierAgent,
    StartsFail(bool),
    /// A timeout that nobody wanted.
    Spurious,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => any::<usize>().prop_map(Fault::Crash),
        3 => any::<usize>().prop_map(Fault::Stop),
        2 => any::<usize>().prop_map(Fault::Sicken),
        1 => any::<usize>().prop_map(Fault::Stubborn),
        2 => (any::<usize>(), 0..5u32).prop_map(|(task, n)| Fault::Busy(task, n)),
        2 => Just(Fault::Deploy),
        1 => any::<bool>().prop_map(Fault::GatewaySilent),
        1 => Just(Fault::GatewayRestarts),
        1 => Just(Fault::EarlierAgent),
        1 => any::<bool>().prop_map(Fault::StartsFail),
        1 => Just(Fault::Spurious),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let movable = |c: &Config| c.ceiling() > c.desired_count || c.floor() < c.desired_count;
    (1..6u32, 0..=100u32, 100..=250u32, 0..30u64)
        .prop_map(|(desired_count, minimum_healthy_percent, maximum_percent, provisioning)| {
            Config {
                desired_count,
                minimum_healthy_percent,
                maximum_percent,
                provisioning: (Duration::ZERO, Duration::from_secs(provisioning)),
                start_timeout: Duration::from_secs(10),
                stop_timeout: Duration::from_secs(5),
                deregistration_delay: Duration::from_secs(5),
                restart_backoff: (Duration::from_secs(1), Duration::from_secs(20)),
                health_grace: Duration::ZERO,
                limits: Limits::default(),
                deployment: deployment::Config::default(),
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
}

impl Watched {
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
        let processes = self.world.processes.len() as u32;
        assert!(processes <= self.config.ceiling(), "{processes} processes");
        let new = self.world.records[self.records_seen..].to_vec();
        self.records_seen = self.world.records.len();
        let told = |r: &&Record| matches!(r.decision, Decision::Retire | Decision::Terminate);
        self.leaving.extend(new.iter().filter(told).filter_map(|r| r.task));
        let still: BTreeSet<TaskId> = self.in_rotation().intersection(before).copied().collect();
        let ours = |r: &Record| {
            r.decision == Decision::Retire && r.task.is_some_and(|t| still.contains(&t))
        };
        if new.iter().any(|r| r.decision == Decision::Retire) {
            let silent_for = self.world.now.since(self.world.told.0);
            assert!(silent_for <= Duration::from_secs(5), "blind for {silent_for:?}: {new:?}");
        }
        if new.iter().any(ours) {
            let left = self.answering().len() as u32;
            assert!(left >= self.config.floor(), "{left} left of {before:?}: {new:?}");
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
            Fault::Stubborn(n) => self.process(pick(n), |p| p.stubborn = true),
            Fault::Busy(n, count) => self.process(pick(n), |p| p.in_flight = count),
            Fault::Deploy => {
                self.revision += 1;
                world.deploy(self.config.clone(), self.revision);
            }
            Fault::GatewaySilent(silent) => world.gateway_silent = silent,
            Fault::GatewayRestarts => world.endpoints = Endpoints::default(),
            Fault::EarlierAgent => world.endpoints.version += 50,
            Fault::StartsFail(fail) => world.starts_fail = fail,
            Fault::Spurious => world.drive(None),
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
        faults in prop::collection::vec((0..8_000u64, fault()), 0..12),
    ) {
        let world = World::new(config.clone(), seed);
        let mut watched =
            Watched { world, config: config.clone(), revision: 1, records_seen: 0, leaving: BTreeSet::new() };
        watched.run(Duration::from_secs(2));
        for (after, fault) in faults {
            watched.run(Duration::from_millis(after));
            watched.inflict(&fault);
        }

        // Safety is done with; now liveness: faults stop.
        watched.world.gateway_silent = false;
        watched.world.starts_fail = false;
        for process in watched.world.processes.values_mut() {
            process.sick = false;
            process.in_flight = 0;
        }
        watched.run(Duration::from_secs(600));

        let plan = watched.world.reconciler.plan(watched.world.now);
        prop_assert!(plan.steps.is_empty() && plan.waiting_on.is_empty(), "{plan:?}");
        prop_assert_eq!(watched.world.serving(), config.desired_count);
        prop_assert_eq!(watched.world.processes.len() as u32, config.desired_count);
    }
}
