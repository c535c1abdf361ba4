//! The tries of a call: where the next one goes, what an answer or a failure leads to.

use std::time::Duration;

use super::{Dispatcher, Trial};
use crate::call::calls::{Call, Failed};
use crate::call::loads::Pick;
use crate::call::tries::Try;
use crate::call::{
    Action, Attempt, CallId, FailedHow, Failure, FailureKind, How, Reason, Request, Seen,
};
use crate::endpoints::TaskId;
use crate::policy::Outcome;
use crate::time::Instant;

impl Dispatcher {
    /// Which tasks do not get the next try of a call, if another one may. What one task of a revision has failed, others of
    /// it may well fail, too: those of another one are asked first, but for who is on trial. One that has lost a connection
    /// is the last resort: it may be just dying, but the next connection may also find it started again.
    pub(super) fn beside(&mut self, id: CallId) -> Option<Vec<TaskId>> {
        let call = self.calls.get(id)?;
        let pick = call.pick();
        if call.failures.is_empty() {
            return self.loads.any_for(&pick).then(Vec::new);
        }
        let not: Vec<TaskId> = call.avoid(true).collect();
        let but: Vec<TaskId> = call.avoid(false).collect();
        let kin = self.loads.of_their_revisions(&not);
        if self.loads.any_good_for(&Pick { not: &kin, ..pick }) {
            return Some(kin);
        }
        [not, but].into_iter().find(|not| self.loads.any_for(&Pick { not, ..pick }))
    }

    pub(super) fn launch(&mut self, now: Instant, id: CallId, task: TaskId, why: Reason) {
        let Some(call) = self.calls.get(id) else { return };
        if let Some(ticket) = call.ticket.take() {
            self.queue.leave(ticket);
        }
        call.attempts += 1;
        call.sent += 1;
        let attempt = Attempt(call.attempts);
        call.tries.push(Try { attempt, task, since: now, is_kept: false, heard: false });
        let gate = &mut self.gates[call.request.route.0];
        let wait = call.request.safe.then(|| gate.hedge_delay(now)).flatten();
        call.hedge_at = wait.map(|wait| now + wait);
        // A hedge is to help whatever is wrong: a kept connection may have gone stale as well.
        let (deadline, fresh) = (call.deadline, call.fresh || why == Reason::Hedge);
        self.calls.wake(id);
        if self.loads.take(now, task) {
            self.trials.push(Trial { call: id, task, until: deadline.unwrap_or(now) });
            self.tell_trials(now, id, task);
        }
        self.actions.push_back(Action::Try { call: id, attempt, task, deadline, fresh, why });
    }

    /// Sends a call once more, although it is under way: its answer is late.
    pub(super) fn hedge(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        call.hedge_at = None;
        // After one that was lost there is one more try: the one that goes on.
        let is_late = call.tries.any_open() && !call.lost_one;
        let (route, sent) = (call.request.route.0, call.sent);
        let not: Vec<TaskId> = call.avoid(true).collect();
        let pick = Pick { preferred: None, not: &not, ..call.pick() };
        if is_late
            && self.loads.any_for(&pick)
            && self.gates[route].may_hedge(now, sent)
            && let Some(task) = self.loads.pick(now, &pick)
        {
            self.launch(now, id, task, Reason::Hedge);
        }
    }

