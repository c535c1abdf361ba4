//! The last good answer instead of an error, marked as such.
//!
//! It belongs on the outside: around the timeout and the breaker, so that what they refuse is
//! answered, too. What comes out is an [`Answer`], fresh or stale: an old answer cannot be mistaken
//! for a new one, and its age is at hand to be shown.
//!
//! It is no cache: a call is made every time, and the kept answer serves only when that fails.
//! Answers are kept by a key, which must tell apart whatever must not be mixed up: leave the user
//! out of it, and one user sees another's page.
//!
//! ```
//! # use std::convert::Infallible;
//! use seaworthy_layers::fallback::Answer;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let last_good = seaworthy_layers::fallback(|path: &&str| path.to_string()).build();
//! let works = last_good.layer(service_fn(|path| async move { Ok::<_, &str>(path) }));
//! let broken = last_good.layer(service_fn(|_path| async { Err::<&str, _>("it is down") }));
//!
//! assert_eq!(works.oneshot("/page").await, Ok(Answer::Fresh("/page")));
//! let answer = broken.clone().oneshot("/page").await.unwrap();
//! assert!(answer.age().is_some());
//! assert_eq!(answer.into_inner(), "/page");
//! assert_eq!(broken.oneshot("/other").await, Err("it is down"));
//! assert_eq!(last_good.handle().metrics().stale, 1);
//! # });
//! ```

mod builder;
mod future;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use seaworthy_core::policy::fallback::{Fallback as LastGood, Metrics, Stale};
use tower::util::Oneshot;
use tower::{Layer, Service};

use crate::classify::{Classify, Errors};
use crate::keys::{Key, KeyValue};

pub use builder::Builder;
pub(crate) use builder::by_key;
pub use future::Recalling;

/// An answer, and whether it is of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The service's own.
    Fresh(T),
    /// The last good one, with its age: the call failed.
    Stale(Stale<T>),
}

/// How an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Its weight, in the unit of [`Config::most_weight`](seaworthy_core::policy::fallback::Config::most_weight): bytes, mostly.
    pub weight: u64,
    /// It is fresh for so long, as it says itself (`max-age`).
    pub fresh_for: Duration,
}

type KeepFn<V> = Box<dyn Fn(&V) -> Option<Keep> + Send + Sync>;

/// Puts fallbacks around services. Whatever comes from one layer shares the answers.
pub struct FallbackLayer<N, K: KeyValue, V, C = Errors> {
    kept: Arc<Kept<K, V>>,
    keys: N,
    classify: C,
}

/// A service with a fallback.
pub struct Fallback<S, N, K: KeyValue, V, C = Errors> {
    inner: S,
    layer: FallbackLayer<N, K, V, C>,
}

/// Reads what a fallback has given. Cheap to clone.
pub struct Handle<K: KeyValue, V> {
    kept: Arc<Kept<K, V>>,
}

struct Kept<K, V> {
    last_good: Mutex<LastGood<K, Arc<V>>>,
    keep: KeepFn<V>,
}

// === impl Answer ===

impl<T> Answer<T> {
    /// The time since it was good, if it is stale.
    pub fn age(&self) -> Option<Duration> {
        match self {
            Self::Fresh(_) => None,
            Self::Stale(stale) => Some(stale.age),
        }
    }

    /// What was answered.
    pub fn get(&self) -> &T {
        match self {
            Self::Fresh(value) | Self::Stale(Stale { value, .. }) => value,
        }
    }

    /// What was answered, its age forgotten.
    pub fn into_inner(self) -> T {
        match self {
            Self::Fresh(value) | Self::Stale(Stale { value, .. }) => value,
        }
    }

    /// Another form of the same answer.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Fresh(value) => Answer::Fresh(into(value)),
            Self::Stale(Stale { value, age }) => Answer::Stale(Stale { value: into(value), age }),
        }
    }
}

// === impl FallbackLayer ===

impl<N, K: KeyValue, V, C> FallbackLayer<N, K, V, C> {
    /// Reads what the fallback has given.
    pub fn handle(&self) -> Handle<K, V> {
        Handle { kept: self.kept.clone() }
    }
}

impl<N: Clone, K: KeyValue, V, C: Clone> Clone for FallbackLayer<N, K, V, C> {
    fn clone(&self) -> Self {
        let Self { kept, keys, classify } = self;
        Self { kept: kept.clone(), keys: keys.clone(), classify: classify.clone() }
    }
}

impl<S, N: Clone, K: KeyValue, V, C: Clone> Layer<S> for FallbackLayer<N, K, V, C> {
    type Service = Fallback<S, N, K, V, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback { inner, layer: self.clone() }
    }
}

// === impl Fallback ===

impl<S: Clone, N: Clone, K: KeyValue, V, C: Clone> Clone for Fallback<S, N, K, V, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, R, N, K, C> Service<R> for Fallback<S, N, K, S::Response, C>
where
    S: Service<R> + Clone,
    S::Response: Clone,
    S::Error: 'static,
    N: Key<R, K>,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Response = Answer<S::Response>;
    type Error = S::Error;
    type Future = Recalling<S, R, K, C>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let FallbackLayer { kept, keys, classify } = &self.layer;
        let key = keys.key(&request);
        let work = Oneshot::new(self.inner.clone(), request);
        Recalling::new(work, key, kept.clone(), classify.clone())
    }
}

// === impl Handle ===

impl<K: KeyValue, V> Handle<K, V> {
    /// What became of calls that failed: answered with old answers, a class of its own, or not.
    pub fn metrics(&self) -> Metrics {
        *self.kept.lock().metrics()
    }

    /// What is kept: answers and their weight.
    pub fn kept(&self) -> (usize, u64) {
        self.kept.lock().kept()
    }
}

impl<K: KeyValue, V> Clone for Handle<K, V> {
    fn clone(&self) -> Self {
        Self { kept: self.kept.clone() }
    }
}

// === impl Kept ===

impl<K, V> Kept<K, V> {
    fn lock(&self) -> MutexGuard<'_, LastGood<K, Arc<V>>> {
        self.last_good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Debug ===

impl<N, K: KeyValue, V, C> fmt::Debug for FallbackLayer<N, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackLayer")
    }
}

impl<S: fmt::Debug, N, K: KeyValue, V, C> fmt::Debug for Fallback<S, N, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<K: KeyValue, V> fmt::Debug for Handle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
