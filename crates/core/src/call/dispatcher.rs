//! One service's calls as a machine: which task, try again or not, until when.

mod tries;

use std::collections::{BTreeMap, VecDeque};

use super::calls::{Call, Calls};
use super::gate::{Gate, Standing};
use super::loads::{Loads, Pick};
use super::queue::Queue;
use super::tally::{Tally, Work};
use super::{Action, CallId, Config, Input, Reason, Refusal, Request, RouteId, Seen};
use crate::balance;
use crate::cluster::plan::Revision;
use crate::endpoints::{TaskId, Traffic};
use crate::health::Rotation;
use crate::machine::{Machine, soonest};
use crate::policy::guard::Guard;
use crate::policy::{Outcome, Rejection};
use crate::random::{Stream, draw};
use crate::record::Record;
use crate::time::Instant;

/// While every task has so many requests, nothing more is let out of the queue: all of it at once would
/// be more new connections than a task that has just come takes in (Linux: 128, and many have less).
const AT_ONCE: u32 = 100;

/// Owns every call of one service until it is over.
///
/// A call is over when the dispatcher was told `Done` or `ClientGone`, or has asked for `Answer` or
/// `Abort`. Inputs about a call or a try that is over are ignored.
///
/// The order is fixed: is there a task that may get it (if not, it waits in the queue), then the
/// guard of the call's route (deadline, breaker, bulkhead), then which task. All tries of a call pass
/// the guard once and count there as one.
#[derive(Debug)]
pub struct Dispatcher {
    /// By route.
    gates: Vec<Gate>,
    loads: Loads,
    calls: Calls,
    queue: Queue,
    tally: Tally,
    /// How calls are divided among revisions where their route does not say it.
    weights: BTreeMap<Revision, u32>,
    /// Calls so far.
    begun: u64,
    actions: VecDeque<Action>,
    seen: VecDeque<Seen>,
    /// Tries of tasks on trial of which nothing was told.
    trials: Vec<Trial>,
}

/// A try of a task on trial.
#[derive(Clone, Copy, Debug)]
struct Trial {
    call: CallId,
    task: TaskId,
    /// What it shows comes by then.
    until: Instant,
}

// === impl Dispatcher ===

impl Dispatcher {
    /// A dispatcher without any task in rotation. `seed` is for what is drawn.
    pub fn new(config: Config, balancing: balance::Config, seed: u64) -> Self {
        let gate = |(n, route)| Gate::new(route, draw(seed, Stream::OpenTime, n as u64));
        Self {
            gates: config.routes.into_iter().enumerate().map(gate).collect(),
            loads: Loads::new(balancing, seed),
            calls: Calls::default(),
            queue: Queue::new(config.queue),
            tally: Tally::new(),
            weights: BTreeMap::new(),
            begun: 0,
            actions: VecDeque::new(),
            seen: VecDeque::new(),
            trials: Vec::new(),
        }
    }

    /// Requests sent to `task` and not yet finished.
    pub fn in_flight(&self, task: TaskId) -> u32 {
        self.loads.in_flight(task)
    }

    /// What `task` made of the calls that it got, since it is known.
    pub fn work(&self, task: TaskId) -> Work {
        self.tally.work(task)
    }

    /// What clients got until `now`.
    pub fn traffic(&self, now: Instant) -> Traffic {
        self.tally.traffic(now)
    }

