//! A shell around a dispatcher that checks everything the dispatcher wants done.

use std::time::Duration;

use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{Action, Attempt, CallId, Config, Dispatcher, Failure, FailureKind};
use seaworthy_core::call::{Input, Refusal, Request, RouteId, Slots};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::Rotation;
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::policy::Ask;
use seaworthy_core::time::Instant;

use crate::call_properties::{Step, TASKS};

/// A call that is not over, as an observer counts it.
#[derive(Debug)]
pub(crate) struct Open {
    id: CallId,
    repeatable: bool,
    deadline: Instant,
    attempt: u32,
    task: TaskId,
    head_seen: bool,
    sent: u32,
    refused_by: Vec<TaskId>,
    /// It has failed and what comes of it is not said yet.
    failed: Option<Failure>,
}

/// Every call's.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Drives a dispatcher and checks everything it wants done.
pub(crate) struct Observer {
    now: Instant,
    tries: u32,
    algorithm: Algorithm,
    pub(crate) dispatcher: Dispatcher,
    slots: Slots,
    rotation: Vec<TaskId>,
    pub(crate) open: Vec<Open>,
    over: Vec<CallId>,
    pub(crate) log: Vec<(Instant, Action)>,
}

impl Observer {
    pub(crate) fn new(algorithm: Algorithm, tries: u32) -> Self {
        let config = Config::plain(TIMEOUT, tries);
        Self {
            now: Instant::EPOCH,
            dispatcher: Dispatcher::new(config, balance::Config::plain(algorithm), 1),
            tries,
            algorithm,
            slots: Slots::default(),
            rotation: Vec::new(),
            open: Vec::new(),
            over: Vec::new(),
            log: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Rotate(tasks) => {
                self.rotation = tasks.iter().copied().map(TaskId).collect();
                let rotation = Rotation::of(self.rotation.iter().copied());
                self.drive(Some(Input::Rotate(rotation)));
            }
            Step::Begin { repeatable, deadline } => self.begin(*repeatable, *deadline),
            Step::Head(n) => self.of_open(*n, |open| {
                open.head_seen = true;
                let attempt = Attempt(open.attempt);
                Input::Head { call: open.id, attempt, status: 200 }
            }),
            Step::Failed(n, failure) => self.of_open(*n, |open| {
                open.note(*failure);
                let attempt = Attempt(open.attempt);
                Input::Failed { call: open.id, attempt, failure: *failure }
            }),
            Step::Done(n) => self.end(*n, |open| {
                let attempt = Attempt(open.attempt);
                Input::Done { call: open.id, attempt }
            }),
            Step::ClientGone(n) => self.end(*n, |open| Input::ClientGone { call: open.id }),
            Step::Earlier(n, failure) => self.of_open(*n, |open| {
                let attempt = Attempt(open.attempt - 1);
                Input::Failed { call: open.id, attempt, failure: *failure }
            }),
            Step::Over(n, failure) => {
                if let Some(n) = n.checked_rem(self.over.len()) {
                    let (call, attempt) = (self.over[n], Attempt(1));
                    self.drive(Some(Input::Failed { call, attempt, failure: *failure }));
                    self.drive(Some(Input::Head { call, attempt, status: 200 }));
                    self.drive(Some(Input::ClientGone { call }));
                }
            }
            Step::Wait(millis) => self.wait(self.now + Duration::from_millis(*millis)),
            Step::Spurious => self.drive(None),
        }
        self.check();
    }

    fn begin(&mut self, repeatable: bool, deadline: Option<u64>) {
        let id = self.slots.take();
        let deadline = deadline.map(|millis| Instant::EPOCH + Duration::from_millis(millis));
        let own = self.now + TIMEOUT;
        self.open.push(Open {
            id,
            repeatable,
            deadline: deadline.map_or(own, |asked| asked.min(own)),
            attempt: 0,
            task: TaskId(0),
            head_seen: false,
            sent: 0,
            refused_by: Vec::new(),
            failed: None,
        });
        let request = Request::new(RouteId(0), Ask { repeatable, deadline });
        self.drive(Some(Input::Begin { call: id, request }));
    }

    fn of_open(&mut self, n: usize, input: impl FnOnce(&mut Open) -> Input) {
        let Some(n) = n.checked_rem(self.open.len()) else { return };
        let input = input(&mut self.open[n]);
        self.drive(Some(input));
    }

