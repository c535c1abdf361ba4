//! A shell around a dispatcher that checks everything the dispatcher wants done.

use std::time::Duration;

use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{Action, Attempt, CallId, Config, Dispatcher, Failure, FailureKind};
use seaworthy_core::call::{How, Input, Queue, Reason, Refusal, Request, RouteId, Slots};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::{Matcher, Rotation};
use seaworthy_core::machine::{Machine, drive};
use seaworthy_core::policy::{Ask, hedge};
use seaworthy_core::time::Instant;

use crate::call_properties::{Step, TASKS};

/// A call that is not over, as an observer counts it.
#[derive(Debug)]
pub(crate) struct Open {
    id: CallId,
    repeatable: bool,
    safe: bool,
    deadline: Instant,
    attempts: u32,
    /// What is under way.
    live: Vec<Live>,
    /// The try whose answer the client gets.
    passed: Option<u32>,
    /// More than an interim answer of it.
    begun: bool,
    /// Tries that were sent and brought nothing.
    sent: u32,
    lost: u32,
    /// These are not worth a second look.
    useless: Vec<TaskId>,
    last: Option<FailureKind>,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    attempt: u32,
    task: TaskId,
    is_kept: bool,
}

/// Every call's.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many may wait.
const QUEUE: usize = 3;

/// Drives a dispatcher and checks everything it wants done.
pub(crate) struct Observer {
    now: Instant,
    tries: u32,
    queue: bool,
    algorithm: Algorithm,
    pub(crate) dispatcher: Dispatcher,
    slots: Slots,
    rotation: Vec<TaskId>,
    pub(crate) open: Vec<Open>,
    over: Vec<CallId>,
    /// What was seen of tries: proper answers, and failures.
    work: (u64, u64),
    pub(crate) log: Vec<(Instant, Action)>,
}

impl Observer {
    /// With hedges and retries on a status; with a queue if so.
    pub(crate) fn new(algorithm: Algorithm, tries: u32, queue: bool) -> Self {
        let mut config = Config::plain(TIMEOUT, tries);
        config.queue = queue.then_some(Queue { most_calls: QUEUE, most_bytes: QUEUE });
        config.routes[0].retry_status = Some(Matcher::only(500));
        config.routes[0].hedge = Some(hedge::Config::default());
        Self {
            now: Instant::EPOCH,
            dispatcher: Dispatcher::new(config, balance::Config::plain(algorithm), 1),
            tries,
            queue,
            algorithm,
            slots: Slots::default(),
            rotation: Vec::new(),
            open: Vec::new(),
            over: Vec::new(),
            work: (0, 0),
            log: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Rotate(tasks) => {
                self.rotation = tasks.iter().copied().map(TaskId).collect();
                let waiting = self.open.iter_mut().filter(|open| open.live.is_empty());
                waiting.for_each(|open| open.useless.clear());
                let rotation = Rotation::of(self.rotation.iter().copied());
                self.drive(Some(Input::Rotate(rotation)));
            }
            Step::Begin { repeatable, safe, deadline } => self.begin(*repeatable, *safe, *deadline),
            Step::Head(n, status) => self.of_open(*n, |open| open.head(*status)),
            Step::Failed(n, failure) => self.of_open(*n, |open| open.fail(*failure)),
            Step::Done(n) => self.end(*n, true),
            Step::ClientGone(n) => self.end(*n, false),
            Step::Earlier(n, failure) => self.of_open(*n, |open| {
                let attempt = Attempt(open.attempts + 1);
                Some(Input::Failed { call: open.id, attempt, failure: *failure })
            }),
            Step::Over(n, failure) => {
                if let Some(n) = n.checked_rem(self.over.len()) {
                    let (call, attempt) = (self.over[n], Attempt(1));
                    self.drive(Some(Input::Failed { call, attempt, failure: *failure }));
                    self.drive(Some(Input::Head { call, attempt, status: 200, withdraws: false }));
                    self.drive(Some(Input::ClientGone { call }));
                }
            }
            Step::Wait(millis) => self.wait(self.now + Duration::from_millis(*millis)),
            Step::Spurious => self.drive(None),
        }
        self.check();
    }

