//! Drives a dispatcher by a script.

use std::collections::BTreeMap;

use expect_test::Expect;
use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{
    Action, Attempt, CallId, Config, Dispatcher, Failure, FailureKind, Input, Reason, Request,
    RouteId, Seen, Slots,
};
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::{TaskId, Traffic};
use seaworthy_core::health::Rotation;
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::policy::Ask;
use seaworthy_core::time::Instant;

use crate::golden;

/// Drives a dispatcher as a gateway does, with names for its calls.
pub(crate) struct Shell {
    now: Instant,
    dispatcher: Dispatcher,
    slots: Slots,
    /// With the try that was last asked for.
    calls: BTreeMap<String, (CallId, u32)>,
    wanted: Vec<String>,
    /// Whether it is told what tries have shown.
    tells_seen: bool,
}

impl Shell {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            now: Instant::EPOCH,
            dispatcher: Dispatcher::new(config, balance::Config::plain(Algorithm::RoundRobin), 1),
            slots: Slots::default(),
            calls: BTreeMap::new(),
            wanted: Vec::new(),
            tells_seen: false,
        }
    }

    /// Tells what tries have shown as well.
    pub(crate) fn telling_seen(self) -> Self {
        Self { tells_seen: true, ..self }
    }

    /// Plays the script in `expect`.
    pub(crate) fn check(mut self, expect: &Expect) {
        golden::check(expect, |step| self.step(step));
    }

    pub(crate) fn step(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["rotate", ref tasks @ ..] => {
                self.drive(Some(Input::Rotate(rotation(tasks))));
            }
            ["get" | "post", name] => self.begin(name, words[0] == "get", None, None),
            // Its task may be asked beside another one.
            ["look", name] => {
                let ask = Ask { repeatable: true, deadline: None };
                let request = Request { safe: true, bytes: 100, ..Request::new(RouteId(0), ask) };
                self.begin_with(name, request);
            }
            // So that it is known what is usual.
            ["usual", times, latency] => self.usual(times, latency),
            ["get", name, "until", moment] => {
                self.begin(name, true, Some(golden::moment(moment)), None);
            }
            ["get", name, "used-to", task] => {
                let task = TaskId(task.parse().expect("a task's number"));
                self.begin(name, true, None, Some(task));
            }
            ["bulkhead"] => {
                let bulkhead = self.dispatcher.guard(RouteId(0)).bulkhead().expect("there is one");
                let (running, abandoned) = (bulkhead.running(), bulkhead.abandoned());
                self.wanted.push(format!("{running} running, {abandoned} abandoned"));
            }
            ["traffic"] => self.tell_traffic(),
            ["answers", ref tasks @ ..] => {
                let task = |word: &&str| TaskId(word.parse().expect("a task's number"));
                let answered = |task| format!("{task} {}", self.dispatcher.work(task).answered);
                let answered: Vec<_> = tasks.iter().map(task).map(answered).collect();
                self.wanted.push(answered.join(", "));
            }
            ["registered", ref tasks @ ..] => {
                let task = |word: &&str| TaskId(word.parse().expect("a task's number"));
                let (tasks, weights) = (tasks.iter().map(task).collect(), BTreeMap::new());
                self.drive(Some(Input::Endpoints { tasks, weights }));
            }
            ["clock", moment] => self.now = golden::moment(moment),
            ["at", moment] => self.wait(golden::moment(moment)),
            [call, event] => self.tell(call, event),
            _ => panic!("unknown step: {step}"),
        }
        std::mem::take(&mut self.wanted)
    }

    fn begin(
        &mut self,
        name: &str,
        repeatable: bool,
        deadline: Option<Instant>,
        preferred: Option<TaskId>,
    ) {
        let ask = Ask { repeatable, deadline };
        self.begin_with(name, Request { preferred, ..Request::new(RouteId(0), ask) });
    }

    fn begin_with(&mut self, name: &str, request: Request) {
        let call = self.slots.take();
        self.calls.insert(name.to_owned(), (call, 0));
        self.drive(Some(Input::Begin { call, request }));
    }

    fn tell_traffic(&mut self) {
        let Traffic { ended, failed, running, p99 } = self.dispatcher.traffic(self.now);
        let p99 = p99.map_or_else(|| "unknown".to_owned(), |p99| format!("{} ms", p99.as_millis()));
        let told = format!("{ended} ended, {failed} failed, {running} running, p99 {p99}");
        self.wanted.push(told);
    }

    fn usual(&mut self, times: &str, latency: &str) {
        let latency = golden::moment(latency).since(Instant::EPOCH);
        for _ in 0..times.parse().expect("a number") {
            self.step("get usual");
            self.wait(self.now + latency);
            self.tell("usual", "head");
            self.tell("usual", "done");
        }
        self.wanted.clear();
    }

    /// `a head` is about the last try of `a`, `a#1 head` about its first one.
    fn tell(&mut self, name: &str, event: &str) {
        let (name, attempt) = name.split_once('#').map_or((name, None), |(n, a)| (n, Some(a)));
        let (call, last) = self.calls[name];
        let attempt = Attempt(attempt.map_or(last, |a| a.parse().expect("a try's number")));
        let input = match event {
            "head" => head(call, attempt, 200),
            "error" => head(call, attempt, 500),
            "unavailable" => head(call, attempt, 503),
            "hint" => head(call, attempt, 103),
            "switch" => head(call, attempt, 101),
            "withdraws" => Input::Head { call, attempt, status: 200, withdraws: true },
            "done" => Input::Done { call, attempt },
            "client-gone" => Input::ClientGone { call },
            how => Input::Failed { call, attempt, failure: failure(how) },
        };
        let over = matches!(input, Input::Done { .. } | Input::ClientGone { .. });
        self.drive(Some(input));
        if over {
            self.slots.give_back(call);
        }
    }

    fn wait(&mut self, until: Instant) {
        while let Some(due) = self.dispatcher.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.drive(None);
        }
        self.now = until;
    }

    fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.dispatcher, self.now, input, |action| actions.push(action));
        for action in actions {
            let wanted = self.describe(action);
            self.wanted.push(wanted);
        }
        while let Some(Seen { task, how, on_trial, .. }) = self.dispatcher.poll_seen() {
            if self.tells_seen {
                let on_trial = if on_trial { ", on trial" } else { "" };
                self.wanted.push(format!("{task}{on_trial} {how:?}"));
            }
        }
        while let Some(record) = self.dispatcher.poll_record() {
            self.wanted.push(record.to_string());
        }
    }

    fn describe(&mut self, action: Action) -> String {
        let (call, what, last) = match action {
            Action::Try { call, attempt, task, fresh, why, .. } => {
                let fresh = if fresh { ", fresh" } else { "" };
                let hedge = if why == Reason::Hedge { ", hedge" } else { "" };
                (call, format!("try {} on {task}{fresh}{hedge}", attempt.0), Some(attempt.0))
            }
            Action::Pass { call, attempt } => {
                let known = self.calls.values().find(|(id, _)| *id == call);
                let last = known.expect("only calls that were begun are spoken of").1;
                (call, format!("passes {}", attempt.0), Some(last))
            }
            Action::Answer { call, why } => (call, format!("answered: {why}"), None),
            Action::Abort { call } => (call, "aborted".to_owned(), None),
        };
        let known = self.calls.iter_mut().find(|(_, (id, _))| *id == call);
        let (name, (_, known)) = known.expect("only calls that were begun are spoken of");
        match last {
            Some(attempt) => *known = attempt,
            None => self.slots.give_back(call),
        }
        format!("{name} {what}")
    }
}

