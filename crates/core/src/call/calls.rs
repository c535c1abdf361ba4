//! Every call of one service that is not over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::queue::Ticket;
use super::tries::Tries;
use super::{Attempt, CallId, FailedHow, FailureKind, Refusal, Request};
use crate::cluster::plan::Revision;
use crate::endpoints::TaskId;
use crate::machine::soonest;
use crate::policy::Outcome;
use crate::policy::guard::Pass;
use crate::time::Instant;

/// The calls by slot, and when the time is to be looked at for each.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Option<Call>>,
    /// The earliest first. Almost every call is over before: it leaves its place here when that comes
    /// first, and the first one is always of a call that waits for it.
    wakes: BinaryHeap<Reverse<(Instant, u32)>>,
}

/// So many wakes are no reason to look for those that nobody waits for.
const FEW_WAKES: usize = 64;

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) request: Request,
    /// It goes to tasks of this one, as long as there are any.
    pub(super) revision: Option<Revision>,
    pub(super) deadline: Option<Instant>,
    /// When it began; none if how long it takes says nothing.
    pub(super) began: Option<Instant>,
    /// From the route's guard; none as long as it waits for its first try.
    pub(super) pass: Option<Pass>,
    /// Its place in the queue, while it waits there.
    pub(super) ticket: Option<Ticket>,
    /// What is under way.
    pub(super) tries: Tries,
    /// Tries so far,
    pub(super) attempts: u32,
    /// and those of which a task has seen something, or may yet.
    pub(super) sent: u32,
    /// What went wrong so far.
    pub(super) failures: Vec<Failed>,
    /// The kind of the last failure, and whether it was sent.
    pub(super) last: Option<(FailureKind, bool)>,
    /// A try was sent and came back without an answer: perhaps the request kills tasks, so there is
    /// one more try and never a third.
    pub(super) lost_one: bool,
    /// A kept connection has proven stale, and others may be as old; or a task has died: no more of
    /// them.
    pub(super) fresh: bool,
    /// It is sent once more at this moment, if it has no answer by then.
    pub(super) hedge_at: Option<Instant>,
    /// Whose answer the client gets, once that is known.
    pub(super) passed: Option<Attempt>,
    /// How the call goes, by the status of that answer, once its final head has come.
    pub(super) outcome: Option<Outcome>,
    /// The head of that answer came after so long, if it is a proper one.
    pub(super) latency: Option<Duration>,
    /// As it stands in `wakes`.
    wakes: Option<Instant>,
}

/// A try that has failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) task: TaskId,
    /// What is still to be told of it.
    pub(super) how: Option<FailedHow>,
    /// If there is no other task, this one may be tried again.
    pub(super) again: bool,
}

// === impl Calls ===

impl Calls {
    /// The call with this name, if it is not over.
    pub(super) fn get(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.get_mut(id.slot as usize)?.as_mut().filter(|call| call.id == id)
    }

    /// The same, if this try of it is under way.
    pub(super) fn of_try(&mut self, id: CallId, attempt: Attempt) -> Option<&mut Call> {
        self.get(id).filter(|call| call.tries.get(attempt).is_some())
    }

    pub(super) fn insert(&mut self, call: Call) {
        let slot = call.id.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        self.calls[slot] = Some(call);
    }

    pub(super) fn remove(&mut self, id: CallId) {
        if self.get(id).is_some() {
            self.calls[id.slot as usize] = None;
            self.tidy();
        }
    }

    /// Notes when the time is to be looked at for this call. If it is to be looked at earlier anyway,
    /// that is soon enough: most calls are over before.
    pub(super) fn wake(&mut self, id: CallId) {
        let Some(call) = self.get(id) else { return };
        let Some(at) = soonest(call.deadline, call.hedge_at) else { return };
        if call.wakes.is_some_and(|noted| noted <= at) {
            return;
        }
        call.wakes = Some(at);
        self.wakes.push(Reverse((at, id.slot)));
        if self.wakes.len() > FEW_WAKES.max(2 * self.calls.len()) {
            self.wakes.retain(|wake| is_waited_for(&self.calls, wake));
        }
    }

    /// A call for which the time is to be looked at.
    pub(super) fn due(&mut self, now: Instant) -> Option<CallId> {
        let &Reverse((_, slot)) = self.wakes.peek().filter(|Reverse((at, _))| *at <= now)?;
        let call = self.calls[slot as usize].as_mut()?;
        call.wakes = None;
        let id = call.id;
        self.tidy();
        Some(id)
    }

    /// When the time is to be looked at next.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out what comes first and nobody waits for.
    fn tidy(&mut self) {
        while self.wakes.peek().is_some_and(|wake| !is_waited_for(&self.calls, wake)) {
            self.wakes.pop();
        }
    }
}

fn is_waited_for(calls: &[Option<Call>], &Reverse((at, slot)): &Reverse<(Instant, u32)>) -> bool {
    calls[slot as usize].as_ref().is_some_and(|call| call.wakes == Some(at))
}

// === impl Call ===

impl Call {
    /// A call that begins now.
    pub(super) fn new(
        now: Instant,
        id: CallId,
        request: Request,
        revision: Option<Revision>,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            id,
            request,
            revision,
            deadline,
            began: Some(now),
            pass: None,
            ticket: None,
            tries: Tries::default(),
            attempts: 0,
            sent: 0,
            failures: Vec::new(),
            last: None,
            lost_one: false,
            fresh: false,
            hedge_at: None,
            passed: None,
            outcome: None,
            latency: None,
            wakes: None,
        }
    }

    /// Tasks that another try is not for: those that work on it, and those that have failed, or only
    /// those of them that are not worth a second look.
    pub(super) fn avoid(&self, even_second_looks: bool) -> impl Iterator<Item = TaskId> {
        let failed = self.failures.iter().filter(move |failed| even_second_looks || !failed.again);
        self.tries.iter().map(|one| one.task).chain(failed.map(|failed| failed.task))
    }

    /// What its client is told when there is nothing better.
    pub(super) fn refusal(&self, in_queue: Refusal) -> Refusal {
        self.last.map_or(in_queue, |(kind, _)| Refusal::Failed(kind))
    }
}