    /// Calls that wait until a task may get them.
    pub fn queued(&self) -> usize {
        self.queue.len()
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

    /// What a try has shown of its task, in order.
    pub fn poll_seen(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// No task will come any more: whoever waits for one is told so.
    pub(crate) fn close_queue(&mut self, now: Instant) {
        for id in self.queue.close() {
            self.give_up(now, id);
        }
    }

    fn begin(&mut self, now: Instant, id: CallId, request: Request) {
        self.tally.begin();
        let Ok(deadline) = self.gates[request.route.0].deadline(now, &request.ask) else {
            self.tally.end(now, Some(now), true);
            return self.answer(id, Refusal::Deadline);
        };
        self.begun += 1;
        let revision = self.gates[request.route.0].revision(self.begun, &self.weights);
        self.calls.insert(Call::new(now, id, request, revision, deadline));
        // Whoever waits for the tasks to take more in comes first.
        let others_wait = self.queue.len() > 0 && !self.loads.any_below(AT_ONCE);
        if others_wait || !self.go_on(now, id) {
            self.wait(now, id);
            self.calls.wake(id);
        }
    }

    /// Sends a call to a task, for the first time or again, or answers it; false if no task may get
    /// it now.
    fn go_on(&mut self, now: Instant, id: CallId) -> bool {
        let Some(not) = self.beside(id) else { return false };
        let Some(call) = self.calls.get(id) else { return true };
        let pick = Pick { not: &not, ..call.pick() };
        let gate = &mut self.gates[call.request.route.0];
        let (why, may) = match (&call.pass, call.last) {
            (None, _) => match gate.admit(now, &call.request.ask) {
                Ok(pass) => {
                    call.pass = Some(pass);
                    (Reason::First, true)
                }
                Err(why) => {
                    self.close(now, id, Outcome::Cancelled);
                    self.answer(id, rejected(why));
                    return true;
                }
            },
            (Some(_), last) => {
                let sent = last.is_none_or(|(_, sent)| sent);
                (Reason::Retry, gate.may_try_again(now, call.sent, sent))
            }
        };
        // A turn is for what is sent: else who is asked for more than may be sent has less than its share.
        let task = if may { self.loads.pick(now, &pick) } else { None };
        if let Some(task) = task {
            self.launch(now, id, task, why);
        } else {
            self.give_up(now, id);
        }
        true
    }

    /// Puts a call into the queue until a task may get it; answers it if that is full.
    fn wait(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        let bytes = call.request.bytes;
        call.ticket = match call.pass {
            None => self.queue.push_back(id, bytes),
            Some(_) => self.queue.push_front(id, bytes),
        };
        if call.ticket.is_none() {
            self.give_up(now, id);
        }
    }

    /// Why a call that has not been tried waits.
    fn in_queue(&self) -> Refusal {
        if self.loads.any_in_rotation() { Refusal::Busy } else { Refusal::NoTask }
    }

    fn rotate(&mut self, now: Instant, rotation: &Rotation) {
        self.loads.rotate(now, rotation);
        let is_on_trial = |task| rotation.members.iter().any(|m| m.task == task && m.on_trial);
        self.trials.retain(|trial| is_on_trial(trial.task));
        // Where nobody listened before, somebody may now.
        for id in self.queue.calls() {
            if let Some(call) = self.calls.get(id) {
                call.failures.iter_mut().for_each(|failed| failed.again = true);
            }
        }
    }

    /// Calls that wait keep the revision that was drawn for them.
    fn register(&mut self, tasks: &[TaskId], weights: BTreeMap<Revision, u32>) {
        self.weights = weights;
        let loads = &self.loads;
        self.tally.keep(|task| tasks.contains(&task) || loads.in_flight(task) > 0);
    }

    /// Serves those that wait, as far as there are tasks for them.
    fn serve_queue(&mut self, now: Instant) {
        while let Some(id) = self.queue.first()
            && self.loads.any_below(AT_ONCE)
            && self.go_on(now, id)
        {
            // A call that waits no longer has left the queue: by its try or by its end.
            debug_assert_ne!(self.queue.first(), Some(id));
        }
    }

    /// The time has come for something about this call, or has not yet.
    fn look_at(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        let has_come = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if has_come(call.deadline) {
            return self.time_is_up(now, id);
        }
        if has_come(call.hedge_at) {
            self.hedge(now, id);
        }
        self.calls.wake(id);
    }

    fn time_is_up(&mut self, now: Instant, id: CallId) {
        let in_queue = self.in_queue();
        let Some(call) = self.calls.get(id) else { return };
        let why = match call.ticket {
            Some(_) => call.refusal(in_queue),
            None => Refusal::Deadline,
        };
        let action = match call.outcome {
            Some(_) => Action::Abort { call: id },
            None => Action::Answer { call: id, why },
        };
        self.tell_overdue(now, id);
        self.abandon(now, id, Outcome::Timeout);
        self.actions.push_back(action);
    }

    fn answer(&mut self, id: CallId, why: Refusal) {
        self.actions.push_back(Action::Answer { call: id, why });
    }

    /// The work of a call has ended.
    fn close(&mut self, now: Instant, id: CallId, outcome: Outcome) {
        let Some(call) = self.calls.get(id) else { return };
        let (route, began, pass) = (call.request.route.0, call.began, call.pass.take());
        self.forget(now, id);
        self.tally.end(now, began, outcome != Outcome::Success);
        if let Some(pass) = pass {
            self.gates[route].settle(now, pass, outcome);
        }
    }

    /// Nobody waits for a call any more; its tasks may go on with it.
    fn abandon(&mut self, now: Instant, id: CallId, how: Outcome) {
        let Some(call) = self.calls.get(id) else { return };
        let (route, sent, pass) = (call.request.route.0, call.tries.last_since(), call.pass.take());
        // A client that has had enough of an answer says nothing of how long that would have been.
        let timed_out = how == Outcome::Timeout;
        let began = call.began.filter(|_| timed_out || call.passed.is_none());
        self.forget(now, id);
        self.tally.end(now, began, timed_out);
        if let Some(pass) = pass {
            self.gates[route].abandon(now, pass, sent, how);
        }
    }

    /// Takes a call out of everything in which it is counted, but for its guard.
    fn forget(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        if let Some(ticket) = call.ticket.take() {
            self.queue.leave(ticket);
        }
        while let Some(one) = call.tries.take(|_| true) {
            self.loads.release(now, one.task, one.heard);
        }
        self.end_trials(now, id);
        self.calls.remove(id);
    }
}

fn rejected(why: Rejection) -> Refusal {
    match why {
        Rejection::DeadlinePassed => Refusal::Deadline,
        why => Refusal::Rejected(why),
    }
}

// === impl Machine for Dispatcher ===

impl Machine for Dispatcher {
    type Input = Input;
    type Action = Action;

    fn handle(&mut self, now: Instant, input: Input) {
        // First of all: what was due meanwhile, such as a hedge, is sent now, and so to those who are
        // there now. Who has left may have no address any more.
        match input {
            Input::Rotate(ref rotation) => self.rotate(now, rotation),
            // Nor is anything sent before the rotation that follows on this.
            Input::Endpoints { tasks, weights } => return self.register(&tasks, weights),
            _ => {}
        }
        // A deadline that has passed counts, whether or not anybody told the time meanwhile.
        self.handle_timeout(now);
        match input {
            Input::Begin { call, request } => self.begin(now, call, request),
            Input::Head { call, attempt, status, withdraws } => {
                self.head(now, call, attempt, status, withdraws);
            }
            Input::Failed { call, attempt, failure } => self.failed(now, call, attempt, failure),
            Input::Done { call: id, attempt } => {
                if let Some(call) = self.calls.of_try(id, attempt) {
                    let outcome = call.outcome.unwrap_or(Outcome::Success);
                    self.tell_answered(id, attempt);
                    self.close(now, id, outcome);
                }
            }
            Input::ClientGone { call: id } => {
                // What came until then was proper.
                if let Some(attempt) = self.calls.get(id).and_then(|call| call.passed) {
                    self.tell_answered(id, attempt);
                }
                self.tell_left(now, id);
                self.abandon(now, id, Outcome::Cancelled);
            }
            Input::Rotate(_) | Input::Endpoints { .. } => {}
        }
        self.serve_queue(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.calls.due(now) {
            self.look_at(now, id);
        }
        self.gates.iter_mut().for_each(|gate| gate.handle_timeout(now));
        self.serve_queue(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let abandoned = self.gates.iter().filter_map(Gate::poll_timeout).min();
        soonest(self.calls.next_wake(), abandoned)
    }
}
