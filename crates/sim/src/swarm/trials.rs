//! Whether a trial is decided by a request that was sent in it, by what the gateway and core say to each other.

use std::collections::BTreeMap;

use seaworthy_core::call::{Action, Attempt, CallId, Input};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

/// The requests to the tasks of a service, and the trials of these.
#[derive(Debug, Default)]
pub(super) struct Trials {
    /// Tries without an answer that have a deadline.
    open: Vec<Sent>,
    /// When a task was sent something last.
    last: BTreeMap<TaskId, Instant>,
    /// Since when a task is on trial.
    since: BTreeMap<TaskId, Instant>,
    /// Who was asked by each call that goes on.
    asked: Vec<(CallId, TaskId)>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    call: CallId,
    attempt: Attempt,
    task: TaskId,
    at: Instant,
}

// === impl Trials ===

impl Trials {
    /// The gateway tells this.
    pub(super) fn told(&mut self, input: &Input) {
        match *input {
            Input::Head { call, attempt, .. }
            | Input::Failed { call, attempt, .. }
            | Input::Done { call, attempt } => {
                self.open.retain(|sent| (sent.call, sent.attempt) != (call, attempt));
            }
            Input::ClientGone { call } => self.end(call),
            Input::Begin { .. } | Input::Rotate(_) | Input::Endpoints { .. } => {}
        }
    }

    /// Core wants this.
    pub(super) fn wanted(&mut self, at: Instant, action: &Action) {
        match *action {
            Action::Try { call, attempt, task, deadline, .. } => {
                self.asked.push((call, task));
                self.last.insert(task, at);
                if deadline.is_some() {
                    self.open.push(Sent { call, attempt, task, at });
                }
            }
            Action::Pass { call, .. } | Action::Answer { call, .. } | Action::Abort { call } => {
                self.end(call);
            }
        }
    }

    /// Whether a call that was sent before is sent to a task on trial, though one of those that `serve` was not asked; what
    /// is wrong with that.
    pub(super) fn asked_again(&self, action: &Action, serve: &[TaskId]) -> Option<String> {
        let Action::Try { call, task, .. } = *action else { return None };
        if serve.contains(&task) || !self.since.contains_key(&task) {
            return None;
        }
        let asked = self.asked.iter().filter(|(of, _)| *of == call).map(|(_, task)| *task);
        let asked: Vec<TaskId> = asked.collect();
        let idle =
            serve.iter().find(|other| !asked.contains(other)).filter(|_| !asked.is_empty())?;
        Some(format!("{task} is on trial and asked after {asked:?}, and {idle} serves"))
    }

    fn end(&mut self, call: CallId) {
        self.asked.retain(|(of, _)| *of != call);
        self.open.retain(|sent| sent.call != call);
    }

    /// Or goes on, after a time in which its task was used as nobody else was there.
    pub(super) fn begin(&mut self, now: Instant, task: TaskId) {
        self.since.insert(task, now);
    }

    /// It is decided, or nobody waits for it any more; what is wrong with that.
    pub(super) fn decided(&mut self, task: TaskId) -> Option<String> {
        let since = self.since.remove(&task)?;
        let tried = self.last.get(&task).is_some_and(|last| *last >= since);
        (!tried).then(|| {
            format!("the trial of {task} is decided and nothing was sent to it since {since}")
        })
    }

    /// It ends as one that nobody gave; what is wrong with that.
    pub(super) fn unused(&mut self, now: Instant, task: TaskId) -> Option<String> {
        let since = self.since.remove(&task)?;
        let goes_on = |sent: &&Sent| sent.task == task && sent.at >= since && sent.at < now;
        let sent = self.open.iter().find(goes_on)?;
        Some(format!("{task} returns as untried, and what was sent to it at {} goes on", sent.at))
    }
}
