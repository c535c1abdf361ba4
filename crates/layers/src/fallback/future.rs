//! One call that may be answered from memory.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use seaworthy_core::policy::Outcome;
use seaworthy_core::policy::fallback::Stale;
use tower::Service;
use tower::util::Oneshot;

use super::{Answer, Kept};
use crate::classify::{Classify, judge};
use crate::clock;
use crate::keys::KeyValue;

pin_project! {
    /// The future of a call with a fallback.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Recalling<S, R, K, C>
    where
        S: Service<R>,
    {
        #[pin]
        work: Oneshot<S, R>,
        key: Option<K>,
        kept: Arc<Kept<K, S::Response>>,
        classify: C,
    }
}

// === impl Recalling ===

impl<S: Service<R>, R, K, C> Recalling<S, R, K, C> {
    pub(super) fn new(
        work: Oneshot<S, R>,
        key: K,
        kept: Arc<Kept<K, S::Response>>,
        classify: C,
    ) -> Self {
        Self { work, key: Some(key), kept, classify }
    }
}

impl<S, R, K, C> Future for Recalling<S, R, K, C>
where
    S: Service<R>,
    S::Response: Clone,
    S::Error: 'static,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<Answer<S::Response>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.work.poll(context));
        let key = this.key.take().expect("a call is polled until it is over and no further");
        let good = judge(this.classify, &result) == Outcome::Success;
        let stale = match &result {
            Ok(answer) if good => this.kept.keep(key, answer),
            _ if good => None,
            _ => this.kept.instead(&key),
        };
        Poll::Ready(
            stale.map_or_else(|| result.map(Answer::Fresh), |stale| Ok(Answer::Stale(stale))),
        )
    }
}

// === impl Kept ===

impl<K: KeyValue, V: Clone> Kept<K, V> {
    /// Keeps a good answer; there is nothing stale about it.
    fn keep(&self, key: K, answer: &V) -> Option<Stale<V>> {
        let how = (self.keep)(answer)?;
        let answer = Arc::new(answer.clone());
        self.lock().keep(clock::now(), key, answer, how.weight, how.fresh_for);
        None
    }

    /// The last good answer. Copied without the lock.
    fn instead(&self, key: &K) -> Option<Stale<V>> {
        let now = clock::now();
        let (value, age) = {
            let mut last_good = self.lock();
            let stale = last_good.instead(now, key).ok()?;
            (stale.value.clone(), stale.age)
        };
        Some(Stale { value: V::clone(&value), age })
    }
}
