//! What a request was, once it is over: for metrics and the access log.

use std::time::Duration;

use seaworthy_core::call::{Reason, RouteId};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

use crate::clock::now;
use crate::service::Try;

/// What a request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The policies it went by.
    pub(crate) route: RouteId,
    /// What the client got; none if it got no whole head.
    pub(crate) status: Option<u16>,
    /// Why the answer was ours, or was cut short, if it was.
    pub(crate) cause: Option<&'static str>,
    /// Whose answer it was; or the last one that was tried.
    pub(crate) task: Option<TaskId>,
    /// Tries because an earlier one had failed,
    pub(crate) retries: u32,
    /// and because one took its time.
    pub(crate) hedges: u32,
    /// Bytes of the request's body,
    pub(crate) received: u64,
    /// and of the answer, its head included.
    pub(crate) sent: u64,
    /// When its head had come.
    pub(crate) begun: Instant,
    /// From then to the head of the answer.
    pub(crate) to_head: Option<Duration>,
    /// When the whole answer had been passed on; none if it was not.
    pub(crate) ended: Option<Instant>,
}

// === impl Account ===

impl Account {
    /// Nothing has come of it yet.
    pub(crate) fn new(route: RouteId, begun: Instant) -> Self {
        Self {
            route,
            status: None,
            cause: None,
            task: None,
            retries: 0,
            hedges: 0,
            received: 0,
            sent: 0,
            begun,
            to_head: None,
            ended: None,
        }
    }

    /// One more task is asked.
    pub(crate) fn tried(&mut self, to: Try) {
        self.task = Some(to.task);
        match to.why {
            Reason::First => {}
            Reason::Retry => self.retries += 1,
            Reason::Hedge => self.hedges += 1,
        }
    }

    /// A task's answer is the client's, now.
    pub(crate) fn answered(&mut self, now: Instant, task: TaskId, status: u16) {
        self.task = Some(task);
        self.status = Some(status);
        self.to_head = Some(now.since(self.begun));
    }

    /// An answer that had begun has ended before its end; the first cause counts.
    pub(crate) fn cut(&mut self, cause: &'static str) {
        if self.status.is_some() {
            self.cause.get_or_insert(cause);
        }
    }

    /// The answer is ours.
    pub(crate) fn ours(&mut self, status: u16, cause: &'static str) {
        self.status = Some(status);
        self.cause = Some(cause);
        self.to_head = Some(now().since(self.begun));
    }
}