    /// The head of an answer: it is the client's, or it is kept while another task is asked.
    pub(super) fn head(
        &mut self,
        now: Instant,
        id: CallId,
        attempt: Attempt,
        status: u16,
        withdraws: bool,
    ) {
        let Some(call) = self.calls.of_try(id, attempt) else { return };
        let Some(&one) = call.tries.get(attempt) else { return };
        let gate = &mut self.gates[call.request.route.0];
        // An interim answer shows that the task lives, and nothing of how the call goes.
        let upgraded = status == 101;
        let outcome = (status >= 200 || upgraded).then(|| gate.outcome(status));
        let passed = call.passed.is_some();
        let again = call.request.safe && !passed && gate.tries_again_on(status);
        if withdraws {
            self.tell(id, one.task, How::Withdrawn);
        }
        if again {
            return self.keep(now, id, one, status);
        }
        if let Some(outcome) = outcome {
            self.judge(now, id, one, status, outcome);
        }
        if !passed {
            self.pass(now, id, attempt);
        }
        if let Some(call) = self.calls.get(id) {
            call.outcome = outcome.or(call.outcome);
            // What goes on in another protocol has no end that could be late, nor one that is slow.
            if let (true, Some(outcome)) = (upgraded, outcome) {
                (call.deadline, call.began) = (None, None);
                let gate = &mut self.gates[call.request.route.0];
                call.pass.iter_mut().for_each(|pass| gate.judge(now, pass, outcome));
            }
        }
    }

    /// What an answer that is the client's shows of the tasks.
    fn judge(&mut self, now: Instant, id: CallId, one: Try, status: u16, outcome: Outcome) {
        self.heard(id, one.attempt);
        if outcome != Outcome::Success {
            self.loads.failed(now, one.task);
            let what = FailedHow::Status(status);
            return self.tell(id, one.task, How::Failed { what, blamed: false });
        }
        let latency = now.since(one.since);
        if (400..500).contains(&status) {
            self.loads.declined(now, one.task, latency);
        } else {
            self.loads.answered(now, one.task, latency);
        }
        let Some(call) = self.calls.get(id) else { return };
        call.latency = Some(latency);
        self.gates[call.request.route.0].record(now, latency);
        let late = |other: &&Try| other.attempt != one.attempt && !other.is_kept;
        let late: Vec<Try> = call.tries.iter().filter(late).copied().collect();
        let failures = std::mem::take(&mut call.failures);
        for Failed { task, how, .. } in failures {
            if let Some(what) = how {
                self.tell(id, task, How::Failed { what, blamed: true });
            }
        }
        for other in late {
            self.overtaken(now, id, other);
        }
        // It may go on for as long as it likes, and nobody is kept out for it.
        if let Some(trial) = self.trials.iter_mut().find(|trial| trial.is_of(id, one.task)) {
            trial.until = now;
            self.tell_trials(now, id, one.task);
        }
    }

    fn overtaken(&mut self, now: Instant, id: CallId, late: Try) {
        let waited: Duration = now.since(late.since);
        self.heard(id, late.attempt);
        self.loads.overtaken(now, late.task, waited);
        self.tell_waited(now, id, late);
        if let Some(call) = self.calls.get(id) {
            self.gates[call.request.route.0].record(now, waited);
        }
    }

    fn heard(&mut self, id: CallId, attempt: Attempt) {
        if let Some(one) = self.calls.get(id).and_then(|call| call.tries.get_mut(attempt)) {
            one.heard = true;
        }
    }

    /// The answer of `attempt` is the client's, and all other tries are broken off.
    fn pass(&mut self, now: Instant, id: CallId, attempt: Attempt) {
        let Some(call) = self.calls.get(id) else { return };
        (call.passed, call.hedge_at) = (Some(attempt), None);
        while let Some(other) = call.tries.take(|one| one.attempt != attempt) {
            self.loads.release(now, other.task, other.heard);
        }
        self.actions.push_back(Action::Pass { call: id, attempt });
    }

    /// An answer that is worth another try: it is the client's only if there is no better one.
    fn keep(&mut self, now: Instant, id: CallId, one: Try, status: u16) {
        self.loads.failed(now, one.task);
        let Some(call) = self.calls.get(id) else { return };
        if let Some(older) = call.tries.take(|one| one.is_kept) {
            self.loads.release(now, older.task, older.heard);
        }
        if let Some(one) = call.tries.get_mut(one.attempt) {
            (one.is_kept, one.heard) = (true, true);
        }
        let how = Some(FailedHow::Status(status));
        call.failures.push(Failed { task: one.task, how, again: false });
        call.last = None;
        self.try_again(now, id, false);
    }