    fn begin(&mut self, repeatable: bool, safe: bool, deadline: Option<u64>) {
        let id = self.slots.take();
        let deadline = deadline.map(|millis| Instant::EPOCH + Duration::from_millis(millis));
        let own = self.now + TIMEOUT;
        let repeatable = repeatable || safe;
        self.open.push(Open {
            id,
            repeatable,
            safe,
            deadline: deadline.map_or(own, |asked| asked.min(own)),
            attempts: 0,
            live: Vec::new(),
            passed: None,
            begun: false,
            sent: 0,
            lost: 0,
            useless: Vec::new(),
            last: None,
        });
        let ask = Ask { repeatable, deadline };
        let request = Request { safe, bytes: 1, ..Request::new(RouteId(0), ask) };
        self.drive(Some(Input::Begin { call: id, request }));
    }

    fn of_open(&mut self, n: usize, input: impl FnOnce(&mut Open) -> Option<Input>) {
        let Some(n) = n.checked_rem(self.open.len()) else { return };
        let input = input(&mut self.open[n]);
        self.drive(input);
    }

    /// Only a call whose answer is passed on can be done.
    fn end(&mut self, n: usize, done: bool) {
        let Some(n) = n.checked_rem(self.open.len()) else { return };
        let call = self.open[n].id;
        let input = match self.open[n].passed {
            Some(attempt) if done => Input::Done { call, attempt: Attempt(attempt) },
            None if done => return,
            _ => Input::ClientGone { call },
        };
        self.open.remove(n);
        self.drive(Some(input));
        self.slots.give_back(call);
        self.over.push(call);
    }

    /// Ends a call however it can be ended.
    pub(crate) fn finish(&mut self, n: usize) {
        let Some(at) = n.checked_rem(self.open.len()) else { return };
        if self.open[at].passed.is_none() {
            self.step(&Step::Head(at, 200));
        }
        self.step(&Step::Done(at));
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
        while let Some(seen) = self.dispatcher.poll_seen() {
            self.work.0 += u64::from(matches!(seen.how, How::Answered(_)));
            self.work.1 += u64::from(matches!(seen.how, How::Failed { .. }));
        }
    }

    fn obey(&mut self, action: Action) {
        let (Action::Try { call, .. }
        | Action::Pass { call, .. }
        | Action::Answer { call, .. }
        | Action::Abort { call }) = action;
        let at = self.open.iter().position(|open| open.id == call).expect("it is not over");
        match action {
            Action::Try { attempt, task, deadline, why, .. } => {
                self.check_try(at, attempt, task, deadline, why);
                let live = Live { attempt: attempt.0, task, is_kept: false };
                let open = &mut self.open[at];
                open.attempts = attempt.0;
                open.live.push(live);
            }
            Action::Pass { attempt, .. } => {
                let open = &mut self.open[at];
                assert_eq!(open.passed.replace(attempt.0), None);
                open.live.retain(|live| live.attempt == attempt.0);
                assert_eq!(open.live.len(), 1, "it was under way");
                open.begun |= open.live[0].is_kept;
            }
            Action::Answer { .. } | Action::Abort { .. } => {
                let open = self.open.remove(at);
                open.check_end(self.now, action);
                self.slots.give_back(call);
                self.over.push(call);
            }
        }
    }

    fn check_try(
        &self,
        at: usize,
        attempt: Attempt,
        task: TaskId,
        deadline: Option<Instant>,
        why: Reason,
    ) {
        let open = &self.open[at];
        assert!(self.rotation.contains(&task), "{task} is not in {:?}", self.rotation);
        assert!(!open.useless.contains(&task), "{task} was tried in vain: {open:?}");
        assert!(open.live.iter().all(|live| live.task != task), "{task} has it already: {open:?}");
        assert_eq!((attempt.0, deadline), (open.attempts + 1, Some(open.deadline)));
        assert!(self.now < open.deadline && open.passed.is_none());
        assert!(open.sent + (open.live.len() as u32) < self.tries, "{open:?}");
        assert!(open.lost <= u32::from(open.repeatable), "{open:?}");
        let is_late = open.live.iter().any(|live| !live.is_kept);
        assert_eq!(why == Reason::Hedge, is_late, "only a hedge goes beside another try: {open:?}");
        assert!(!is_late || open.safe, "{open:?}");
        if self.algorithm == Algorithm::LeastOutstandingRequests && why == Reason::First {
            let least = self.rotation.iter().map(|other| self.carries(*other)).min();
            assert_eq!(Some(self.carries(task)), least);
        }
    }

