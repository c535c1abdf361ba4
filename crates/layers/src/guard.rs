//! Timeout, breaker and bulkhead around a service.
//!
//! [`guard`](crate::guard()) is all three in core's fixed order; [`timeout`](crate::timeout()),
//! [`breaker`](crate::breaker()) and [`bulkhead`](crate::bulkhead()) are one of them each, for an order
//! of your own. All of them are a [`GuardLayer`] and behave alike:
//!
//! - A guard is always ready: a policy never makes anybody wait. The inner service is made ready
//!   within the call, under the deadline and the permit. So a service that never gets ready is a
//!   service that hangs, and a breaker that is open says so at once.
//! - Nothing is taken before the first poll and nothing is kept after the last: a future that is
//!   dropped settles what it holds, by its age.
//! - Clones share their policies, and so do all services that come from one layer.
//! - A call whose deadline has passed already is refused and the inner service is not called.
//! - The timer is set when the inner service does not answer at once, and not before.

mod builder;
mod future;
mod handle;
mod lease;

use std::sync::Arc;
use std::task::{Context, Poll};

use seaworthy_core::policy::guard::Guard as Policies;
use tower::util::Oneshot;
use tower::{BoxError, Layer, Service};

use crate::classify::{Classify, Errors};
use crate::deadline;
use crate::error::Error;
use crate::keys::{Key, KeyValue, Shared, Whole};
use lease::Lease;

pub(crate) use builder::only;
pub use builder::{Builder, Refused};
pub use future::Guarded;
pub use handle::{Breaker, Bulkhead, Handle, View};

/// What becomes of a bulkhead's permit when the caller goes away, or waits no longer.
///
/// A permit stands for work at the service. The honest answer depends on what dropping the inner
/// future does to that work:
///
/// | dropping the future … | honest is | price |
/// |---|---|---|
/// | stops the work: an async computation of this process, a hyper or reqwest call whose callee notices the closed connection | `Release` | none |
/// | stops nothing but the waiting: `spawn_blocking`, a driver that runs the query to its end all the same, a call that must not be left half-done | `Detach` | one allocation for each call |
/// | leaves a callee at work that does not notice, but gives up at the deadline it was told | `HoldUntilDeadline` | permits that may be held too long |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenGone {
    /// The work stops and the permit is free at once.
    #[default]
    Release,
    /// The work runs on to its end in a task of its own, without the caller's deadline, and the
    /// permit with it. It is shown as abandoned.
    Detach,
    /// The work stops here and probably not there: the permit is held until the call's deadline,
    /// shown as abandoned. Without a deadline it is as `Release`.
    HoldUntilDeadline,
}

/// What can be guarded: a service that can be cloned, and whose calls can go on in another task.
pub trait Guardable<R>:
    Service<R, Error: Into<BoxError> + 'static, Future: Send + 'static> + Clone + Send + 'static
{
}

impl<R, S> Guardable<R> for S where
    S: Service<R, Error: Into<BoxError> + 'static, Future: Send + 'static> + Clone + Send + 'static
{
}

/// Puts guards around services. Whatever comes from one layer shares its policies.
#[derive(Debug)]
pub struct GuardLayer<N = Whole, K: KeyValue = (), C = Errors> {
    shared: Arc<Shared<K, Policies>>,
    settings: Settings<N, C>,
}

/// What a service and its calls need to know.
#[derive(Clone, Debug)]
struct Settings<N, C> {
    keys: N,
    classify: C,
    when_gone: WhenGone,
    /// Whether there is a timeout of ours, whose timer is ours to set.
    timed: bool,
}

/// A guarded service.
#[derive(Debug)]
pub struct Guard<S, N = Whole, K: KeyValue = (), C = Errors> {
    inner: S,
    shared: Arc<Shared<K, Policies>>,
    settings: Settings<N, C>,
}

// === impl GuardLayer ===

impl<N, K: KeyValue, C> GuardLayer<N, K, C> {
    /// Reads and switches the layer's policies.
    pub fn handle(&self) -> Handle<K> {
        Handle::new(self.shared.clone())
    }
}

impl<N: Clone, K: KeyValue, C: Clone> Clone for GuardLayer<N, K, C> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), settings: self.settings.clone() }
    }
}

impl<S, N: Clone, K: KeyValue, C: Clone> Layer<S> for GuardLayer<N, K, C> {
    type Service = Guard<S, N, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard { inner, shared: self.shared.clone(), settings: self.settings.clone() }
    }
}

// === impl Guard ===

impl<S: Clone, N: Clone, K: KeyValue, C: Clone> Clone for Guard<S, N, K, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<S, R, N, K, C> Service<R> for Guard<S, N, K, C>
where
    S: Guardable<R>,
    R: Send + 'static,
    N: Key<R, K>,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = Error;
    type Future = Guarded<S, R, K, C>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Settings { keys, classify, when_gone, timed } = &self.settings;
        let key = keys.key(&request);
        let lease = Lease::new(self.shared.clone(), key, deadline::current(), *when_gone);
        let work = Oneshot::new(self.inner.clone(), request);
        Guarded::new(work, lease, *timed, classify.clone())
    }
}
