//! What became of one request, for whoever counts or writes it down.

use seaworthy_core::call::RouteId;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// The policies it went by; none if its head was not taken.
    pub(crate) route: Option<RouteId>,
    /// The status its client got; 0 if it got none.
    pub(crate) status: u16,
    /// Why the answer was ours, if it was.
    pub(crate) cause: Option<&'static str>,
    /// The task whose answer it was, or that was tried last.
    pub(crate) task: Option<TaskId>,
    /// How often it was sent to a task.
    pub(crate) tries: u32,
    /// One of these tries was a second one at the same time.
    pub(crate) hedged: bool,
    /// Bytes of its head and body that came from the client.
    pub(crate) received: u64,
    /// Bytes of the answer that went to the client.
    pub(crate) sent: u64,
    /// Its first byte was there.
    pub(crate) begun: Instant,
    /// The head of its answer was there.
    pub(crate) answered: Option<Instant>,
}

// === impl Account ===

impl Account {
    /// A request whose first byte is there.
    pub(crate) fn new(begun: Instant) -> Self {
        Self {
            route: None,
            status: 0,
            cause: None,
            task: None,
            tries: 0,
            hedged: false,
            received: 0,
            sent: 0,
            begun,
            answered: None,
        }
    }

    /// It is tried at `task`.
    pub(crate) fn tried(&mut self, task: TaskId) {
        self.tries += 1;
        self.task = Some(task);
    }

    /// Its client gets an answer with this status; `cause` if it is ours.
    pub(crate) fn answered(&mut self, now: Instant, status: u16, cause: Option<&'static str>) {
        self.answered = Some(now);
        self.status = status;
        self.cause = cause;
    }
}