    pub(super) fn failed(&mut self, now: Instant, id: CallId, attempt: Attempt, failure: Failure) {
        let Some(call) = self.calls.of_try(id, attempt) else { return };
        let Some(one) = call.tries.take(|one| one.attempt == attempt) else { return };
        // After an interim answer alone the client can still be told.
        let (passed, begun) = (call.passed.is_some(), call.outcome.is_some());
        let again = call.may_repeat(failure) && !passed;
        let shows = call.note(one.task, failure);
        let is_its_fault = failure.kind != FailureKind::Refused && !failure.is_stale();
        if is_its_fault && one.heard {
            self.loads.cut(now, one.task);
        } else if is_its_fault {
            self.loads.failed(now, one.task);
        }
        self.loads.release(now, one.task, is_its_fault || one.heard);
        if failure.kind == FailureKind::Refused {
            self.tell(id, one.task, How::Refused);
        } else if !shows {
            self.end_trial(now, id, one.task);
        }
        if begun {
            self.tell_failures(id);
            self.close(now, id, Outcome::Failure);
            return self.actions.push_back(Action::Abort { call: id });
        }
        if again {
            self.try_again(now, id, true);
        } else {
            self.give_up(now, id);
        }
    }

    /// Another try, unless one is under way. If there is no task for it, the call may wait.
    fn try_again(&mut self, now: Instant, id: CallId, may_wait: bool) {
        let Some(call) = self.calls.get(id) else { return };
        if call.tries.any_open() {
            return;
        }
        let nothing_kept = call.tries.kept().is_none();
        if self.go_on(now, id) {
            return;
        }
        if may_wait && nothing_kept {
            self.wait(now, id);
        } else {
            self.give_up(now, id);
        }
    }

    /// No further try: what is under way, the last answer that came, or one of our own.
    pub(super) fn give_up(&mut self, now: Instant, id: CallId) {
        let in_queue = self.in_queue();
        let Some(call) = self.calls.get(id) else { return };
        if call.tries.any_open() {
            return;
        }
        let (kept, why) = (call.tries.kept(), call.refusal(in_queue));
        call.outcome = Some(Outcome::Failure);
        self.tell_failures(id);
        if let Some(attempt) = kept {
            return self.pass(now, id, attempt);
        }
        self.close(now, id, Outcome::Failure);
        self.answer(id, why);
    }

    /// Tells what went wrong with a call that no task has answered properly. If several have failed,
    /// it is the request's fault.
    fn tell_failures(&mut self, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        let failures = std::mem::take(&mut call.failures);
        if let [Failed { task, how: Some(what), .. }] = failures[..] {
            self.tell(id, task, How::Failed { what, blamed: false });
        }
    }

    /// The deadline of a call has passed. If it was the caller's own, that says nothing of its task; nor if the task
    /// did not have most of the time.
    pub(super) fn tell_overdue(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        let own = self.gates[call.request.route.0].timeout();
        let own = own.filter(|_| call.request.ask.deadline.is_none_or(|theirs| theirs > now));
        let open = call.tries.iter().find(|one| !one.is_kept && call.passed.is_none()).copied();
        let had_time = |one: &Try| own.is_some_and(|own| 2 * now.since(one.since) >= own);
        let Some(one) = open.filter(had_time) else { return };
        self.heard(id, one.attempt);
        self.loads.failed(now, one.task);
        let what = FailedHow::Deadline(now.since(one.since));
        self.tell(id, one.task, How::Failed { what, blamed: false });
    }

    /// The answer that is the client's is whole: only now is it a proper one.
    pub(super) fn tell_answered(&mut self, id: CallId, attempt: Attempt) {
        let Some(call) = self.calls.get(id) else { return };
        if let (Some(latency), Some(one)) = (call.latency, call.tries.get(attempt).copied()) {
            self.tell(id, one.task, How::Answered(latency));
        }
    }

    /// Its client has gone. A task on trial has not answered for as long as that one waited.
    pub(super) fn tell_left(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        let Some(one) = call.tries.iter().next().copied().filter(|_| call.passed.is_none()) else {
            return;
        };
        if self.is_trial(id, one.task) {
            self.tell_waited(now, id, one);
        }
    }

