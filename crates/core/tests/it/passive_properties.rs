//! Whatever checks and requests show: bounds hold, and who does well stays.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::call::{FailedHow, How, Seen};
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, Inherited, TaskId, Wanted};
use seaworthy_core::health::passive::{self, Ejection};
use seaworthy_core::health::{Action, Checker, Failing, Input, ProbeId, Probed, Rotation};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::record::Cause;
use seaworthy_core::time::Instant;

use crate::passive_shell::config;

/// In every other world it answers every request quickly, and all its checks pass.
const GOOD: TaskId = TaskId(1);
const FLOOR: u32 = 2;

/// What happens next. `usize` picks among the checks that were ever asked for, from the last on.
#[derive(Clone, Debug)]
enum Step {
    Endpoints(Vec<Endpoint>),
    Probed(usize, Probed),
    Seen(u32, How, bool, u64, u32),
    Wait(u64),
    Spurious,
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let ejection = (1..5u32, 0..20u64)
        .prop_map(|(times, left)| Some(Ejection { times, left: Duration::from_secs(left) }));
    let ejection = prop_oneof![3 => Just(None), 1 => ejection];
    let health = prop_oneof![1 => Just(Health::Unhealthy), 6 => Just(Health::Healthy)];
    let inherited =
        (health, ejection).prop_map(|(health, ejection)| Inherited { health, ejection });
    let inherited = prop::option::weighted(0.8, inherited);
    let endpoint = |(task, (draining, inherited)): (u32, (bool, Option<Inherited>))| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000 + task as u16));
        let wanted = if draining { Wanted::Draining } else { Wanted::InRotation };
        Endpoint { wanted, inherited, ..Endpoint::new(TaskId(task), address) }
    };
    let good = Endpoint {
        inherited: Some(Health::Healthy.into()),
        ..Endpoint::new(GOOD, (Ipv4Addr::LOCALHOST, 9001).into())
    };
    prop::collection::btree_map(2..9u32, (prop::bool::weighted(0.1), inherited), 2..8).prop_map(
        move |tasks| [good.clone()].into_iter().chain(tasks.into_iter().map(endpoint)).collect(),
    )
}