fn head(call: CallId, attempt: Attempt, status: u16) -> Input {
    Input::Head { call, attempt, status, withdraws: false }
}

/// How a try fails, in one word.
fn failure(word: &str) -> Failure {
    let (kind, sent, answered, reused) = match word {
        "refused" => (FailureKind::Refused, false, false, false),
        "unreachable" => (FailureKind::ConnectTimeout, false, false, false),
        "unsent" => (FailureKind::Closed, false, false, false),
        "lost" | "lost-for-good" => (FailureKind::Closed, true, false, false),
        "stale" => (FailureKind::Closed, false, false, true),
        "stale-sent" => (FailureKind::Closed, true, false, true),
        "cut" => (FailureKind::Closed, true, true, false),
        "garbled" => (FailureKind::Malformed, true, true, false),
        _ => panic!("unknown event: {word}"),
    };
    Failure { sent, answered, reused, replayable: word != "lost-for-good", kind }
}

/// `2` is a task, `3@2` one of the second revision, `4?` one on trial.
fn rotation(tasks: &[&str]) -> Rotation {
    let parts = |word: &&str| {
        let (task, revision) = word.split_once('@').unwrap_or((*word, "1"));
        let number = |text: &str| text.trim_end_matches('?').parse().expect("a number");
        (TaskId(number(task)), number(revision))
    };
    let parts: Vec<(TaskId, Revision)> = tasks.iter().map(parts).collect();
    let mut rotation = Rotation::of(parts.iter().map(|(task, _)| *task));
    for (member, (word, (_, revision))) in rotation.members.iter_mut().zip(tasks.iter().zip(&parts))
    {
        (member.revision, member.on_trial) = (*revision, word.contains('?'));
    }
    rotation
}
