//! Trying again, within an exact budget and never against a refusal.
//!
//! A retry helps when the next try may meet a better fate: another task, a connection that is
//! whole. It hurts when the service is failing as a whole, for then it multiplies the load. Hence:
//!
//! - A *budget* for all callers together: a fifth of what succeeds, and one a second. When nothing
//!   succeeds, hardly anything is tried again.
//! - A rejection is never tried again, by whichever layer inside: a breaker that is open says that
//!   there is no use.
//! - Never past the deadline: a try that could not begin before it is not waited for.
//! - Only what may be sent twice. That is for you to say: [`retry`](crate::retry()) takes a
//!   closure that gives a second copy of a request, or `None`.
//!
//! Retry at *one* place on the way. Three tries at each of three hops are 27 calls.
//!
//! It belongs inside the [`timeout`](crate::timeout()), which is one for all tries, and outside the
//! breaker, which sees each try.

mod account;
mod builder;
mod future;

use std::sync::Arc;
use std::task::{Context, Poll};

use seaworthy_core::policy::retry as policy;
use tower::{Layer, Service};

use crate::classify::{Classify, Errors};
use crate::keys::{Key, KeyValue, Shared, Whole};
use account::Account;

pub use builder::Builder;
pub(crate) use builder::copied_by;
pub use future::Retrying;
pub use policy::Config;

/// Puts retries around services. Whatever comes from one layer shares its budget.
#[derive(Debug)]
pub struct RetryLayer<A, N = Whole, K: KeyValue = (), C = Errors> {
    shared: Arc<Shared<K, policy::Retry>>,
    settings: Settings<A, C>,
    keys: N,
}

/// A service whose calls may be tried again.
#[derive(Debug)]
pub struct Retry<S, A, N = Whole, K: KeyValue = (), C = Errors> {
    inner: S,
    layer: RetryLayer<A, N, K, C>,
}

/// What a call needs to know.
#[derive(Clone, Debug)]
struct Settings<A, C> {
    config: Config,
    copy: A,
    classify: C,
    seed: u64,
}

/// Reads the budget of a layer. Cheap to clone.
#[derive(Debug)]
pub struct Handle<K: KeyValue = ()> {
    shared: Arc<Shared<K, policy::Retry>>,
}

/// What a budget sees now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whole retries that are left.
    pub left: u32,
    /// Retries so far.
    pub retries: u64,
    /// Retries that were wanted when none was left.
    pub spent: u64,
}

// === impl RetryLayer ===

impl<A, N, K: KeyValue, C> RetryLayer<A, N, K, C> {
    /// Reads the layer's budget.
    pub fn handle(&self) -> Handle<K> {
        Handle { shared: self.shared.clone() }
    }
}

impl<A: Clone, N: Clone, K: KeyValue, C: Clone> Clone for RetryLayer<A, N, K, C> {
    fn clone(&self) -> Self {
        let Self { shared, settings, keys } = self;
        Self { shared: shared.clone(), settings: settings.clone(), keys: keys.clone() }
    }
}

impl<S, A: Clone, N: Clone, K: KeyValue, C: Clone> Layer<S> for RetryLayer<A, N, K, C> {
    type Service = Retry<S, A, N, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry { inner, layer: self.clone() }
    }
}

// === impl Retry ===

impl<S: Clone, A: Clone, N: Clone, K: KeyValue, C: Clone> Clone for Retry<S, A, N, K, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, R, A, N, K, C> Service<R> for Retry<S, A, N, K, C>
where
    S: Service<R> + Clone,
    S::Error: 'static,
    A: Fn(&R) -> Option<R> + Clone,
    N: Key<R, K>,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Retrying<S, R, A, K, C>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let RetryLayer { shared, settings, keys } = &self.layer;
        let account = Account::open(shared.clone(), keys.key(&request));
        Retrying::new(self.inner.clone(), request, account, settings.clone())
    }
}

// === impl Handle ===

impl<K: KeyValue> Handle<K> {
    /// The keys that have a budget: those that were used lately.
    pub fn keys(&self) -> Vec<K> {
        self.shared.turn().keys()
    }

    /// What the budget of `key` sees, if it has one yet.
    pub fn view_of(&self, key: &K) -> Option<View> {
        let mut turn = self.shared.turn();
        let now = turn.now;
        turn.get(key).map(|retry| View {
            left: retry.left(now),
            retries: retry.metrics().retries,
            spent: retry.metrics().spent,
        })
    }
}

impl Handle<()> {
    /// What the budget sees.
    pub fn view(&self) -> View {
        self.view_of(&()).expect("without keys there is one budget")
    }
}

impl<K: KeyValue> Clone for Handle<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}
