//! The permit follows the work, in three ways.

use seaworthy_core::policy::Rejection;
use seaworthy_core::policy::breaker::State;
use seaworthy_layers::Error;
use seaworthy_layers::guard::{GuardLayer, WhenGone};
use tokio::time::{advance, sleep, timeout};
use tower::{Layer, ServiceExt};

use crate::dependency::{BREAKER, Dependency, Does, MILLI, SECOND, breaker, fixed, permits};

fn layer(when_gone: WhenGone) -> GuardLayer {
    let builder = seaworthy_layers::guard().breaker(BREAKER).bulkhead(fixed(1));
    builder.when_gone(when_gone).build().expect("it can work")
}

/// Running and abandoned at each moment, in milliseconds, when the caller of work of two seconds
/// goes away after `patience`; the timeout is one second.
async fn check(when_gone: WhenGone, patience: u32, expected: &[(u32, (u32, u32))]) {
    let (dependency, layer) = (Dependency::new(Does::AnswerAfter(SECOND * 2)), layer(when_gone));
    let call = layer.layer(dependency.clone()).oneshot(0);
    let caller = tokio::spawn(timeout(MILLI * patience, call));
    let mut now = 0;
    for (at, expected) in expected {
        sleep(MILLI * (at - now)).await;
        now = *at;
        assert_eq!(permits(&layer.handle()), *expected, "{when_gone:?} at {at} ms");
    }
    assert_eq!(dependency.running(), 0);
    let left = caller.await.expect("it does not panic");
    assert!(left.is_err() || left.is_ok_and(|answer| answer.is_err()));
}

#[tokio::test(start_paused = true)]
async fn release_frees_the_permit_with_the_caller() {
    check(WhenGone::Release, 300, &[(299, (1, 0)), (301, (0, 0))]).await;
    check(WhenGone::Release, 5000, &[(999, (1, 0)), (1001, (0, 0))]).await;
}

#[tokio::test(start_paused = true)]
async fn detach_keeps_the_permit_until_the_work_ends() {
    let story = [(299, (1, 0)), (301, (1, 1)), (1999, (1, 1)), (2001, (0, 0))];
    check(WhenGone::Detach, 300, &story).await;
    let story = [(999, (1, 0)), (1001, (1, 1)), (1999, (1, 1)), (2001, (0, 0))];
    check(WhenGone::Detach, 5000, &story).await;
}

#[tokio::test(start_paused = true)]
async fn hold_keeps_the_permit_until_the_deadline() {
    let story = [(299, (1, 0)), (301, (1, 1)), (999, (1, 1)), (1001, (0, 0))];
    check(WhenGone::HoldUntilDeadline, 300, &story).await;
    check(WhenGone::HoldUntilDeadline, 5000, &[(999, (1, 0)), (1001, (0, 0))]).await;
}

#[tokio::test(start_paused = true)]
async fn abandoned_work_takes_its_place_and_the_rejection_says_so() {
    let layer = layer(WhenGone::Detach);
    let service = layer.layer(Dependency::new(Does::AnswerAfter(SECOND * 2)));
    timeout(MILLI, service.clone().oneshot(0)).await.unwrap_err();
    let Err(Error::Rejected(why)) = service.clone().oneshot(0).await else { panic!("it is full") };
    assert_eq!(why, Rejection::Full { limit: 1, running: 1, abandoned: 1 });
    sleep(SECOND * 2).await;
    assert_eq!(permits(&layer.handle()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_early_are_no_failures_whatever_becomes_of_the_work() {
    for when_gone in [WhenGone::Release, WhenGone::HoldUntilDeadline] {
        let layer = layer(when_gone);
        let service = layer.layer(Dependency::new(Does::Hang));
        for _ in 0..20 {
            timeout(MILLI, service.clone().oneshot(0)).await.unwrap_err();
            advance(SECOND).await;
            tokio::task::yield_now().await;
        }
        let seen = breaker(&layer.handle());
        assert_eq!((seen.state, seen.metrics.cancelled), (State::Closed, 20), "{when_gone:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn detached_work_tells_the_breaker_in_time_or_its_deadline_does() {
    let layer = layer(WhenGone::Detach);
    let dependency = Dependency::new(Does::AnswerAfter(SECOND / 2));
    let service = layer.layer(dependency.clone());
    timeout(MILLI, service.clone().oneshot(0)).await.unwrap_err();
    sleep(SECOND).await;
    assert_eq!(breaker(&layer.handle()).metrics.successes, 1);
    dependency.now(Does::AnswerAfter(SECOND * 3));
    timeout(MILLI, service.clone().oneshot(0)).await.unwrap_err();
    sleep(SECOND).await;
    let metrics = breaker(&layer.handle()).metrics;
    assert_eq!((metrics.successes, metrics.failures, metrics.slow), (1, 1, 1));
    sleep(SECOND * 3).await;
    assert_eq!(breaker(&layer.handle()).metrics.successes, 1, "it was counted already");
    assert_eq!(permits(&layer.handle()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn detached_work_is_free_of_the_callers_deadline() {
    let deadline = || async { seaworthy_layers::deadline::current() };
    let (told, heard) = std::sync::mpsc::channel();
    let work = tower::service_fn(move |_: u32| {
        let told = told.clone();
        async move {
            let before = deadline().await;
            sleep(SECOND * 2).await;
            told.send((before, deadline().await)).unwrap();
            Ok::<_, std::io::Error>(0)
        }
    });
    let service = layer(WhenGone::Detach).layer(work);
    assert!(matches!(service.oneshot(0).await, Err(Error::Timeout { .. })));
    sleep(SECOND * 2).await;
    let (before, after) = heard.try_recv().unwrap();
    assert!(before.is_some() && after.is_none());
}

#[tokio::test(start_paused = true)]
async fn ready_takes_nothing_and_neither_does_a_future_that_is_not_polled() {
    let layer = layer(WhenGone::Release);
    let mut services = vec![layer.layer(Dependency::new(Does::Answer)); 5];
    let mut futures = Vec::new();
    for service in &mut services {
        let ready: &mut _ = ServiceExt::<u32>::ready(service).await.unwrap();
        futures.push(tower::Service::call(ready, 0));
        assert_eq!(permits(&layer.handle()), (0, 0));
    }
    for future in futures {
        future.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_leaves_nothing_taken() {
    for when_gone in [WhenGone::Release, WhenGone::Detach, WhenGone::HoldUntilDeadline] {
        let layer = layer(when_gone);
        let panics = tower::service_fn(|request: u32| async move {
            assert!(request > 0, "as it must");
            Ok::<_, std::io::Error>(request)
        });
        let caller = tokio::spawn(layer.layer(panics).oneshot(0));
        assert!(caller.await.unwrap_err().is_panic());
        sleep(SECOND * 2).await;
        assert_eq!(permits(&layer.handle()), (0, 0), "{when_gone:?}");
    }
}
