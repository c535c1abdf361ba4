//! One service's calls as a machine: which task, try again or not, until when.

use std::collections::{BTreeSet, VecDeque};

use super::{Action, Attempt, CallId, Config, Failure, FailureKind, Input, Refusal};
use crate::balance::{Algorithm, Balancer, Candidate};
use crate::endpoints::TaskId;
use crate::health::Rotation;
use crate::machine::Machine;
use crate::policy::timeout::{Deadline, Timeout};
use crate::policy::{Ask, Outcome, Policy};
use crate::time::Instant;

/// Owns every call of one service until it is over.
///
/// A call is over when the dispatcher was told `Done` or `ClientGone`, or has asked for `Answer` or
/// `Abort`. Inputs about a call that is over, or about an earlier try, are ignored.
#[derive(Debug)]
pub struct Dispatcher {
    config: Config,
    timeout: Timeout,
    balancer: Balancer,
    /// In ascending order; kept while in rotation or busy.
    tasks: Vec<Load>,
    /// By slot.
    calls: Vec<Option<Call>>,
    deadlines: BTreeSet<(Instant, u32)>,
    actions: VecDeque<Action>,
}

/// What one task carries.
#[derive(Debug)]
struct Load {
    task: TaskId,
    in_flight: u32,
    in_rotation: bool,
}

#[derive(Debug)]
struct Call {
    id: CallId,
    ask: Ask,
    pass: Deadline,
    attempt: Attempt,
    task: TaskId,
    head_seen: bool,
    /// A try was sent and came back without an answer: perhaps the request kills tasks, so there is
    /// one more try and never a third.
    lost_one: bool,
    /// A kept connection has proven stale, and others may be as old: no more of them.
    fresh: bool,
    /// Tasks that need not be tried again.
    failed: Vec<TaskId>,
}

/// How a call ends.
#[derive(Clone, Copy)]
enum End {
    Answer(Refusal),
    Abort,
    Silent,
}

// === impl Dispatcher ===

impl Dispatcher {
    /// A dispatcher without any task in rotation.
    pub fn new(config: Config, algorithm: Algorithm) -> Self {
        Self {
            timeout: Timeout::new(config.timeout),
            config,
            balancer: Balancer::new(algorithm),
            tasks: Vec::new(),
            calls: Vec::new(),
            deadlines: BTreeSet::new(),
            actions: VecDeque::new(),
        }
    }

    /// Requests sent to `task` and not yet finished.
    pub fn in_flight(&self, task: TaskId) -> u32 {
        self.tasks.iter().find(|load| load.task == task).map_or(0, |load| load.in_flight)
    }

