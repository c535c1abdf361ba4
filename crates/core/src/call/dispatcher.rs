//! One service's calls as a machine: which task, try again or not, until when.

use std::collections::{BTreeSet, VecDeque};

use super::gate::{Gate, Standing};
use super::loads::Loads;
use super::{
    Action, Attempt, CallId, Config, Failure, FailureKind, Input, Refusal, Request, RouteId,
};
use crate::balance::Algorithm;
use crate::endpoints::TaskId;
use crate::machine::{Machine, soonest};
use crate::policy::guard::{Guard, Pass};
use crate::policy::{Ask, Outcome, Rejection};
use crate::random::{Stream, draw};
use crate::record::Record;
use crate::time::Instant;

/// Owns every call of one service until it is over.
///
/// A call is over when the dispatcher was told `Done` or `ClientGone`, or has asked for `Answer` or
/// `Abort`. Inputs about a call that is over, or about an earlier try, are ignored.
///
/// The order is fixed: is there a task at all, then the guard of the call's route (deadline, breaker,
/// bulkhead), then which task. All tries of a call pass the guard once and count there as one.
#[derive(Debug)]
pub struct Dispatcher {
    /// By route.
    gates: Vec<Gate>,
    loads: Loads,
    /// By slot.
    calls: Vec<Option<Call>>,
    deadlines: BTreeSet<(Instant, u32)>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Call {
    id: CallId,
    route: RouteId,
    repeatable: bool,
    pass: Pass,
    attempt: Attempt,
    /// The last try began then.
    tried: Instant,
    task: TaskId,
    /// How the call went, by the status of its answer, once that came.
    answered: Option<Outcome>,
    /// A try was sent and came back without an answer: perhaps the request kills tasks, so there is
    /// one more try and never a third.
    lost_one: bool,
    /// A kept connection has proven stale, and others may be as old: no more of them.
    fresh: bool,
    /// Tasks that need not be tried again.
    failed: Vec<TaskId>,
}

// === impl Dispatcher ===

impl Dispatcher {
    /// A dispatcher without any task in rotation. `seed` draws the breakers' jitter.
    pub fn new(config: Config, algorithm: Algorithm, seed: u64) -> Self {
        let gate = |(n, route)| Gate::new(route, draw(seed, Stream::OpenTime, n as u64));
        Self {
            gates: config.routes.into_iter().enumerate().map(gate).collect(),
            loads: Loads::new(algorithm),
            calls: Vec::new(),
            deadlines: BTreeSet::new(),
            actions: VecDeque::new(),
        }
    }

    /// Requests sent to `task` and not yet finished.
    pub fn in_flight(&self, task: TaskId) -> u32 {
        self.loads.in_flight(task)
    }

    /// Every task that is in rotation or still has requests in flight, in ascending order, with
    /// whether it is in rotation.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskId, bool)> {
        self.loads.tasks()
    }

    /// What stands before the calls of `route`.
    pub fn guard(&self, route: RouteId) -> &Guard {
        self.gates[route.0].guard()
    }

    /// How the policies before `route` stand.
    pub fn standing(&mut self, now: Instant, route: RouteId) -> Standing {
        self.gates[route.0].standing(now)
    }

