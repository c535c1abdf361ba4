//! One guarded call.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use seaworthy_core::policy::Outcome;
use tokio::runtime::Handle;
use tokio::time::Sleep;
use tower::util::Oneshot;

use super::lease::Lease;
use super::{Guardable, WhenGone};
use crate::classify::{Classify, judge};
use crate::error::Error;
use crate::keys::KeyValue;
use crate::{clock, deadline};

pin_project! {
    /// The future of a guarded call.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Guarded<S, R, K, C>
    where
        S: Guardable<R>,
        R: Send,
        R: 'static,
        K: KeyValue,
        C: Classify<S::Response, S::Error>,
    {
        // Before the lease: the work has ended when its permit comes free.
        #[pin]
        work: Work<Oneshot<S, R>>,
        lease: Lease<K>,
        #[pin]
        timer: Option<Sleep>,
        timed: bool,
        classify: C,
    }

    impl<S, R, K, C> PinnedDrop for Guarded<S, R, K, C>
    where
        S: Guardable<R>,
        R: Send,
        R: 'static,
        K: KeyValue,
        C: Classify<S::Response, S::Error>,
    {
        fn drop(this: Pin<&mut Self>) {
            this.part();
        }
    }
}

pin_project! {
    /// The inner service's part of a call.
    #[project = WorkProjection]
    enum Work<F> {
        // Lives and dies with the call.
        Here { #[pin] future: F },
        // May outlive it.
        Apart { future: Option<Pin<Box<F>>> },
        Gone,
    }
}

/// A future is not polled after it has given its answer.
const UNDER_WAY: &str = "a call is polled until it is over and no further";

// === impl Guarded ===

impl<S, R, K, C> Guarded<S, R, K, C>
where
    S: Guardable<R>,
    R: Send + 'static,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    pub(super) fn new(work: Oneshot<S, R>, lease: Lease<K>, timed: bool, classify: C) -> Self {
        let work = match lease.when_gone() {
            WhenGone::Detach => Work::Apart { future: Some(Box::pin(work)) },
            WhenGone::Release | WhenGone::HoldUntilDeadline => Work::Here { future: work },
        };
        Self { work, lease, timer: None, timed, classify }
    }

    /// Nobody waits any longer: the work ends, or runs on and has the pass.
    fn part(self: Pin<&mut Self>) {
        let mut this = self.project();
        let apart = this.work.as_mut().take_apart();
        this.work.set(Work::Gone);
        // What has panicked does not run on, and without a runtime nothing does.
        if let (Some(work), Ok(runtime), false) =
            (apart, Handle::try_current(), std::thread::panicking())
            && let Some(heir) = this.lease.hand_over()
        {
            runtime.spawn(run_on(work, heir, this.classify.clone()));
        }
    }

    fn poll_timer(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Error> {
        let mut this = self.as_mut().project();
        if !*this.timed {
            return Poll::Pending;
        }
        if this.timer.is_none() {
            let deadline = this.lease.deadline().expect("a timeout gives every call one");
            this.timer.set(Some(tokio::time::sleep_until(clock::moment(deadline))));
        }
        let timer = this.timer.as_pin_mut().expect("it was just set");
        // A service that is always busy must not hide its own timeout.
        ready!(pin!(tokio::task::unconstrained(timer)).poll(context));
        self.as_mut().part();
        let lease = self.project().lease;
        lease.settle(Outcome::Timeout);
        Poll::Ready(Error::Timeout { after: clock::now().since(lease.began()) })
    }
}

impl<S, R, K, C> Future for Guarded<S, R, K, C>
where
    S: Guardable<R>,
    R: Send + 'static,
    K: KeyValue,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        if let Err(why) = this.lease.ask() {
            this.work.set(Work::Gone);
            return Poll::Ready(Err(Error::Rejected(why)));
        }
        let polled = {
            let _entered = deadline::enter(this.lease.deadline());
            this.work.as_mut().poll(context)
        };
        let Poll::Ready(result) = polled else {
            return self.poll_timer(context).map(Err);
        };
        this.work.set(Work::Gone);
        this.lease.settle(judge(this.classify, &result));
        Poll::Ready(result.map_err(Error::from_inner))
    }
}

/// Work that nobody waits for. At its deadline the breaker hears that there was no answer; when it
/// ends, its permit comes free.
async fn run_on<F, T, E: 'static, K: KeyValue>(
    work: Pin<Box<F>>,
    mut lease: Lease<K>,
    classify: impl Classify<T, E>,
) where
    F: Future<Output = Result<T, E>>,
{
    let mut end = pin!(async move {
        let result = work.await;
        judge(&classify, &result)
    });
    let deadline = lease.deadline().filter(|deadline| *deadline > clock::now());
    let in_time = match deadline {
        Some(deadline) => tokio::time::timeout_at(clock::moment(deadline), end.as_mut()).await.ok(),
        None => None,
    };
    let outcome = if let Some(outcome) = in_time {
        outcome
    } else {
        lease.abandon();
        end.await
    };
    lease.settle(outcome);
}

// === impl Work ===

impl<F: Future> Work<F> {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            WorkProjection::Here { future } => future.poll(context),
            WorkProjection::Apart { future } => {
                future.as_mut().expect(UNDER_WAY).as_mut().poll(context)
            }
            WorkProjection::Gone => panic!("{UNDER_WAY}"),
        }
    }

    /// What can go on without the call.
    fn take_apart(self: Pin<&mut Self>) -> Option<Pin<Box<F>>> {
        match self.project() {
            WorkProjection::Apart { future } => future.take(),
            WorkProjection::Here { .. } | WorkProjection::Gone => None,
        }
    }
}
