//! A shell around a checker for scripts about what requests show.
//!
//! Checks pass by themselves unless a script takes them in hand. A step names tasks, what they do,
//! and how often: `1,2 answer x20 in 5ms every 10ms`. Every request is another one, unless it is `of`
//! something.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use expect_test::Expect;
use seaworthy_core::call::{FailedHow, How, Seen};
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, Inherited, TaskId, Wanted};
use seaworthy_core::health::passive::{self, Ejection};
use seaworthy_core::health::{
    Action, Check, Checker, Config, Failing, Input, Matcher, ProbeId, Probed,
};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::time::Instant;

use crate::golden;

/// What is asked for is waited for so long.
const TIMEOUT: Duration = Duration::from_millis(50);

/// Runs a script against the default rules.
pub(crate) fn check(expect: &Expect) {
    let mut shell = Shell::new(config(passive::Config::default()));
    golden::check(expect, |step| shell.step(step));
}

/// Checks every 10 s, in transition every second; two passes bring a task back, three failures take
/// it out.
pub(crate) fn config(rules: passive::Config) -> Config {
    Config {
        check: Check::Http { path: "/".into(), matcher: Matcher::only(200) },
        interval: Duration::from_secs(10),
        fast_interval: Duration::from_secs(1),
        timeout: Duration::from_millis(500),
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        passive: Some(rules),
    }
}

/// What a task does with a request, and how often.
struct Deed {
    how: How,
    times: u32,
    every: Duration,
    /// It began before the trial that goes on, if there is one.
    before: bool,
    fingerprint: Option<u64>,
}

/// Drives a checker, with tasks whose checks go as told.
pub(crate) struct Shell {
    pub(crate) now: Instant,
    pub(crate) checker: Checker,
    /// How checks of a task end; those of no other are answered by the script.
    checks: BTreeMap<TaskId, Option<Probed>>,
    probes: BTreeMap<TaskId, ProbeId>,
    on_trial: BTreeSet<TaskId>,
    /// Every request so far.
    requests: u64,
    pub(crate) wanted: Vec<String>,
}

impl Shell {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            now: Instant::EPOCH,
            checker: Checker::new(config),
            checks: BTreeMap::new(),
            probes: BTreeMap::new(),
            on_trial: BTreeSet::new(),
            requests: 1000,
            wanted: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, step: &str) -> Vec<String> {
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
            ["at", moment] => self.wait(Instant::EPOCH + duration(moment)),
            ["verdicts"] => self.verdicts(),
            [name, "checks", how] => {
                let how = match how {
                    "pass" => Some(Probed::Status(200)),
                    "fail" => Some(Probed::Status(503)),
                    "refuse" => Some(Probed::Failed(Failing::Refused)),
                    "by-hand" => None,
                    _ => panic!("unknown result: {how}"),
                };
                self.checks.insert(task(name), how);
            }
            [name, "passes"] => self.probed(name, Probed::Status(200)),
            [name, "is-refused"] => self.probed(name, Probed::Failed(Failing::Refused)),
            [names, verb, ref rest @ ..] => self.perform(names, &deed(verb, rest)),
            _ => panic!("unknown step: {step}"),
        }
        std::mem::take(&mut self.wanted)
    }

    fn perform(&mut self, names: &str, deed: &Deed) {
        for _ in 0..deed.times {
            for name in names.split(',') {
                self.requests += 1;
                let fingerprint = deed.fingerprint.unwrap_or(self.requests);
                let task = task(name);
                let on_trial = !deed.before && self.on_trial.contains(&task);
                self.see(Seen { task, how: deed.how, on_trial, fingerprint });
            }
            self.wait(self.now + deed.every);
        }
    }

    pub(crate) fn see(&mut self, seen: Seen) {
        self.drive(Some(Input::Seen(seen)));
    }

    fn probed(&mut self, name: &str, result: Probed) {
        self.drive(Some(Input::Probed(self.probes[&task(name)], result)));
    }

    pub(crate) fn wait(&mut self, until: Instant) {
        while let Some(due) = self.checker.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.drive(None);
            let next = self.checker.poll_timeout();
            assert!(next.is_none_or(|next| next > due), "{next:?} is wanted again at {due}");
        }
        self.now = until;
    }

    pub(crate) fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.checker, self.now, input, |action| actions.push(action));
        for action in actions {
            match action {
                Action::Probe { probe, task, .. } => {
                    let usual = Some(Probed::Status(200));
                    if let Some(result) = self.checks.get(&task).copied().unwrap_or(usual) {
                        self.drive(Some(Input::Probed(probe, result)));
                    } else {
                        self.probes.insert(task, probe);
                        self.wanted.push(format!("check {task}"));
                    }
                }
                Action::Rotate(rotation) => {
                    let on_trial = rotation.members.iter().filter(|member| member.on_trial);
                    self.on_trial = on_trial.map(|member| member.task).collect();
                }
                Action::Record(record) => self.wanted.push(record.to_string()),
            }
        }
    }

    fn verdicts(&mut self) {
        let told = |(task, verdict): (TaskId, Inherited)| {
            let ejection = match verdict.ejection {
                None => String::new(),
                Some(Ejection { times, left }) if left.is_zero() => {
                    format!(", on trial after {times} in a row")
                }
                Some(Ejection { times, left }) => format!(", out for {left:?}, {times} in a row"),
            };
            format!("{task} {:?}{ejection}", verdict.health)
        };
        let told: Vec<String> = self.checker.verdicts(self.now).map(told).collect();
        self.wanted.extend(told);
    }
}

