//! A task that calls other services: core's policies around each call, in the order in which `layers`
//! puts them there, and the pool as the example store has it.
//!
//! It is driven as a machine is. A call has a number; a try of it is named by both of theirs.

mod request;
mod stack;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use seaworthy_core::call::{Attempt, CallId, Standing, is_idempotent};
use seaworthy_core::experiment::caller::{Caller, Dependency, Pool};
use seaworthy_core::policy::guard;
use seaworthy_core::policy::timeout::{Deadline, Timeout};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection};
use seaworthy_core::time::Instant;

use super::Arrival;
use super::task::Job;
use request::Request;
use stack::{Came, Stack};

/// A task's calls, and what it knows of the services that it calls.
#[derive(Debug)]
pub(crate) struct Calls {
    pool: Option<Slots>,
    stacks: Vec<Stack>,
    /// Those that have come and are not answered.
    requests: BTreeMap<Key, Request>,
    /// Those that are not over, by their number.
    open: BTreeMap<u64, Call>,
    /// How many there have been.
    begun: u64,
    wants: VecDeque<Want>,
    /// Whoever overhears them is told.
    tells: bool,
}

/// What becomes of a call to the service at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The service's place.
    pub to: usize,
    /// The status of its answer; none if it has failed and is tried again.
    pub status: Option<u16>,
}

/// What is to be done for the calls of a task.
#[derive(Debug)]
pub(crate) enum Want {
    /// This try goes to the service at this place; without an answer by the deadline it is given up.
    Ask { one: Try, to: usize, arrival: Arc<Arrival>, deadline: Option<Instant> },
    /// The call of this number is to be told the time then.
    Wake(Instant, u64),
    /// Whoever overhears the calls is told this.
    Tell(Noted),
    /// A request has all that can be had for its answer, which says its age if it lacks something.
    Answer { job: Job, status: u16, degraded: Option<u32> },
}

/// What a task hears of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// This came of a try; without a status not all of an answer.
    Came(Try, Option<u16>),
    /// Time has passed for the call of this number.
    Time(u64),
}

/// A try of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    call: u64,
    number: u32,
}

/// Which request: a job without what its task makes of it.
type Key = (u32, u32, u32);

/// The slots that all calls share.
#[derive(Debug)]
struct Slots {
    size: Pool,
    taken: u32,
    /// Calls that wait for one.
    waiting: VecDeque<u64>,
}

#[derive(Debug)]
struct Call {
    /// Its place among the stacks.
    stack: usize,
    key: Key,
    arrival: Arc<Arrival>,
    deadline: Option<Instant>,
    tries: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Trying(guard::Pass),
    Pausing(Instant),
}

// === impl Calls ===

impl Calls {
    /// Of a task that begins now. `seed` draws jitter; it `tells` whoever overhears it.
    pub(crate) fn new(now: Instant, config: &Caller, seed: u64, tells: bool) -> Self {
        let stack = |config: &Dependency| {
            Stack::new(now, config.clone(), seed.wrapping_add(config.to as u64))
        };
        let slots = |size| Slots { size, taken: 0, waiting: VecDeque::new() };
        Self {
            pool: config.pool.map(slots),
            stacks: config.dependencies.iter().map(stack).collect(),
            requests: BTreeMap::new(),
            open: BTreeMap::new(),
            begun: 0,
            wants: VecDeque::new(),
            tells,
        }
    }

    /// Calls that are not over.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// Slots of the pool that are taken, and calls that wait for one.
    pub(crate) fn slots(&self) -> (u32, usize) {
        self.pool.as_ref().map_or((0, 0), |slots| (slots.taken, slots.waiting.len()))
    }

    /// How the policies around the calls to each service stand, in the order of its place.
    pub(crate) fn standing(&mut self, now: Instant) -> impl Iterator<Item = (usize, Standing)> {
        self.stacks.iter_mut().map(move |stack| (stack.config.to, stack.standing(now)))
    }

    /// A request has come. Its sender waits until `deadline`.
    pub(crate) fn take(&mut self, job: Job, arrival: Arc<Arrival>, deadline: Option<Instant>) {
        self.requests.insert(key(job), Request::new(job, arrival, deadline));
    }

    /// Nobody waits for the answer to a request any more. Calls for it that have begun go on.
    pub(crate) fn forget(&mut self, call: CallId, attempt: Attempt) {
        self.requests.remove(&(call.slot, call.generation, attempt.0));
    }

    /// The task's own work on it is done. Whether others have to do theirs now.
    pub(crate) fn begin(&mut self, now: Instant, job: Job) -> bool {
        let key = key(job);
        let Some(request) = self.requests.get_mut(&key) else { return false };
        let target = &request.arrival.target;
        let called = |stack: &Stack| stack.config.is_called_for(target);
        let stacks: Vec<usize> =
            (0..).zip(&self.stacks).filter(|(_, s)| called(s)).map(|(n, _)| n).collect();
        request.waits_for = stacks.len();
        if stacks.is_empty() {
            self.requests.remove(&key);
            return false;
        }
        for stack in stacks {
            self.call(now, key, stack);
            self.fill(now);
        }
        true
    }

    /// Something is heard of a call; of one that is over, nothing.
    pub(crate) fn hear(&mut self, now: Instant, word: Word) {
        match word {
            Word::Came(one, status) => self.answered(now, one, status),
            Word::Time(number) => self.wake(now, number),
        }
        self.fill(now);
    }

    fn answered(&mut self, now: Instant, one: Try, status: Option<u16>) {
        let Some(call) = self.open.get_mut(&one.call).filter(|call| call.tries == one.number)
        else {
            return;
        };
        let came = status.map_or(Came::Broken, Came::Status);
        // After a pause it would be another try.
        if let State::Trying(pass) = std::mem::replace(&mut call.state, State::Waiting) {
            self.tried(now, one.call, Some(pass), came);
        }
    }