    /// A decision that is not about one call, if one was taken since this was last asked.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.gates.iter_mut().find_map(Gate::poll_record)
    }

    fn begin(&mut self, now: Instant, id: CallId, request: Request) {
        let Request { route, ask, preferred, .. } = request;
        let pass = match self.admit(now, route, &ask) {
            Ok(pass) => pass,
            Err(why) => return self.actions.push_back(Action::Answer { call: id, why }),
        };
        let task = self.loads.first(preferred).expect("it passes only if there is a task");
        let slot = id.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        if let Some(deadline) = pass.deadline() {
            self.deadlines.insert((deadline, id.slot));
        }
        let call = Call {
            id,
            route,
            repeatable: ask.repeatable,
            pass,
            attempt: Attempt(0),
            tried: now,
            task,
            answered: None,
            lost_one: false,
            fresh: false,
            failed: Vec::new(),
        };
        self.calls[slot] = Some(call);
        self.attempt(now, id, task);
    }

    fn admit(&mut self, now: Instant, route: RouteId, ask: &Ask) -> Result<Pass, Refusal> {
        // Without a task there is nothing to pass to, and nothing to learn about the service.
        if !self.loads.any_in_rotation() {
            return Err(Refusal::NoTask);
        }
        self.gates[route.0].admit(now, ask).map_err(|why| match why {
            Rejection::DeadlinePassed => Refusal::Deadline,
            why => Refusal::Rejected(why),
        })
    }

    fn attempt(&mut self, now: Instant, id: CallId, task: TaskId) {
        let Some(call) = self.calls[id.slot as usize].as_mut() else { return };
        call.attempt = Attempt(call.attempt.0 + 1);
        call.tried = now;
        call.task = task;
        let (attempt, deadline, fresh) = (call.attempt, call.pass.deadline(), call.fresh);
        self.loads.take(task);
        self.actions.push_back(Action::Try { call: id, attempt, task, deadline, fresh });
    }

    fn head(&mut self, id: CallId, attempt: Attempt, status: u16) {
        let Some(call) = of_try(&mut self.calls, id, attempt) else { return };
        call.answered = Some(self.gates[call.route.0].outcome(status));
    }

    fn failed(&mut self, now: Instant, id: CallId, attempt: Attempt, failure: Failure) {
        let Some(call) = of_try(&mut self.calls, id, attempt) else { return };
        if call.answered.is_some() {
            self.end(now, id, Outcome::Failure);
            return self.actions.push_back(Action::Abort { call: id });
        }
        // A kept connection that turns out closed says nothing about the task.
        let stale = failure.reused && failure.kind == FailureKind::Closed && !failure.answered;
        if !stale {
            call.failed.push(call.task);
        }
        let may_repeat = call.may_repeat(failure);
        call.lost_one |= failure.sent;
        call.fresh |= stale;
        let (task, route, failed) = (call.task, call.route, call.failed.clone());
        self.loads.release(task);
        // A task whose connection went stale may be just dying: any other one is the better bet.
        let others = [&failed[..], &[task]].concat();
        let next = may_repeat
            .then(|| self.loads.pick(&others).or_else(|| self.loads.pick(&failed)))
            .flatten();
        let gate = &mut self.gates[route.0];
        if let Some(next) = next.filter(|_| gate.may_try_again(now, attempt.0, failure.sent)) {
            return self.attempt(now, id, next);
        }
        if let Some(call) = self.forget(id) {
            self.settle(now, call, Outcome::Failure);
        }
        let why = Refusal::Failed(failure.kind);
        self.actions.push_back(Action::Answer { call: id, why });
    }

    /// The work of a call has ended.
    fn end(&mut self, now: Instant, id: CallId, outcome: Outcome) {
        let Some(call) = self.forget(id) else { return };
        self.loads.release(call.task);
        self.settle(now, call, outcome);
    }

    /// Nobody waits for a call any more; its task may go on with it. Whether its answer had begun.
    fn abandon(&mut self, now: Instant, id: CallId, how: Outcome) -> Option<bool> {
        let call = self.forget(id)?;
        self.loads.release(call.task);
        self.gates[call.route.0].abandon(now, call.pass, call.tried, how);
        Some(call.answered.is_some())
    }

    fn forget(&mut self, id: CallId) -> Option<Call> {
        of(&mut self.calls, id)?;
        let call = self.calls[id.slot as usize].take()?;
        if let Some(deadline) = call.pass.deadline() {
            self.deadlines.remove(&(deadline, id.slot));
        }
        Some(call)
    }

    fn settle(&mut self, now: Instant, call: Call, outcome: Outcome) {
        self.gates[call.route.0].settle(now, call.pass, outcome);
    }
}

/// The call with this name, if it is not over.
fn of(calls: &mut [Option<Call>], id: CallId) -> Option<&mut Call> {
    calls.get_mut(id.slot as usize)?.as_mut().filter(|call| call.id == id)
}

/// The same, if this is its last try.
fn of_try(calls: &mut [Option<Call>], id: CallId, attempt: Attempt) -> Option<&mut Call> {
    of(calls, id).filter(|call| call.attempt == attempt)
}

// === impl Machine for Dispatcher ===

impl Machine for Dispatcher {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        // A deadline that has passed counts, whether or not anybody told the time meanwhile.
        self.handle_timeout(now);
        match input {
            Input::Begin { call, request } => self.begin(now, call, request),
            Input::Head { call, attempt, status } => self.head(call, attempt, status),
            Input::Failed { call, attempt, failure } => self.failed(now, call, attempt, failure),
            Input::Done { call: id, attempt } => {
                if let Some(call) = of_try(&mut self.calls, id, attempt) {
                    let outcome = call.answered.unwrap_or(Outcome::Success);
                    self.end(now, id, outcome);
                }
            }
            Input::ClientGone { call } => {
                self.abandon(now, call, Outcome::Cancelled);
            }
            Input::Rotate(rotation) => self.loads.rotate(&rotation),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(_, slot)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)
        {
            self.deadlines.pop_first();
            let Some(id) = self.calls[slot as usize].as_ref().map(|call| call.id) else { continue };
            let action = match self.abandon(now, id, Outcome::Timeout) {
                Some(true) => Action::Abort { call: id },
                _ => Action::Answer { call: id, why: Refusal::Deadline },
            };
            self.actions.push_back(action);
        }
        self.gates.iter_mut().for_each(|gate| gate.handle_timeout(now));
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let abandoned = self.gates.iter().filter_map(Gate::poll_timeout).min();
        soonest(self.deadlines.first().map(|&(deadline, _)| deadline), abandoned)
    }
}

// === impl Call ===

impl Call {
    fn may_repeat(&self, failure: Failure) -> bool {
        let again = self.repeatable && failure.replayable && !self.lost_one;
        !failure.sent || (again && !failure.answered)
    }
}
