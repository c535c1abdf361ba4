//! One deadline for all that a call goes through.
//!
//! The deadline belongs to the *task*, not to the request: whoever runs inside a
//! [`timeout`](crate::timeout()) finds it with [`current`], whatever the type of its request, and
//! layers in between need not know of it. It only ever shrinks: an inner deadline that is later
//! than the outer one changes nothing.
//!
//! It is there while a future is polled inside a scope. So it passes through `await`, `join!` and
//! `select!` by itself, and ends at `tokio::spawn`, as a caller's patience should: what is to go on
//! under it is [`carried`](carry).
//!
//! ```
//! # use std::time::Duration;
//! use seaworthy_layers::deadline;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! assert_eq!(deadline::left(), None);
//! deadline::within(Duration::from_secs(1), async {
//!     assert!(deadline::left().is_some_and(|left| left <= Duration::from_secs(1)));
//!     let spawned = tokio::spawn(deadline::carry(async { deadline::current() }));
//!     assert_eq!(spawned.await.unwrap(), deadline::current());
//!     // Later is not possible.
//!     deadline::within(Duration::from_secs(60), async {
//!         assert!(deadline::left().is_some_and(|left| left <= Duration::from_secs(1)));
//!     })
//!     .await;
//! })
//! .await;
//! # });
//! ```

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use seaworthy_core::time::Instant;

use crate::clock;

thread_local! {
    /// Set while a future is polled, and restored before another one is.
    static CURRENT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The deadline of what runs now, if it has one.
pub fn current() -> Option<Instant> {
    CURRENT.get()
}

/// The time until then; zero if it has passed.
pub fn left() -> Option<Duration> {
    current().map(|deadline| deadline.since(clock::now()))
}

/// Runs `future` under a deadline so much time from now, or under the current one if that is
/// earlier. It stops nothing by itself: that is what a [`timeout`](crate::timeout()) does.
pub fn within<F: Future>(limit: Duration, future: F) -> Scoped<F> {
    let _entered = enter(Some(clock::now() + limit));
    carry(future)
}

/// Runs `future` under the deadline of what runs now, wherever it is polled.
pub fn carry<F: Future>(future: F) -> Scoped<F> {
    Scoped { deadline: current(), future }
}

pin_project! {
    /// A future under a deadline.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Scoped<F> {
        deadline: Option<Instant>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(*this.deadline);
        this.future.poll(context)
    }
}

/// Restores the deadline of before when it goes.
pub(crate) struct Entered {
    before: Option<Instant>,
}

/// Sets the current deadline to `deadline` if that is earlier.
pub(crate) fn enter(deadline: Option<Instant>) -> Entered {
    let before = current();
    CURRENT.set(earlier(deadline, before));
    Entered { before }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// The earlier of two deadlines, either of which may be missing.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