    fn wake(&mut self, now: Instant, number: u64) {
        let Some(call) = self.open.get_mut(&number) else { return };
        let late = call.deadline.is_some_and(|deadline| deadline <= now);
        match &call.state {
            _ if late => {}
            State::Pausing(until) if *until <= now => return self.attempt(now, number),
            _ => return,
        }
        match std::mem::replace(&mut call.state, State::Waiting) {
            State::Trying(pass) => self.tried(now, number, Some(pass), Came::Timeout),
            State::Pausing(_) => self.over(now, number, Came::Timeout, Outcome::Cancelled),
            State::Waiting => {
                let slots = self.pool.as_mut().expect("it waits for a slot");
                slots.waiting.retain(|other| *other != number);
                self.end(now, number, Came::Timeout);
            }
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Want> {
        self.wants.pop_front()
    }

    /// A call of a request begins.
    fn call(&mut self, now: Instant, key: Key, stack: usize) {
        let number = self.begun;
        self.begun += 1;
        let Request { arrival, deadline, .. } = &self.requests[&key];
        let arrival = arrival.clone();
        // Whoever sets no deadline does not look for one either.
        let limit = self.stacks[stack].config.guard.timeout;
        let ask = Ask { repeatable: false, deadline: *deadline };
        let deadline = limit.map(|limit| Timeout::new(limit).admit(now, &ask)).transpose();
        let until = deadline.as_ref().ok().copied().flatten().map(|Deadline(until)| until);
        let state = State::Waiting;
        self.open.insert(number, Call { stack, key, arrival, deadline: until, tries: 0, state });
        if let Err(why) = deadline {
            return self.end(now, number, Came::Rejected(why));
        }
        self.wants.extend(until.map(|until| Want::Wake(until, number)));
        let Some(slots) = &mut self.pool else { return self.attempt(now, number) };
        if slots.waiting.len() < slots.size.waiting as usize || slots.taken < slots.size.size {
            return slots.waiting.push_back(number);
        }
        let (limit, running) = (slots.size.size, slots.taken);
        let full = Rejection::Full { limit, running, abandoned: 0 };
        self.end(now, number, Came::Rejected(full));
    }

    /// Gives slots to those who wait for one.
    fn fill(&mut self, now: Instant) {
        while let Some(slots) = self.pool.as_mut().filter(|slots| slots.taken < slots.size.size)
            && let Some(number) = slots.waiting.pop_front()
        {
            slots.taken += 1;
            self.attempt(now, number);
        }
    }

    /// The next try of a call.
    fn attempt(&mut self, now: Instant, number: u64) {
        let call = self.open.get_mut(&number).expect("it is not over");
        call.tries += 1;
        let ask = Ask { repeatable: false, deadline: call.deadline };
        match self.stacks[call.stack].guard.admit(now, &ask) {
            Ok(pass) => {
                call.state = State::Trying(pass);
                let one = Try { call: number, number: call.tries };
                let to = self.stacks[call.stack].config.to;
                let (arrival, deadline) = (call.arrival.clone(), call.deadline);
                self.wants.push_back(Want::Ask { one, to, arrival, deadline });
            }
            Err(why) => self.tried(now, number, None, Came::Rejected(why)),
        }
    }

    /// A try is over: it is the last one, or there will be another.
    fn tried(&mut self, now: Instant, number: u64, pass: Option<guard::Pass>, came: Came) {
        let call = self.open.get_mut(&number).expect("it is not over");
        let stack = &mut self.stacks[call.stack];
        let outcome = came.outcome(&stack.config.guard);
        if let Some(pass) = pass {
            stack.guard.settle(now, pass, outcome);
        }
        let failed = matches!(outcome, Outcome::Failure | Outcome::Timeout);
        let again = stack.retry.as_mut().filter(|_| failed && is_idempotent(call.arrival.method));
        if let Some(pause) = again.and_then(|retry| retry.again(now, call.tries, call.deadline)) {
            call.state = State::Pausing(now + pause);
            let noted = Noted { to: stack.config.to, status: None };
            self.wants.extend(self.tells.then_some(Want::Tell(noted)));
            return self.wants.push_back(Want::Wake(now + pause, number));
        }
        self.over(now, number, came, outcome);
    }

    /// The tries of a call are over, and it gives its slot back.
    fn over(&mut self, now: Instant, number: u64, came: Came, outcome: Outcome) {
        let stack = &mut self.stacks[self.open[&number].stack];
        if let Some(retry) = &mut stack.retry {
            retry.settle(now, (), outcome);
        }
        if let (Came::Status(status), true) = (came, self.tells) {
            let noted = Noted { to: stack.config.to, status: Some(status) };
            self.wants.push_back(Want::Tell(noted));
        }
        if let Some(slots) = &mut self.pool {
            slots.taken -= 1;
        }
        self.end(now, number, came);
    }

    /// A call is over: the request has this piece, or what there is instead.
    fn end(&mut self, now: Instant, number: u64, came: Came) {
        let call = self.open.remove(&number).expect("it ends once");
        let stack = &mut self.stacks[call.stack];
        let piece = stack.piece(now, &call.arrival.target, came);
        let Some(request) = self.requests.get_mut(&call.key) else { return };
        request.add(piece, stack.config.needed);
        if request.waits_for == 0 {
            let (job, (status, degraded)) = (request.job, request.answer());
            self.requests.remove(&call.key);
            self.wants.push_back(Want::Answer { job, status, degraded });
        }
    }
}

fn key(job: Job) -> Key {
    (job.call.slot, job.call.generation, job.attempt.0)
}

#[cfg(test)]
mod tests;
