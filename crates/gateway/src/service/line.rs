//! Core's words for a call, between those who say them and the one who carries it out.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seaworthy_core::call::{Attempt, Reason, Refusal};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

/// Where core's word for a call is laid down: one for each client connection.
#[derive(Default)]
pub(crate) struct Line(Mutex<Inbox>);

/// What a call has been told and has not taken yet. The latest counts: it ends the call or the try.
#[derive(Default)]
struct Inbox {
    told: Option<Told>,
    waker: Option<Waker>,
}

/// What a call is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// Send it there; what is under way goes on.
    Try(Try),
    /// The answer that is kept is the client's.
    Pass,
    /// Answer ourselves.
    Answer(Refusal),
    /// Break off.
    Abort,
}

/// One try of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// When it was said.
    pub(crate) at: Instant,
    pub(crate) attempt: Attempt,
    pub(crate) task: TaskId,
    pub(crate) address: SocketAddr,
    /// The call must be over by then.
    pub(crate) deadline: Option<Instant>,
    /// Not over a kept connection.
    pub(crate) fresh: bool,
    /// Why it is sent.
    pub(crate) why: Reason,
}

// === impl Line ===

impl Line {
    pub(super) fn tell(&self, told: Told) {
        let mut inbox = self.lock();
        inbox.told = Some(told);
        if let Some(waker) = inbox.waker.take() {
            waker.wake();
        }
    }

    /// Whether something was told and not yet taken.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inbox = self.lock();
        if inbox.told.is_some() {
            return Poll::Ready(());
        }
        if !inbox.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            inbox.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// What was told last.
    pub(super) fn take(&self) -> Option<Told> {
        self.lock().told.take()
    }

    /// The same, if it is one of these.
    pub(super) fn take_if(&self, is_wanted: impl Fn(&mut Told) -> bool) -> Option<Told> {
        self.lock().told.take_if(is_wanted)
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Try ===

impl Try {
    /// So much time is left for it.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.since(self.at))
    }
}
