//! A target group: the verdicts of an ALB, who is in rotation for them, and what the agent is told.
//!
//! Scripts as in `calls.rs`: what is wanted done stands behind the bar. Checks are due every 10 s
//! and fail after 4 s; three passes in a row bring a task back, two failures take it out.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{self, Attempt, CallId, Slots};
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, Inherited, Sighting, TaskId, Wanted};
use seaworthy_core::health::passive::{self, Ejection};
use seaworthy_core::health::{Check, Config, Failing, Matcher, ProbeId, Probed};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::policy::Ask;
use seaworthy_core::target_group::{Action, Input, TargetGroup};
use seaworthy_core::time::Instant;

use crate::golden;

#[test]
fn a_new_task_is_in_rotation_after_its_first_pass_and_not_before() {
    check(&expect![[r#"
        endpoints 1: 1 | check task-1
        get a          | no task is in rotation
        refuse 1       |
        at 10s         | check task-1
        answer 1 503   |
        at 20s         | check task-1
        pass 1         | task-1: enter rotation: 1 of 1 checks passed in a row
        get b          | try task-1
    "#]]);
}

#[test]
fn failures_in_a_row_take_a_task_out_and_passes_in_a_row_bring_it_back() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
                                         | check task-1 task-2
        refuse 1                         |
        at 10s                           | check task-1 task-2
        pass 1                           |
        at 20s                           | task-2: leave rotation: 2 of 2 checks failed in a row, the last one did not answer in time
                                         | check task-1 task-2
        refuse 1                         |
        at 30s                           | check task-1 task-2
        answer 1 500                     | task-2: enter rotation: no task is healthy, so all are used
        get a                            | try task-1
        get b                            | try task-2
        at 40s                           | check task-1 task-2
        pass 1                           |
        at 50s                           | check task-1 task-2
        pass 1                           |
        at 60s                           | check task-1 task-2
        refuse 1                         |
        at 70s                           | check task-1 task-2
        pass 1                           |
        at 80s                           | check task-1 task-2
        pass 1                           |
        at 90s                           | check task-1 task-2
        pass 1                           | task-2: leave rotation: others are healthy again
    "#]]);
}

#[test]
fn when_nobody_is_healthy_the_unhealthy_are_used_but_never_the_new() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3 | task-1: enter rotation: the verdict of an earlier gateway
                                           | task-2: enter rotation: the verdict of an earlier gateway
                                           | check task-1 task-2 task-3
        refuse 1                           |
        refuse 2                           |
        refuse 3                           |
        at 10s                             | check task-1 task-2 task-3
        refuse 1                           | task-1: leave rotation: 2 of 2 checks failed in a row, the last one refused the connection
        refuse 2                           | task-1: enter rotation: no task is healthy, so all are used
        refuse 3                           |
        get a                              | try task-1
        get b                              | try task-2
        at 20s                             | check task-1 task-2 task-3
        pass 3                             | task-1: leave rotation: others are healthy again
                                           | task-2: leave rotation: others are healthy again
                                           | task-3: enter rotation: 1 of 1 checks passed in a row
        get c                              | try task-3
    "#]]);
}

#[test]
fn new_tasks_alone_are_no_reason_to_fail_open() {
    check(&expect![[r#"
        endpoints 1: 1 2 | check task-1 task-2
        refuse 1         |
        at 10s           | check task-1 task-2
        refuse 1         |
        at 20s           | check task-1 task-2
        refuse 1         |
        get a            | no task is in rotation
        sightings        | task-1 Initial out with 0
                         | task-2 Initial out with 0
    "#]]);
}

#[test]
fn a_check_without_an_answer_in_time_has_failed() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
                                         | check task-1 task-2
        pass 2                           |
        at 4s                            |
        at 10s                           | check task-1 task-2
        pass 2                           |
        clock 14s                        |
        pass 1                           | task-1: leave rotation: 2 of 2 checks failed in a row, the last one did not answer in time
        at 20s                           | check task-1 task-2
        pass 1                           |
    "#]]);
}

#[test]
fn the_interval_does_not_depend_on_how_long_a_check_takes() {
    check(&expect![[r#"
        endpoints 1: 1 | check task-1
        clock 3s       |
        pass 1         | task-1: enter rotation: 1 of 1 checks passed in a row
        at 9s          |
        at 10s         | check task-1
        clock 37s      |
        pass 1         | check task-1
        at 46s         |
        at 47s         | check task-1
    "#]]);
}

#[test]
fn a_verdict_outlives_the_gateway_but_not_the_address() {
    check(&expect![[r#"
        endpoints 7: 1=healthy 2=unhealthy | task-1: enter rotation: the verdict of an earlier gateway
                                           | check task-1 task-2
        sightings                          | task-1 Healthy in with 0
                                           | task-2 Unhealthy out with 0
        endpoints 8: 1@9999 2=unhealthy    | task-1: leave rotation: deregistered
                                           | task-2: enter rotation: no task is healthy, so all are used
                                           | check task-1
        sightings                          | task-1 Initial out with 0
                                           | task-2 Unhealthy in with 0
        pass 1                             | task-2: leave rotation: others are healthy again
                                           | task-1: enter rotation: 1 of 1 checks passed in a row
    "#]]);
}

#[test]
fn the_latest_endpoints_count() {
    check(&expect![[r#"
        endpoints 3: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
                                         | check task-1 task-2
        endpoints 2: 1=healthy           |
        endpoints 3:                     |
        sightings                        | task-1 Healthy in with 0
                                         | task-2 Healthy in with 0
        endpoints 4: 2=healthy           | task-1: leave rotation: deregistered
    "#]]);
}

#[test]
fn a_task_that_comes_back_is_new() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
                                         | check task-1 task-2
        endpoints 2: 2=healthy           | task-1: leave rotation: deregistered
        pass 1                           |
        endpoints 3: 1 2=healthy         | check task-1
        sightings                        | task-1 Initial out with 0
                                         | task-2 Healthy in with 0
        pass 1                           | task-1: enter rotation: 1 of 1 checks passed in a row
    "#]]);
}

#[test]
fn a_draining_task_leaves_at_once_and_is_told_of_until_it_is_idle() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy  | task-1: enter rotation: the verdict of an earlier gateway
                                          | task-2: enter rotation: the verdict of an earlier gateway
                                          | check task-1 task-2
        get a                             | try task-1
        endpoints 2: 1-draining 2=healthy | task-1: leave rotation: deregistered
        get b                             | try task-2
        b done                            |
        sightings                         | task-1 Healthy out with 1
                                          | task-2 Healthy in with 0
        endpoints 3: 2=healthy            |
        sightings                         | task-1 Initial out with 1
                                          | task-2 Healthy in with 0
        a done                            |
        sightings                         | task-2 Healthy in with 0
    "#]]);
}

#[test]
fn an_unhealthy_task_that_drains_does_not_come_back_by_failing_open() {
    check(&expect![[r#"
        endpoints 1: 1=unhealthy | task-1: enter rotation: no task is healthy, so all are used
                                 | check task-1
        get a                    | try task-1
        endpoints 2: 1-draining  | task-1: leave rotation: deregistered
        get b                    | no task is in rotation
        pass 1                   |
        sightings                | task-1 Unhealthy out with 1
    "#]]);
}

#[test]
fn a_verdict_of_requests_is_told_with_what_is_left_and_taken_over_from_there() {
    let rules = Some(passive::Config::default());
    let group = || {
        let health = Config { passive: rules, ..health() };
        TargetGroup::new(health, call(), balance::Config::plain(Algorithm::RoundRobin), 1)
    };
    let register = |group: &mut TargetGroup, left| {
        let ejection = Some(Ejection { times: 2, left: Duration::from_secs(left) });
        let out = Some(Inherited { health: Health::Healthy, ejection });
        let tasks = vec![Endpoint { inherited: out, ..endpoint("1") }, endpoint("2=healthy")];
        group.handle(
            Instant::EPOCH,
            Input::Endpoints(Endpoints { version: 1, tasks, ..Endpoints::default() }),
        );
    };
    let seen = |group: &TargetGroup, millis| {
        let now = Instant::EPOCH + Duration::from_millis(millis);
        let seen = group.sightings(now, 1).of(TaskId(1)).cloned().expect("it is known");
        (
            seen.in_rotation,
            seen.ejection.map(|ejection| (ejection.times, ejection.left.as_millis())),
        )
    };
    let (mut first, mut second) = (group(), group());
    register(&mut first, 3);
    assert_eq!(seen(&first, 0), (false, Some((2, 3000))));
    assert_eq!(seen(&first, 1000), (false, Some((2, 2000))));
    register(&mut second, 2);
    assert_eq!(seen(&second, 0), (false, Some((2, 2000))));
    second.handle_timeout(Instant::EPOCH + Duration::from_secs(2));
    assert_eq!(seen(&second, 2000), (true, Some((2, 0))));
}

fn check(expect: &Expect) {
    let mut shell = Shell::new();
    golden::check(expect, |step| shell.step(step));
}

/// Drives a target group as a gateway does, with names for its calls.
struct Shell {
    now: Instant,
    group: TargetGroup,
    slots: Slots,
    calls: BTreeMap<String, CallId>,
    /// The last check of each task.
    probes: BTreeMap<TaskId, ProbeId>,
    wanted: Vec<String>,
}

impl Shell {
    fn new() -> Self {
        Self {
            now: Instant::EPOCH,
            group: TargetGroup::new(
                health(),
                call(),
                balance::Config::plain(Algorithm::RoundRobin),
                1,
            ),
            slots: Slots::default(),
            calls: BTreeMap::new(),
            probes: BTreeMap::new(),
            wanted: Vec::new(),
        }
    }

    fn step(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["endpoints", version, ref tasks @ ..] => {
                let version = version.trim_end_matches(':').parse().expect("a version");
                let tasks = tasks.iter().map(|word| endpoint(word)).collect();
                self.drive(Some(Input::Endpoints(Endpoints {
                    version,
                    tasks,
                    ..Endpoints::default()
                })));
            }
            ["pass", name] => self.probed(name, Probed::Status(200)),
            ["answer", name, status] => {
                self.probed(name, Probed::Status(status.parse().expect("a status")));
            }
            ["refuse", name] => self.probed(name, Probed::Failed(Failing::Refused)),
            ["get", name] => {
                let call = self.slots.take();
                self.calls.insert(name.to_owned(), call);
                let ask = Ask { repeatable: true, deadline: None };
                let request = call::Request::new(call::RouteId(0), ask);
                self.drive(Some(Input::Call(call::Input::Begin { call, request })));
            }
            [name, "done"] => {
                let done = call::Input::Done { call: self.calls[name], attempt: Attempt(1) };
                self.drive(Some(Input::Call(done)));
            }
            ["sightings"] => self.sightings(),
            ["clock", moment] => self.now = golden::moment(moment),
            ["at", moment] => self.wait(golden::moment(moment)),
            _ => panic!("unknown step: {step}"),
        }
        std::mem::take(&mut self.wanted)
    }

    fn probed(&mut self, name: &str, result: Probed) {
        self.drive(Some(Input::Probed(self.probes[&task(name)], result)));
    }

    fn wait(&mut self, until: Instant) {
        while let Some(due) = self.group.poll_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.drive(None);
        }
        self.now = until;
    }

    fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.group, self.now, input, |action| actions.push(action));
        let mut checks = Vec::new();
        for action in actions {
            self.wanted.push(match action {
                Action::Probe { probe, task, .. } => {
                    self.probes.insert(task, probe);
                    checks.push(task.to_string());
                    continue;
                }
                Action::Call(call::Action::Pass { attempt, .. }) => format!("pass {}", attempt.0),
                Action::Call(call::Action::Try { task, .. }) => format!("try {task}"),
                Action::Call(call::Action::Answer { why, .. }) => why.to_string(),
                Action::Call(call::Action::Abort { .. }) => "abort".to_owned(),
                Action::Record(record) => record.to_string(),
            });
        }
        if !checks.is_empty() {
            self.wanted.push(format!("check {}", checks.join(" ")));
        }
    }

    fn sightings(&mut self) {
        let told = |seen: Sighting| {
            let Sighting { task, health, in_rotation, in_flight, .. } = seen;
            let place = if in_rotation { "in" } else { "out" };
            format!("{task} {health:?} {place} with {in_flight}")
        };
        self.wanted.extend(self.group.sightings(self.now, 0).tasks.into_iter().map(told));
    }
}

/// As an ALB checks: in one interval, and by nothing else.
fn health() -> Config {
    Config {
        check: Check::Http { path: "/".into(), matcher: Matcher::only(200) },
        interval: Duration::from_secs(10),
        fast_interval: Duration::from_secs(10),
        timeout: Duration::from_secs(4),
        healthy_threshold: 3,
        unhealthy_threshold: 2,
        passive: None,
    }
}

fn call() -> call::Config {
    call::Config::plain(Duration::from_secs(600), 1)
}

/// `1`, `1=healthy`, `1=unhealthy`, `1-draining`, `1@9999`
fn endpoint(word: &str) -> Endpoint {
    let number = word.split(|c: char| !c.is_ascii_digit()).next().expect("there is a first part");
    let task = task(number);
    let port =
        word.split_once('@').map_or(9000 + task.0 as u16, |(_, p)| p.parse().expect("a port"));
    let inherited = match word.split_once('=') {
        Some((_, "healthy")) => Some(Health::Healthy.into()),
        Some((_, "unhealthy")) => Some(Health::Unhealthy.into()),
        _ => None,
    };
    let wanted = if word.ends_with("-draining") { Wanted::Draining } else { Wanted::InRotation };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Endpoint { wanted, inherited, ..Endpoint::new(task, address) }
}

fn task(number: &str) -> TaskId {
    TaskId(number.parse().expect("a task's number"))
}