/// `answer in 5ms x20`, `fail`, `fail-perhaps of a`, `refuse`, `withdraw`, `time-out`, `fall-behind after 30ms`,
/// `is-tried until 14s`; `before`: it was sent before the trial
fn deed(verb: &str, rest: &[&str]) -> Deed {
    let after = |word: &str| rest.iter().position(|other| *other == word).map(|at| rest[at + 1]);
    let what = FailedHow::Status(500);
    let how = match verb {
        "answer" => How::Answered(duration(after("in").unwrap_or("5ms"))),
        "fail" => How::Failed { what, blamed: true },
        "fail-perhaps" => How::Failed { what, blamed: false },
        "time-out" => How::Failed { what: FailedHow::Deadline(TIMEOUT), blamed: true },
        "time-out-perhaps" => How::Failed { what: FailedHow::Deadline(TIMEOUT), blamed: false },
        "refuse" => How::Refused,
        "withdraw" => How::Withdrawn,
        "is-tried" => {
            How::Tried { until: Instant::EPOCH + duration(after("until").expect("a moment")) }
        }
        "fall-behind" => How::Overtaken(duration(after("after").unwrap_or("30ms"))),
        _ => panic!("unknown verb: {verb}"),
    };
    let times = rest.iter().find_map(|word| word.strip_prefix('x')?.parse().ok()).unwrap_or(1);
    let every = after("every").map_or(Duration::ZERO, duration);
    let fingerprint = after("of").map(|name| u64::from(name.as_bytes()[0]));
    let before = rest.contains(&"before");
    Deed { how, times, every, before, fingerprint }
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).expect("a duration")
}

/// `1`, `1=healthy`, `1=unhealthy`, `1=out-3s` (ejected for the second time), `1=trial`,
/// `1-draining`
fn endpoint(word: &str) -> Endpoint {
    let number = word.split(|c: char| !c.is_ascii_digit()).next().expect("there is a first part");
    let task = task(number);
    let ejected = |left| {
        let ejection = Some(Ejection { times: 2, left });
        Inherited { health: Health::Healthy, ejection }
    };
    let inherited = match word.split_once('=').map(|(_, verdict)| verdict) {
        Some("healthy") => Some(Health::Healthy.into()),
        Some("unhealthy") => Some(Health::Unhealthy.into()),
        Some("trial") => Some(ejected(Duration::ZERO)),
        Some(out) => Some(ejected(duration(out.trim_start_matches("out-")))),
        None => None,
    };
    let wanted = if word.ends_with("-draining") { Wanted::Draining } else { Wanted::InRotation };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000 + task.0 as u16));
    Endpoint { wanted, inherited, ..Endpoint::new(task, address) }
}

pub(crate) fn task(number: &str) -> TaskId {
    TaskId(number.parse().expect("a task's number"))
}