    fn end(&mut self, n: usize, input: impl FnOnce(&Open) -> Input) {
        let Some(n) = n.checked_rem(self.open.len()) else { return };
        let open = self.open.remove(n);
        self.drive(Some(input(&open)));
        self.slots.give_back(open.id);
        self.over.push(open.id);
    }

    fn wait(&mut self, until: Instant) {
        while let Some(due) = self.dispatcher.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.drive(None);
            let next = self.dispatcher.poll_timeout();
            assert!(next.is_none_or(|next| next > due), "{next:?} is wanted again at {due}");
        }
        self.now = until;
    }

    fn drive(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.dispatcher, self.now, input, |action| actions.push(action));
        for action in actions {
            self.log.push((self.now, action));
            self.obey(action);
        }
    }

    fn obey(&mut self, action: Action) {
        let (Action::Try { call, .. } | Action::Answer { call, .. } | Action::Abort { call }) =
            action;
        let at = self.open.iter().position(|open| open.id == call).expect("it is not over");
        match action {
            Action::Try { attempt, task, deadline, .. } => {
                self.check_try(at, attempt, task, deadline);
                let open = &mut self.open[at];
                (open.attempt, open.task, open.failed) = (attempt.0, task, None);
            }
            Action::Answer { .. } | Action::Abort { .. } => {
                let open = self.open.remove(at);
                open.check_end(self.now, action);
                self.slots.give_back(call);
                self.over.push(call);
            }
        }
    }

    fn check_try(&self, at: usize, attempt: Attempt, task: TaskId, deadline: Option<Instant>) {
        let open = &self.open[at];
        assert!(self.rotation.contains(&task), "{task} is not in {:?}", self.rotation);
        assert!(!open.refused_by.contains(&task), "{task} was tried in vain: {open:?}");
        assert_eq!((attempt.0, deadline), (open.attempt + 1, Some(open.deadline)));
        assert!(attempt.0 <= self.tries && self.now < open.deadline && !open.head_seen);
        assert!(open.sent <= u32::from(open.repeatable), "{open:?}");
        if self.algorithm == Algorithm::LeastOutstandingRequests {
            // The task of the try before is only the last resort.
            let just_tried = |other: TaskId| open.attempt > 0 && open.task == other;
            let might = self.rotation.iter().filter(|task| !open.refused_by.contains(task));
            let others = might.filter(|other| !just_tried(**other));
            let least = others.map(|other| self.carries(*other)).min();
            assert_eq!(Some(self.carries(task)), least.or_else(|| Some(self.carries(task))));
            assert!(!just_tried(task) || least.is_none(), "{task} again: {open:?}");
        }
    }

    /// Requests at `task`, as counted here. One that has failed is not there any more.
    fn carries(&self, task: TaskId) -> u32 {
        let there = |open: &&Open| open.attempt > 0 && open.task == task && open.failed.is_none();
        self.open.iter().filter(there).count() as u32
    }

    fn check(&self) {
        for task in (1..=TASKS).map(TaskId) {
            assert_eq!(self.dispatcher.in_flight(task), self.carries(task), "{task}");
        }
        let deadlines = self.open.iter().map(|open| open.deadline);
        assert_eq!(self.dispatcher.poll_timeout(), deadlines.min());
        let known: Vec<_> = self.dispatcher.tasks().collect();
        assert!(known.is_sorted());
        let in_rotation = known.iter().filter(|(_, in_rotation)| *in_rotation);
        assert!(in_rotation.map(|(task, _)| task).eq(&self.rotation));
    }
}

impl Open {
    fn note(&mut self, failure: Failure) {
        let stale = failure.reused && failure.kind == FailureKind::Closed && !failure.answered;
        if !stale {
            self.refused_by.push(self.task);
        }
        self.sent += u32::from(failure.sent);
        self.failed = Some(failure);
    }

    fn check_end(&self, now: Instant, action: Action) {
        match action {
            Action::Abort { .. } => assert!(self.head_seen, "{self:?}"),
            Action::Answer { why, .. } => {
                assert!(!self.head_seen, "{self:?}");
                match why {
                    Refusal::Deadline => assert!(now >= self.deadline, "{self:?}"),
                    Refusal::Failed(kind) => {
                        assert_eq!(self.failed.map(|failure| failure.kind), Some(kind));
                    }
                    Refusal::NoTask => assert_eq!(self.attempt, 0),
                    Refusal::Rejected(why) => panic!("without a policy nobody says {why}"),
                }
            }
            Action::Try { .. } => unreachable!("a try ends nothing"),
        }
    }
}
