//! The reconciler, action by action: what the gateway is told and when, and what is not waited for.
//!
//! Scripts as in `calls.rs`. The fleet has two tasks, a ceiling of four and no provisioning.

use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler, Signal, Snapshot};
use seaworthy_core::cluster::{Config, Numbers, deployment};
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, Sighting, Sightings, TaskId, Wanted};
use seaworthy_core::health::passive::Ejection;
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::record::Exit;
use seaworthy_core::time::Instant;

use crate::golden;

#[test]
fn a_task_that_is_stopped_or_ends_leaves_the_endpoints_at_once() {
    check(&expect![[r#"
        port 9001   | launch task-1 on 9001
        port 9002   | launch task-2 on 9002
        launched 1  | publish 1: 1
        launched 2  | publish 2: 1 2
        healthy 1 2 |
        stop 1      | SIGTERM task-1
                    | publish 3: 1-draining 2
        exit 1      | publish 4: 2
        exit 2      | publish 5:
    "#]]);
}

#[test]
fn a_task_that_is_stopped_while_it_is_launched_is_never_in_rotation() {
    check(&expect![[r#"
        port 9001  | launch task-1 on 9001
        stop 1     | SIGTERM task-1
                   | publish 1: 1-draining
        launched 1 |
        exit 1     | publish 2:
    "#]]);
}

#[test]
fn a_task_that_does_not_go_is_killed_once() {
    check(&expect![[r#"
        port 9001  | launch task-1 on 9001
        launched 1 | publish 1: 1
        stop 1     | SIGTERM task-1
                   | publish 2: 1-draining
        due        | 30.000s
        at 29s     |
        at 30s     | SIGKILL task-1
        at 90s     |
        due        | never
        stop 1     |
        exit 1     | publish 3:
    "#]]);
}

#[test]
fn without_a_port_nothing_is_waited_for_but_the_port() {
    check(&expect![[r#"
        at 0s     |
        due       | never
        at 60s    |
        port 9001 | launch task-1 on 9001
        due       | never
    "#]]);
}

#[test]
fn what_nobody_waits_for_is_ignored() {
    check(&expect![[r#"
        port 9001      | launch task-1 on 9001
        launched 1     | publish 1: 1
        launched 1     |
        launched 9     |
        exit 9         |
        stop 9         |
        not-launched 9 |
        not-launched 1 | publish 2:
        exit 1         |
    "#]]);
}

#[test]
fn a_snapshot_that_is_not_acknowledged_is_told_again() {
    check(&expect![[r#"
        port 9001      | launch task-1 on 9001
        port 9002      | launch task-2 on 9002
        launched 1     | publish 1: 1
        launched 2     | publish 2: 1 2
        healthy 1 2    |
        acknowledge 1  | publish 2: 1 2
        acknowledge 2  |
        acknowledge 0  | publish 2: 1 2
        acknowledge 40 | publish 41: 1 2
        acknowledge 2  | publish 41: 1 2
        acknowledge 41 |
    "#]]);
}

#[test]
fn a_task_is_drained_when_the_snapshot_without_it_is_acknowledged_and_no_other() {
    check(&expect![[r#"
        port 9001      | launch task-1 on 9001
        port 9002      | launch task-2 on 9002
        launched 1     | publish 1: 1
        launched 2     | publish 2: 1 2
        healthy 1 2    |
        want 1         | publish 3: 1 2-draining
        acknowledge 2  | publish 3: 1 2-draining
        acknowledge 40 | publish 41: 1 2-draining
        acknowledge 40 | publish 41: 1 2-draining
        acknowledge 41 | SIGTERM task-2
    "#]]);
}

/// That nothing is in flight is what is waited for, and not how long it takes.
#[test]
fn a_task_that_drains_is_stopped_when_its_last_request_has_ended_and_not_before() {
    check(&expect![[r#"
        port 9001     | launch task-1 on 9001
        port 9002     | launch task-2 on 9002
        launched 1    | publish 1: 1
        launched 2    | publish 2: 1 2
        healthy 1 2   |
        in-flight 2 3 |
        want 1        | publish 3: 1 2-draining
        acknowledge 3 |
        at 19s        |
        in-flight 2 1 |
        acknowledge 2 | publish 3: 1 2-draining
        in-flight 2 0 | SIGTERM task-2
    "#]]);
}

/// A new gateway begins with nothing, and is told what the last one thought.
#[test]
fn the_verdicts_last_seen_are_given_to_the_next_gateway() {
    check(&expect![[r#"
        port 9001   | launch task-1 on 9001
        port 9002   | launch task-2 on 9002
        launched 1  | publish 1: 1
        launched 2  | publish 2: 1 2
        healthy 1 2 |
        ejected 1 3 |
        ejected 1 2 |
        forget      | publish 2: 1-out-for-2s 2
        forget      | publish 2: 1-out-for-2s 2
        healthy 1 2 |
        forget      | publish 2: 1 2
    "#]]);
}

/// Otherwise the state would be written with every word of the gateway.
#[test]
fn how_long_a_task_is_still_out_is_written_down_in_steps() {
    check(&expect![[r#"
        port 9001   | launch task-1 on 9001
        launched 1  | publish 1: 1
        healthy 1   |
        write       | written
        ejected 1 9 |
        write       | written
        ejected 1 6 |
        write       |
        ejected 1 5 |
        write       | written
        ejected 1 0 |
        write       | written
    "#]]);
}

/// Its process may have ended and nobody has said so, or it wants no more requests.
#[test]
fn who_passes_checks_and_is_out_of_rotation_all_the_same_does_not_serve() {
    check(&expect![[r#"
        port 9001     | launch task-1 on 9001
        port 9002     | launch task-2 on 9002
        launched 1    | publish 1: 1
        launched 2    | publish 2: 1 2
        healthy 1 2   |
        want 3        |
        port 9003     | launch task-3 on 9003
        launched 3    | publish 3: 1 2 3
        healthy 1 2 3 |
        out 1         |
        want 2        | publish 4: 1-draining 2 3
        healthy 1 2 3 | SIGTERM task-1
    "#]]);
}

fn check(expect: &Expect) {
    let mut shell = Shell {
        written: None,
        out: None,
        ejected: None,
        in_flight: None,
        now: Instant::EPOCH,
        reconciler: Reconciler::new(config(2), 1, Numbers::of(0, 1)),
        healthy: Vec::new(),
        published: Endpoints::default(),
        wanted: Vec::new(),
    };
    golden::check(expect, |step| shell.step(step));
}

fn config(desired_count: u32) -> Config {
    Config {
        desired_count,
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        provisioning: (Duration::ZERO, Duration::ZERO),
        start_timeout: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(30),
        deregistration_delay: Duration::from_secs(20),
        restart_backoff: (Duration::from_secs(600), Duration::from_secs(600)),
        health_grace: Duration::ZERO,
        machines: Vec::new(),
        limits: Limits::default(),
        deployment: deployment::Config::default(),
        autoscaling: None,
    }
}

struct Shell {
    now: Instant,
    /// The last one.
    written: Option<Snapshot>,
    reconciler: Reconciler,
    healthy: Vec<TaskId>,
    /// A task that is out whatever its checks and requests show.
    out: Option<TaskId>,
    /// A task that is out for what its requests show, and for how many seconds.
    ejected: Option<(TaskId, u64)>,
    /// A task with so many requests in flight.
    in_flight: Option<(TaskId, u32)>,
    published: Endpoints,
    wanted: Vec<String>,
}

impl Shell {
    fn step(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["port", port] => self.tell(Event::Port(port.parse().expect("a port"))),
            ["launched", name] => self.tell(Event::Launched(task(name))),
            ["not-launched", name] => self.tell(Event::NotLaunched(task(name), "no".into())),
            ["exit", name] => self.tell(Event::Exited(task(name), Exit::Code(0).into())),
            ["stop", name] => self.tell(Event::Stop(task(name))),
            ["want", count] => {
                let config = config(count.parse().expect("a number of tasks"));
                self.tell(Event::Deploy(Box::new(config), 1));
            }
            ["healthy", ref names @ ..] => {
                self.healthy = names.iter().map(|name| task(name)).collect();
                (self.out, self.ejected) = (None, None);
                self.acknowledge(self.published.version);
            }
            ["out", name] => {
                self.out = Some(task(name));
                self.acknowledge(self.published.version);
            }
            ["ejected", name, seconds] => {
                self.ejected = Some((task(name), seconds.parse().expect("seconds")));
                self.acknowledge(self.published.version);
            }
            ["in-flight", name, count] => {
                self.in_flight = Some((task(name), count.parse().expect("a number of requests")));
                self.acknowledge(self.published.version);
            }
            ["write"] => {
                let snapshot = Some(self.reconciler.snapshot());
                if std::mem::replace(&mut self.written, snapshot) != self.written {
                    self.wanted.push("written".to_owned());
                }
            }
            // As a gateway that was just started.
            ["forget"] => self.tell(Event::Sightings(Sightings::default())),
            ["acknowledge", version] => self.acknowledge(version.parse().expect("a version")),
            ["at", moment] => {
                self.now = golden::moment(moment);
                self.drive(None);
            }
            ["due"] => {
                let due = self.reconciler.poll_timeout();
                self.wanted.push(due.map_or("never".to_owned(), |at| at.to_string()));
            }
            _ => panic!("unknown step: {step}"),
        }
        std::mem::take(&mut self.wanted)
    }

    fn tell(&mut self, event: Event) {
        self.drive(Some(event));
    }

    fn acknowledge(&mut self, acknowledged: u64) {
        let sighting = |&task: &TaskId| {
            let out = self.ejected.filter(|(ejected, _)| *ejected == task);
            let left = out.map(|(_, seconds)| Duration::from_secs(seconds));
            let busy = self.in_flight.filter(|(busy, _)| *busy == task);
            Sighting {
                task,
                health: Health::Healthy,
                ejection: left.map(|left| Ejection { times: 2, left }),
                in_rotation: out.is_none() && self.out != Some(task),
                in_flight: busy.map_or(0, |(_, count)| count),
                answered: 0,
                failed: 0,
            }
        };
        let tasks = self.healthy.iter().map(sighting).collect();
        self.tell(Event::Sightings(Sightings { acknowledged, tasks, ..Sightings::default() }));
    }

    fn drive(&mut self, event: Option<Event>) {
        let mut actions = Vec::new();
        drive(&mut self.reconciler, self.now, event, |action| actions.push(action));
        for action in actions {
            self.wanted.push(match action {
                Action::Launch { task, port, .. } => format!("launch {task} on {port}"),
                Action::Signal(task, Signal::Terminate) => format!("SIGTERM {task}"),
                Action::Signal(task, Signal::Kill) => format!("SIGKILL {task}"),
                Action::Publish(endpoints) => {
                    self.published = endpoints;
                    told(&self.published)
                }
                Action::Record(_) => continue,
            });
        }
    }
}

/// `publish 3: 1 2-draining 3-out-for-5s`
fn told(endpoints: &Endpoints) -> String {
    let one = |endpoint: &Endpoint| {
        let ejection = endpoint.inherited.and_then(|inherited| inherited.ejection);
        let out = ejection.map_or(String::new(), |e| format!("-out-for-{:?}", e.left));
        let wanted = match endpoint.wanted {
            Wanted::InRotation => "",
            Wanted::Draining => "-draining",
        };
        format!(" {}{wanted}{out}", endpoint.task.0)
    };
    let tasks: String = endpoints.tasks.iter().map(one).collect();
    format!("publish {}:{tasks}", endpoints.version)
}

fn task(number: &str) -> TaskId {
    TaskId(number.parse().expect("a task's number"))
}
