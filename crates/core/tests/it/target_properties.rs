//! Whatever checks and endpoints say: who is in rotation follows from the verdicts alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call;
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, Inherited, Sighting, TaskId, Wanted};
use seaworthy_core::health::{Check, Config, Failing, Matcher, ProbeId, Probed};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::target_group::{Action, Input, TargetGroup};
use seaworthy_core::time::Instant;

/// What happens next. `usize` picks among the checks that were ever asked for, from the last on.
#[derive(Clone, Debug)]
enum Step {
    Endpoints(u64, Vec<Endpoint>),
    Probed(usize, Probed),
    Wait(u64),
    Spurious,
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let health = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Health::Healthy.into())),
        1 => Just(Some(Health::Unhealthy.into())),
    ];
    let endpoint = |(task, (draining, inherited)): (u32, (bool, Option<Inherited>))| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000 + task as u16));
        let wanted = if draining { Wanted::Draining } else { Wanted::InRotation };
        Endpoint { wanted, inherited, ..Endpoint::new(TaskId(task), address) }
    };
    prop::collection::btree_map(1..6u32, (prop::bool::weighted(0.2), health), 0..5)
        .prop_map(move |tasks| tasks.into_iter().map(endpoint).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let probed = prop_oneof![
        3 => Just(Probed::Status(200)),
        2 => Just(Probed::Status(500)),
        2 => Just(Probed::Failed(Failing::Refused)),
    ];
    prop_oneof![
        2 => (0..40u64, endpoints()).prop_map(|(version, tasks)| Step::Endpoints(version, tasks)),
        12 => (0..8usize, probed).prop_map(|(probe, result)| Step::Probed(probe, result)),
        4 => (0..4_000u64).prop_map(Step::Wait),
        2 => Just(Step::Spurious),
    ]
}

/// Drives a target group and looks at it after every step.
struct Observer {
    now: Instant,
    group: TargetGroup,
    latest: Endpoints,
    probes: Vec<ProbeId>,
    log: Vec<(Instant, Action)>,
}

impl Observer {
    fn new() -> Self {
        let health = Config {
            check: Check::Http { path: "/".into(), matcher: Matcher::only(200) },
            interval: Duration::from_secs(3),
            fast_interval: Duration::from_secs(3),
            timeout: Duration::from_secs(1),
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            passive: None,
        };
        let call = call::Config::plain(Duration::from_secs(1), 1);
        Self {
            now: Instant::EPOCH,
            group: TargetGroup::new(health, call, balance::Config::plain(Algorithm::RoundRobin), 1),
            latest: Endpoints::default(),
            probes: Vec::new(),
            log: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Endpoints(version, tasks) => {
                let endpoints =
                    Endpoints { version: *version, tasks: tasks.clone(), ..Endpoints::default() };
                if *version > self.latest.version {
                    self.latest = endpoints.clone();
                }
                self.drive(Some(Input::Endpoints(endpoints)));
            }
            Step::Probed(n, result) => {
                if let Some(probe) = self.probes.iter().rev().nth(*n).copied() {
                    self.drive(Some(Input::Probed(probe, *result)));
                }
            }
            Step::Wait(millis) => self.wait(self.now + Duration::from_millis(*millis)),
            Step::Spurious => self.drive(None),
        }
        self.check();
    }

    fn wait(&mut self, until: Instant) {
        while let Some(due) = self.group.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.drive(None);
            let next = self.group.poll_timeout();
            assert!(next.is_none_or(|next| next > due), "{next:?} is wanted again at {due}");
        }
        self.now = until;
    }

    fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.group, self.now, input, |action| actions.push(action));
        for action in actions {
            if let Action::Probe { probe, task, .. } = action {
                let endpoint = self.latest.tasks.iter().find(|endpoint| endpoint.task == task);
                assert!(endpoint.is_some(), "{task} is not in {:?}", self.latest);
                self.probes.push(probe);
            }
            self.log.push((self.now, action));
        }
    }

    fn check(&self) {
        assert_eq!(self.group.version(), self.latest.version);
        let seen = self.group.sightings(self.now, 0).tasks;
        let registered = self.latest.tasks.iter().map(|endpoint| endpoint.task);
        assert!(seen.iter().map(|seen| seen.task).eq(registered));
        let wanted = |seen: &&Sighting| {
            let of_it = |endpoint: &&Endpoint| endpoint.task == seen.task;
            let endpoint = self.latest.tasks.iter().find(of_it);
            endpoint.is_some_and(|endpoint| endpoint.wanted == Wanted::InRotation)
        };
        let with = |health| seen.iter().filter(wanted).filter(move |seen| seen.health == health);
        let anyone_healthy = with(Health::Healthy).next().is_some();
        let chosen = if anyone_healthy { Health::Healthy } else { Health::Unhealthy };
        let in_rotation = seen.iter().filter(|seen| seen.in_rotation);
        assert!(in_rotation.eq(with(chosen)), "{seen:?}");
    }
}

proptest! {
    #[test]
    fn the_rotation_follows_from_the_verdicts(steps in prop::collection::vec(step(), 0..100)) {
        let log = |spurious: bool| {
            let mut observer = Observer::new();
            let wanted = |step: &&Step| spurious || !matches!(step, Step::Spurious);
            steps.iter().filter(wanted).for_each(|step| observer.step(step));
            observer.log
        };
        prop_assert_eq!(log(true), log(false));
        prop_assert_eq!(log(true), log(true));
    }
}