    /// Every task that is in rotation or still has requests in flight, in ascending order, with
    /// whether it is in rotation.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskId, bool)> {
        self.tasks.iter().map(|load| (load.task, load.in_rotation))
    }

    fn begin(&mut self, now: Instant, id: CallId, ask: Ask) {
        let Ok(pass) = self.timeout.admit(now, &ask) else {
            return self.actions.push_back(Action::Answer { call: id, why: Refusal::Deadline });
        };
        let Some(task) = self.pick(&[]) else {
            return self.actions.push_back(Action::Answer { call: id, why: Refusal::NoTask });
        };
        let slot = id.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        self.deadlines.insert((pass.0, id.slot));
        let call = Call {
            id,
            ask,
            pass,
            attempt: Attempt(0),
            task,
            head_seen: false,
            lost_one: false,
            fresh: false,
            failed: Vec::new(),
        };
        self.calls[slot] = Some(call);
        self.attempt(id, task);
    }

    /// Chooses among the tasks in rotation that are not in `failed`.
    fn pick(&mut self, failed: &[TaskId]) -> Option<TaskId> {
        let open = |load: &&Load| load.in_rotation && !failed.contains(&load.task);
        let candidate = |load: &Load| Candidate { task: load.task, in_flight: load.in_flight };
        self.balancer.pick(self.tasks.iter().filter(open).map(candidate))
    }

    fn attempt(&mut self, id: CallId, task: TaskId) {
        let Some(call) = self.calls[id.slot as usize].as_mut() else { return };
        call.attempt = Attempt(call.attempt.0 + 1);
        call.task = task;
        let (attempt, deadline, fresh) = (call.attempt, call.pass.0, call.fresh);
        if let Some(load) = self.tasks.iter_mut().find(|load| load.task == task) {
            load.in_flight += 1;
        }
        self.actions.push_back(Action::Try { call: id, attempt, task, deadline, fresh });
    }

    fn failed(&mut self, now: Instant, id: CallId, attempt: Attempt, failure: Failure) {
        let tries = self.config.tries;
        let Some(call) = self.call(id).filter(|call| call.attempt == attempt) else { return };
        if call.head_seen {
            return self.end(now, id, Outcome::Failure, End::Abort);
        }
        // A kept connection that turns out closed says nothing about the task.
        let stale = failure.reused && failure.kind == FailureKind::Closed && !failure.answered;
        if !stale {
            call.failed.push(call.task);
        }
        let allowed = call.may_repeat(failure) && call.attempt.0 < tries;
        call.lost_one |= failure.sent;
        call.fresh |= stale;
        let (task, failed) = (call.task, call.failed.clone());
        self.release(task);
        // A task whose connection went stale may be just dying: any other one is the better bet.
        let others = [&failed[..], &[task]].concat();
        let next = allowed.then(|| self.pick(&others).or_else(|| self.pick(&failed))).flatten();
        if let Some(next) = next {
            return self.attempt(id, next);
        }
        self.forget(now, id, Outcome::Failure);
        self.actions.push_back(Action::Answer { call: id, why: Refusal::Failed(failure.kind) });
    }

    fn call(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.get_mut(id.slot as usize)?.as_mut().filter(|call| call.id == id)
    }

    fn end(&mut self, now: Instant, id: CallId, outcome: Outcome, end: End) {
        let Some(task) = self.call(id).map(|call| call.task) else { return };
        self.release(task);
        self.forget(now, id, outcome);
        match end {
            End::Answer(why) => self.actions.push_back(Action::Answer { call: id, why }),
            End::Abort => self.actions.push_back(Action::Abort { call: id }),
            End::Silent => {}
        }
    }

    fn forget(&mut self, now: Instant, id: CallId, outcome: Outcome) {
        if let Some(call) = self.calls[id.slot as usize].take() {
            self.deadlines.remove(&(call.pass.0, id.slot));
            self.timeout.settle(now, call.pass, outcome);
        }
    }

    fn release(&mut self, task: TaskId) {
        let Some(at) = self.tasks.iter().position(|load| load.task == task) else { return };
        let load = &mut self.tasks[at];
        load.in_flight -= 1;
        if load.in_flight == 0 && !load.in_rotation {
            self.tasks.remove(at);
        }
    }

    fn rotate(&mut self, rotation: &Rotation) {
        for load in &mut self.tasks {
            load.in_rotation = rotation.tasks.contains(&load.task);
        }
        self.tasks.retain(|load| load.in_rotation || load.in_flight > 0);
        for &task in &rotation.tasks {
            if let Err(at) = self.tasks.binary_search_by_key(&task, |load| load.task) {
                self.tasks.insert(at, Load { task, in_flight: 0, in_rotation: true });
            }
        }
    }
}

// === impl Machine for Dispatcher ===

impl Machine for Dispatcher {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        // A deadline that has passed counts, whether or not anybody told the time meanwhile.
        self.handle_timeout(now);
        match input {
            Input::Begin { call, ask } => self.begin(now, call, ask),
            Input::Head { call, attempt, status: _ } => {
                if let Some(call) = self.call(call).filter(|c| c.attempt == attempt) {
                    call.head_seen = true;
                }
            }
            Input::Failed { call, attempt, failure } => self.failed(now, call, attempt, failure),
            Input::Done { call, attempt } => {
                if self.call(call).is_some_and(|c| c.attempt == attempt) {
                    self.end(now, call, Outcome::Success, End::Silent);
                }
            }
            Input::ClientGone { call } => self.end(now, call, Outcome::Cancelled, End::Silent),
            Input::Rotate(rotation) => self.rotate(&rotation),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(deadline, slot)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            let Some(call) = self.calls[slot as usize].as_ref() else { continue };
            let end = if call.head_seen { End::Abort } else { End::Answer(Refusal::Deadline) };
            self.end(now, call.id, Outcome::Timeout, end);
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }
}

// === impl Call ===

impl Call {
    fn may_repeat(&self, failure: Failure) -> bool {
        let again = self.ask.repeatable && failure.replayable && !self.lost_one;
        !failure.sent || (again && !failure.answered)
    }
}
