//! One call that may be tried again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use seaworthy_core::policy::Outcome;
use tokio::time::Sleep;
use tower::Service;
use tower::util::Oneshot;

use super::Settings;
use super::account::Account;
use crate::classify::{Classify, judge};
use crate::keys::KeyValue;

pin_project! {
    /// The future of a call that may be tried again.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Retrying<S, R, A, K, C>
    where
        S: Service<R>,
        K: KeyValue,
    {
        #[pin]
        state: State<Oneshot<S, R>>,
        inner: S,
        // For the next try; `None` if there is none.
        spare: Option<R>,
        tries: u32,
        account: Account<K>,
        settings: Settings<A, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Trying { #[pin] work: F },
        Pausing { #[pin] timer: Sleep },
    }
}

// === impl Retrying ===

impl<S, R, A, K, C> Retrying<S, R, A, K, C>
where
    S: Service<R> + Clone,
    A: Fn(&R) -> Option<R>,
    K: KeyValue,
{
    pub(super) fn new(inner: S, request: R, account: Account<K>, settings: Settings<A, C>) -> Self {
        let spare = if settings.config.tries > 1 { (settings.copy)(&request) } else { None };
        let state = State::Trying { work: Oneshot::new(inner.clone(), request) };
        Self { state, inner, spare, tries: 1, account, settings }
    }

    /// How long to wait before the next try, if there is one.
    fn pause(self: Pin<&mut Self>, outcome: Outcome) -> Option<Duration> {
        let this = self.project();
        let failed = matches!(outcome, Outcome::Failure | Outcome::Timeout);
        if !failed || this.spare.is_none() {
            return None;
        }
        this.account.again(*this.tries)
    }

    fn next_try(self: Pin<&mut Self>) {
        let mut this = self.project();
        let request = this.spare.take().expect("without it there is no pause");
        *this.tries += 1;
        if *this.tries < this.settings.config.tries {
            *this.spare = (this.settings.copy)(&request);
        }
        this.state.set(State::Trying { work: Oneshot::new(this.inner.clone(), request) });
    }
}

impl<S, R, A, K, C> Future for Retrying<S, R, A, K, C>
where
    S: Service<R> + Clone,
    S::Error: 'static,
    A: Fn(&R) -> Option<R>,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project().state.project() {
                StateProjection::Trying { work } => {
                    let result = ready!(work.poll(context));
                    let outcome = judge(&self.settings.classify, &result);
                    let Some(pause) = self.as_mut().pause(outcome) else {
                        self.project().account.settle(outcome);
                        return Poll::Ready(result);
                    };
                    let timer = tokio::time::sleep(pause);
                    self.as_mut().project().state.set(State::Pausing { timer });
                }
                StateProjection::Pausing { timer } => {
                    ready!(timer.poll(context));
                    self.as_mut().next_try();
                }
            }
        }
    }
}