    /// Requests at `task`, as counted here.
    fn carries(&self, task: TaskId) -> u32 {
        let there = |open: &Open| open.live.iter().filter(|live| live.task == task).count();
        self.open.iter().map(there).sum::<usize>() as u32
    }

    fn check(&self) {
        for task in (1..=TASKS).map(TaskId) {
            assert_eq!(self.dispatcher.in_flight(task), self.carries(task), "{task}");
        }
        let traffic = self.dispatcher.traffic(self.now);
        assert_eq!(traffic.running as usize, self.open.len());
        assert_eq!(
            (traffic.ended as usize, traffic.failed <= traffic.ended),
            (self.over.len(), true)
        );
        let work = (1..=TASKS).map(|task| self.dispatcher.work(TaskId(task)));
        let work = work.fold((0, 0), |sum, one| (sum.0 + one.answered, sum.1 + one.failed));
        assert_eq!(work, self.work);
        let deadline = self.open.iter().map(|open| open.deadline).min();
        let wanted = self.dispatcher.poll_timeout();
        assert!(wanted.is_some() == deadline.is_some() && wanted <= deadline);
        let waiting = self.open.iter().filter(|open| open.live.is_empty()).count();
        assert_eq!(self.dispatcher.queued(), waiting);
        assert!(waiting == 0 || waiting <= QUEUE && self.queue);
        let known: Vec<_> = self.dispatcher.tasks().collect();
        assert!(known.is_sorted());
        let in_rotation = known.iter().filter(|(_, in_rotation)| *in_rotation);
        assert!(in_rotation.map(|(task, _)| task).eq(&self.rotation));
    }
}

impl Open {
    /// The last try without an answer.
    fn late(&mut self) -> Option<usize> {
        self.live.iter().rposition(|live| !live.is_kept)
    }

    fn head(&mut self, status: u16) -> Option<Input> {
        let at = self.late()?;
        if self.safe && self.passed.is_none() && status == 500 {
            self.live.retain(|live| !live.is_kept);
            let at = self.late()?;
            self.live[at].is_kept = true;
            self.useless.push(self.live[at].task);
            return Some(self.told(self.live[at].attempt, status));
        }
        self.begun |= status >= 200;
        Some(self.told(self.live[at].attempt, status))
    }

    fn told(&self, attempt: u32, status: u16) -> Input {
        Input::Head { call: self.id, attempt: Attempt(attempt), status, withdraws: false }
    }

    fn fail(&mut self, failure: Failure) -> Option<Input> {
        let at = self.late()?;
        let live = self.live.remove(at);
        let again = failure.kind == FailureKind::Closed && failure.sent;
        // A stale connection is counted as such once; it may be sought again either way.
        if !(again || failure.reused && failure.kind == FailureKind::Closed) {
            self.useless.push(live.task);
        }
        self.sent += u32::from(failure.sent);
        self.lost += u32::from(failure.sent);
        self.last = Some(failure.kind);
        let attempt = Attempt(live.attempt);
        Some(Input::Failed { call: self.id, attempt, failure })
    }

    fn check_end(&self, now: Instant, action: Action) {
        match action {
            Action::Abort { .. } => assert!(self.begun, "{self:?}"),
            Action::Answer { why, .. } => {
                assert!(!self.begun, "{self:?}");
                match why {
                    Refusal::Deadline => assert!(now >= self.deadline, "{self:?}"),
                    Refusal::Failed(kind) => assert_eq!(self.last, Some(kind)),
                    Refusal::NoTask => assert_eq!(self.attempts, 0),
                    Refusal::Busy => panic!("no task has a cap"),
                    Refusal::Rejected(why) => panic!("without a policy nobody says {why}"),
                }
            }
            Action::Try { .. } | Action::Pass { .. } => unreachable!("neither ends anything"),
        }
    }
}