    /// No answer has begun. If it was waited for too short a time to decide a trial, another request may.
    fn tell_waited(&mut self, now: Instant, id: CallId, one: Try) {
        let on_trial = self.is_trial(id, one.task);
        self.tell(id, one.task, How::Overtaken(now.since(one.since)));
        if on_trial {
            self.try_anew(now, id, one.task);
        }
    }

    /// A call is over. What has shown nothing by now never will.
    pub(super) fn end_trials(&mut self, now: Instant, id: CallId) {
        while let Some(trial) = self.trials.iter().find(|trial| trial.call == id) {
            self.end_trial(now, id, trial.task);
        }
    }

    /// Nothing will be shown by this request of a trial.
    fn end_trial(&mut self, now: Instant, id: CallId, task: TaskId) {
        if let Some(at) = self.trials.iter().position(|trial| trial.is_of(id, task)) {
            self.trials.remove(at);
            self.try_anew(now, id, task);
        }
    }

    fn try_anew(&mut self, now: Instant, id: CallId, task: TaskId) {
        self.loads.try_anew(task);
        self.tell_trials(now, id, task);
    }

    fn is_trial(&self, id: CallId, task: TaskId) -> bool {
        self.trials.iter().any(|trial| trial.is_of(id, task))
    }

    /// Until when something may be shown by one of the trial's requests.
    fn tell_trials(&mut self, now: Instant, id: CallId, task: TaskId) {
        let untils = self.trials.iter().filter(|trial| trial.task == task).map(|one| one.until);
        let until = untils.fold(now, Instant::max);
        self.tell(id, task, How::Tried { until });
    }

    fn tell(&mut self, id: CallId, task: TaskId, how: How) {
        let Some(call) = self.calls.get(id) else { return };
        let fingerprint = call.request.fingerprint;
        let on_trial = self.is_trial(id, task);
        if on_trial && !matches!(how, How::Tried { .. } | How::Withdrawn) {
            self.trials.retain(|trial| !trial.is_of(id, task));
        }
        let seen = Seen { task, how, on_trial, fingerprint };
        self.tally.note(&seen);
        self.seen.push_back(seen);
    }
}

// === impl Trial ===

impl Trial {
    fn is_of(&self, call: CallId, task: TaskId) -> bool {
        (self.call, self.task) == (call, task)
    }
}

// === impl Call ===

impl Call {
    /// What its tasks are chosen by.
    pub(super) fn pick(&self) -> Pick<'static> {
        let Request { preferred, affinity, safe, .. } = self.request;
        // Whoever has failed one task is not tried out on the next.
        let safe = safe && self.attempts == 0;
        Pick { preferred, affinity, revision: self.revision, safe, not: &[] }
    }

    fn may_repeat(&self, failure: Failure) -> bool {
        let again = self.request.ask.repeatable && failure.replayable && !self.lost_one;
        !failure.sent || (again && !failure.answered)
    }

    /// Remembers a failure. True if it is to be told what that shows of the task.
    fn note(&mut self, task: TaskId, failure: Failure) -> bool {
        let stale = failure.is_stale() && !self.fresh;
        let lost = failure.kind == FailureKind::Closed && failure.sent;
        // That nobody listens is told at once. That a kept connection was closed says nothing, nor does
        // a connection that is not taken in: whoever is busy is not bad. Checks tell them apart.
        let told =
            stale || matches!(failure.kind, FailureKind::Refused | FailureKind::ConnectTimeout);
        let how = (!told).then_some(FailedHow::Broken(failure.kind));
        self.failures.push(Failed { task, how, again: stale || lost });
        self.last = Some((failure.kind, failure.sent));
        self.lost_one |= failure.sent;
        // Where one task has just died, others may be dying: a new connection tells.
        self.fresh |= stale || lost;
        if !failure.sent {
            self.sent -= 1;
        }
        how.is_some()
    }
}