fn how() -> impl Strategy<Value = How> {
    let what = FailedHow::Status(500);
    prop_oneof![
        4 => (1..2000u64).prop_map(|millis| How::Answered(Duration::from_millis(millis))),
        3 => any::<bool>().prop_map(move |blamed| How::Failed { what, blamed }),
        2 => (1..500u64).prop_map(|millis| How::Overtaken(Duration::from_millis(millis))),
        1 => Just(How::Refused),
        1 => Just(How::Withdrawn),
        1 => (0..60_000u64).prop_map(|at| How::Tried { until: Instant::from_nanos(at * 1_000_000) }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let probed = prop_oneof![
        5 => Just(Probed::Status(200)),
        1 => Just(Probed::Status(500)),
        1 => Just(Probed::Failed(Failing::Refused)),
    ];
    prop_oneof![
        1 => endpoints().prop_map(Step::Endpoints),
        6 => (0..8usize, probed).prop_map(|(probe, result)| Step::Probed(probe, result)),
        20 => (1..9u32, how(), any::<bool>(), 0..6u64, 1..12u32).prop_map(
            |(task, how, on_trial, print, times)| Step::Seen(task, how, on_trial, print, times)
        ),
        5 => (0..4_000u64).prop_map(Step::Wait),
        2 => Just(Step::Spurious),
    ]
}

/// Drives a checker and looks at it after every step.
struct Observer {
    /// Whether there is a good task.
    good: bool,
    now: Instant,
    checker: Checker,
    latest: Endpoints,
    rotation: Rotation,
    /// Of all others.
    probes: Vec<ProbeId>,
    log: Vec<(Instant, Action)>,
}

impl Observer {
    fn new(good: bool) -> Self {
        let rules = passive::Config { minimum_in_rotation: FLOOR, ..passive::Config::default() };
        Self {
            good,
            now: Instant::EPOCH,
            checker: Checker::new(config(rules)),
            latest: Endpoints::default(),
            rotation: Rotation::default(),
            probes: Vec::new(),
            log: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Endpoints(tasks) => {
                let version = self.latest.version + 1;
                self.latest = Endpoints { version, tasks: tasks.clone(), ..Endpoints::default() };
                self.drive(Some(Input::Endpoints(self.latest.clone())));
            }
            Step::Probed(n, result) => {
                if let Some(probe) = self.probes.iter().rev().nth(*n).copied() {
                    self.drive(Some(Input::Probed(probe, *result)));
                }
            }
            Step::Seen(task, how, on_trial, fingerprint, times) => {
                let (task, on_trial, fingerprint) = (TaskId(*task), *on_trial, *fingerprint);
                let well = How::Answered(Duration::from_millis(10));
                let how = if self.is_good(task) { well } else { *how };
                for _ in 0..*times {
                    self.drive(Some(Input::Seen(Seen { task, how, on_trial, fingerprint })));
                }
            }
            Step::Wait(millis) => self.wait(self.now + Duration::from_millis(*millis)),
            Step::Spurious => self.drive(None),
        }
    }

    fn wait(&mut self, until: Instant) {
        while let Some(due) = self.checker.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.drive(None);
            let next = self.checker.poll_timeout();
            assert!(next.is_none_or(|next| next > due), "{next:?} is wanted again at {due}");
        }
        self.now = until;
    }

    fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.checker, self.now, input, |action| actions.push(action));
        let (mut ejected, mut good) = (false, None);
        for action in actions {
            self.log.push((self.now, action.clone()));
            match action {
                Action::Probe { probe, task, .. } if self.is_good(task) => good = Some(probe),
                Action::Probe { probe, .. } => self.probes.push(probe),
                Action::Rotate(rotation) => self.rotate(rotation),
                Action::Record(record) => {
                    if let Cause::Ejected { fault, .. } = record.cause {
                        assert!(!record.task.is_some_and(|task| self.is_good(task)), "{fault}");
                        // One that was on trial had left before.
                        ejected |= fault != passive::Fault::Trial;
                    }
                }
            }
        }
        if ejected {
            let serving = self.rotation.members.iter().filter(|member| !member.on_trial).count();
            assert!(serving >= FLOOR as usize, "{:?}", self.rotation);
        }
        if let Some(probe) = good {
            self.drive(Some(Input::Probed(probe, Probed::Status(200))));
        }
    }

    fn is_good(&self, task: TaskId) -> bool {
        self.good && task == GOOD
    }

    fn rotate(&mut self, rotation: Rotation) {
        assert!(rotation.contains(GOOD) || !self.good);
        assert!(rotation.members.is_sorted_by_key(|member| member.task));
        let trials = rotation.members.iter().filter(|member| member.on_trial).count();
        assert!(trials == 0 || trials < rotation.members.len(), "nobody to rely on");
        for member in &rotation.members {
            let endpoint = self.latest.tasks.iter().find(|e| e.task == member.task);
            assert_eq!(endpoint.map(|e| e.wanted), Some(Wanted::InRotation), "{member:?}");
            let mut verdicts = self.checker.verdicts(self.now);
            let verdict = verdicts.find(|(task, _)| *task == member.task).expect("registered").1;
            assert_ne!(verdict.health, Health::Initial, "{member:?}");
        }
        self.rotation = rotation;
    }

    fn check_ejections(&self) {
        for (task, verdict) in self.checker.verdicts(self.now) {
            if let Some(Ejection { times, left }) = verdict.ejection {
                assert!(!self.is_good(task) && times > 0 && left <= Duration::from_secs(300));
            }
        }
    }
}

proptest! {
    #[test]
    fn bounds_hold_and_who_does_well_stays(
        good in any::<bool>(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let log = |spurious: bool| {
            let mut observer = Observer::new(good);
            let wanted = |step: &&Step| spurious || !matches!(step, Step::Spurious);
            for step in steps.iter().filter(wanted) {
                observer.step(step);
                observer.check_ejections();
            }
            observer.log
        };
        prop_assert_eq!(log(true), log(false));
    }
}
