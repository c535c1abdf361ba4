//! How requests are divided among revisions, as endpoints say it and change it.

use std::net::Ipv4Addr;
use std::time::Duration;

use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{self, CallId, Request, RouteId};
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, TaskId};
use seaworthy_core::health::{self, Check};
use seaworthy_core::machine::drive;
use seaworthy_core::policy::Ask;
use seaworthy_core::target_group::{Action, Input, TargetGroup};
use seaworthy_core::time::Instant;

/// Three tasks of the first revision and one of the second.
const REVISIONS: [Revision; 4] = [1, 1, 1, 2];
const CALLS: u32 = 4000;

struct Canary {
    group: TargetGroup,
    version: u64,
    calls: u32,
}

impl Canary {
    /// A service whose first route has these weights of its own.
    fn new(of_route: &[(Revision, u32)]) -> Self {
        let mut config = call::Config::plain(Duration::from_secs(1), 1);
        config.routes[0].weights = of_route.iter().copied().collect();
        let health = health::Config {
            check: Check::Tcp,
            interval: Duration::from_secs(3600),
            fast_interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(60),
            healthy_threshold: 1,
            unhealthy_threshold: 1,
            passive: None,
        };
        let balancing = balance::Config::plain(Algorithm::LatencyAware);
        Self { group: TargetGroup::new(health, config, balancing, 1), version: 0, calls: 0 }
    }

    /// These endpoints, of this version; all are healthy.
    fn publish(&mut self, version: u64, revisions: &[Revision], weights: &[(Revision, u32)]) {
        let endpoint = |(n, revision): (usize, &Revision)| Endpoint {
            revision: *revision,
            inherited: Some(Health::Healthy.into()),
            ..Endpoint::new(TaskId(n as u32 + 1), (Ipv4Addr::LOCALHOST, 9000 + n as u16).into())
        };
        let tasks = revisions.iter().enumerate().map(endpoint).collect();
        let weights = weights.iter().copied().collect();
        self.tell(Input::Endpoints(Endpoints { version, tasks, weights, ..Endpoints::default() }));
        self.version = self.version.max(version);
        assert_eq!(self.group.version(), self.version);
    }

    /// The share of the second revision's task, in percent.
    fn share(&mut self) -> u32 {
        let asked = (0..CALLS).map(|_| self.call());
        asked.filter(|task| *task == TaskId(4)).count() as u32 * 100 / CALLS
    }

    fn call(&mut self) -> TaskId {
        self.calls += 1;
        let call = CallId { slot: 0, generation: self.calls };
        let request = Request::new(RouteId(0), Ask { repeatable: true, deadline: None });
        let begin = self.tell(Input::Call(call::Input::Begin { call, request }));
        let [Action::Call(call::Action::Try { attempt, task, .. })] = begin[..] else {
            panic!("{begin:?}")
        };
        let head = call::Input::Head { call, attempt, status: 200, withdraws: false };
        self.tell(Input::Call(head));
        self.tell(Input::Call(call::Input::Done { call, attempt }));
        task
    }

    fn tell(&mut self, input: Input) -> Vec<Action> {
        let now = Instant::EPOCH + Duration::from_millis(self.calls.into());
        let mut actions = Vec::new();
        drive(&mut self.group, now, Some(input), |action| actions.push(action));
        actions
    }
}

#[test]
fn endpoints_say_and_change_how_requests_are_divided() {
    let mut canary = Canary::new(&[]);
    canary.publish(1, &REVISIONS, &[]);
    assert!((20..=30).contains(&canary.share()), "each task has its share");
    for (version, canary_s) in [(2, 5), (3, 50), (4, 0), (5, 100)] {
        canary.publish(version, &REVISIONS, &[(1, 100 - canary_s), (2, canary_s)]);
        let share = canary.share();
        assert!(share.abs_diff(canary_s) <= 2, "{share} instead of {canary_s}");
    }
    // What is older than what is known is not listened to.
    canary.publish(4, &REVISIONS, &[(1, 100)]);
    assert_eq!(canary.share(), 100);
    canary.publish(6, &REVISIONS[..3], &[(1, 1), (2, 99)]);
    assert_eq!(canary.share(), 0, "there is none of it, so the others take it");
    canary.publish(7, &REVISIONS, &[]);
    assert!((20..=30).contains(&canary.share()), "each task has its share again");
}

#[test]
fn a_route_s_own_weights_come_first() {
    let mut canary = Canary::new(&[(1, 90), (2, 10)]);
    canary.publish(1, &REVISIONS, &[(2, 1)]);
    assert!(canary.share().abs_diff(10) <= 2);
}

#[test]
fn whoever_is_told_sees_the_whole_answers_of_each_task_and_the_traffic() {
    let mut canary = Canary::new(&[]);
    canary.publish(1, &REVISIONS, &[(2, 1)]);
    canary.share();
    let now = Instant::EPOCH + Duration::from_millis(canary.calls.into());
    let seen = canary.group.sightings(now, 1);
    assert_eq!(seen.of(TaskId(4)).map(|seen| seen.answered), Some(CALLS.into()));
    assert_eq!(seen.of(TaskId(1)).map(|seen| seen.answered), Some(0));
    assert_eq!((seen.traffic.ended, seen.traffic.failed), (CALLS.into(), 0));
    assert!(seen.traffic.p99.is_some());
}
