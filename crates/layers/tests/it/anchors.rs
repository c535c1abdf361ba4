//! The acceptance anchors 1 to 7: where other libraries break, as tests.

use std::time::Duration;

use seaworthy_core::policy::breaker::{Config, Slow, State, Window};
use seaworthy_core::policy::guard::{self, time_to_trip};
use seaworthy_core::policy::{Outcome, Rejection};
use seaworthy_layers::{Error, guard::Handle};
use tokio::time::{Instant, advance, sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::dependency::{BREAKER, Dependency, Does, MILLI, SECOND, all, breaker, fixed, permits};

/// Calls once, whatever comes of it.
async fn call<S: Service<u32> + Clone>(service: &S) -> Result<S::Response, S::Error> {
    service.clone().oneshot(0).await
}

/// Opens a breaker whose dependency fails.
async fn open<S: Service<u32, Error = Error> + Clone>(service: &S, handle: &Handle) {
    while breaker(handle).state == State::Closed {
        let _ = call(service).await;
    }
    assert!(matches!(breaker(handle).state, State::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn anchor_1_just_the_threshold_opens_and_not_before_the_minimum() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let service = layer.layer(dependency.clone());
    for failures in 1..5 {
        call(&service).await.unwrap_err();
        assert_eq!(breaker(&layer.handle()).state, State::Closed, "{failures} of {failures}");
    }
    dependency.now(Does::Answer);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let service = layer.layer(dependency.clone());
    for does in [Does::Answer, Does::Fail].repeat(3) {
        assert_eq!(breaker(&layer.handle()).state, State::Closed);
        dependency.now(does);
        let _ = call(&service).await;
    }
    assert!(matches!(breaker(&layer.handle()).state, State::Open { .. }), "3 of 6");
}

#[tokio::test(start_paused = true)]
async fn anchor_1_a_count_window_evicts_after_long_health() {
    let dependency = Dependency::new(Does::Answer);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let service = layer.layer(dependency.clone());
    for _ in 0..10_000 {
        call(&service).await.unwrap();
    }
    dependency.now(Does::Fail);
    open(&service, &layer.handle()).await;
    assert_eq!(dependency.calls(), 10_005, "half of the last ten");
}

#[tokio::test(start_paused = true)]
async fn anchor_2_a_late_result_of_closed_never_decides_half_open() {
    for late in [Does::AnswerAfter(SECOND * 8), Does::FailAfter(SECOND * 8)] {
        let dependency = Dependency::new(late);
        let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
        let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
        let old = tokio::spawn(all([(); 9].map(|()| service.clone().oneshot(0))));
        tokio::task::yield_now().await;
        dependency.now(Does::Fail);
        open(&service, &handle).await;
        advance(SECOND * 5).await;
        assert_eq!(breaker(&handle).state, State::HalfOpen);
        old.await.unwrap();
        assert_eq!(breaker(&handle).state, State::HalfOpen, "after {late:?}");
        assert_eq!(breaker(&handle).metrics.late, 9);
    }
}

#[tokio::test(start_paused = true)]
async fn anchor_3_a_trial_that_hangs_fails_by_its_lease() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    open(&service, &handle).await;
    advance(SECOND * 5).await;
    dependency.now(Does::Hang);
    let hung = tokio::spawn(all([(); 3].map(|()| service.clone().oneshot(0))));
    tokio::task::yield_now().await;
    let refused = call(&service).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected(Rejection::TrialsTaken { trials: 3 })), "{refused}");
    advance(SECOND * 10).await;
    assert!(matches!(breaker(&handle).state, State::Open { .. }));
    hung.abort();
}

#[tokio::test(start_paused = true)]
async fn anchor_3_a_dropped_trial_gives_its_place_back() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    open(&service, &handle).await;
    advance(SECOND * 5).await;
    dependency.now(Does::Hang);
    for _ in 0..20 {
        timeout(MILLI, call(&service)).await.unwrap_err();
    }
    assert_eq!(breaker(&handle).state, State::HalfOpen);
    dependency.now(Does::Answer);
    for _ in 0..3 {
        call(&service).await.unwrap();
    }
    assert_eq!(breaker(&handle).state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn anchor_3_a_trial_that_an_inner_layer_rejects_gives_its_place_back_and_counts_nowhere() {
    let dependency = Dependency::new(Does::Fail);
    let outer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let inner = seaworthy_layers::bulkhead(fixed(1)).build().unwrap();
    let service = ServiceBuilder::new().layer(outer.clone()).layer(inner.clone());
    let service = service.service(dependency.clone());
    open(&service, &outer.handle()).await;
    advance(SECOND * 5).await;
    let failures = breaker(&outer.handle()).metrics.failures;
    dependency.now(Does::Hang);
    let held = tokio::spawn(inner.layer(dependency.clone()).oneshot(0));
    tokio::task::yield_now().await;
    for _ in 0..20 {
        let refused = call(&service).await.unwrap_err();
        assert!(matches!(refused, Error::Rejected(Rejection::Full { .. })), "{refused}");
    }
    assert_eq!(breaker(&outer.handle()).state, State::HalfOpen);
    assert_eq!(breaker(&outer.handle()).metrics.failures, failures);
    held.abort();
}

#[tokio::test(start_paused = true)]
async fn anchor_4_a_timeout_outside_the_breaker_opens_it_on_a_dependency_that_hangs() {
    let breaker_layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let outer = seaworthy_layers::timeout(SECOND).build().unwrap();
    let service = ServiceBuilder::new()
        .layer(outer)
        .layer(breaker_layer.clone())
        .service(Dependency::new(Does::Hang));
    for _ in 0..5 {
        let error = call(&service).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { after } if after == SECOND), "{error}");
    }
    assert!(matches!(breaker(&breaker_layer.handle()).state, State::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn anchor_4_somebody_elses_timeout_opens_it_past_the_slow_threshold() {
    let slow = Slow { threshold: 500 * MILLI, percent: 100, minimum_calls: 5 };
    let config = Config { slow: Some(slow), ..BREAKER };
    let layer = seaworthy_layers::breaker(config).build().unwrap();
    let service = layer.layer(Dependency::new(Does::Hang));
    for _ in 0..5 {
        timeout(SECOND, call(&service)).await.unwrap_err();
    }
    assert!(matches!(breaker(&layer.handle()).state, State::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn anchor_4_a_timeout_inside_is_one_and_the_classifier_is_not_asked() {
    let never = |_: &Result<u32, Error>| panic!("a timeout is no result of the service");
    let outer = seaworthy_layers::breaker(BREAKER).classify(never).build().unwrap();
    let inner = seaworthy_layers::timeout(SECOND).build().unwrap();
    let service = ServiceBuilder::new()
        .layer(outer.clone())
        .layer(inner)
        .service(Dependency::new(Does::Hang));
    for _ in 0..5 {
        call(&service).await.unwrap_err();
    }
    let seen = breaker(&outer.handle());
    assert!(matches!(seen.state, State::Open { .. }));
    assert_eq!((seen.metrics.failures, seen.metrics.slow), (5, 5));
}

/// The time from the first call that hangs, at so many calls a second, to the opening.
async fn trip(config: guard::Config, rate: u32) -> Duration {
    let dependency = Dependency::new(Does::Answer);
    let layer = seaworthy_layers::guard().config(config).build().expect("it can work");
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    for _ in 0..1000 {
        call(&service).await.expect("it is well");
    }
    dependency.now(Does::Hang);
    let begin = Instant::now();
    while breaker(&handle).state == State::Closed {
        tokio::spawn(service.clone().oneshot(0));
        sleep(SECOND / rate).await;
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn anchor_5_after_long_health_a_hard_fault_opens_it_when_the_formula_says() {
    for permits in [1000, 10] {
        let breaker = Config { window: Window::Calls(100), minimum_calls: 100, ..BREAKER };
        let bulkhead = Some(fixed(permits));
        let config = guard::Config { breaker: Some(breaker), bulkhead, ..guard::Config::default() };
        let expected = time_to_trip(&config, 50.0).expect("it opens");
        let formula = if permits == 1000 { SECOND * 2 } else { SECOND * 5 };
        assert!(expected.abs_diff(formula) <= SECOND / 5, "{expected:?}");
        let measured = trip(config, 50).await;
        assert!(measured.abs_diff(expected) <= SECOND / 10, "{measured:?} against {expected:?}");
    }
}

#[test]
fn anchor_5_settings_that_never_open_are_refused_with_the_arithmetic() {
    let builder = seaworthy_layers::guard().timeout(SECOND * 30).bulkhead(fixed(10));
    let refused = builder.build().unwrap_err().to_string();
    assert!(refused.contains("10 permits held for 30s"), "{refused}");
    assert!(refused.contains("can never open"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn anchor_6_a_slow_dependency_has_its_bulkhead_and_the_others_notice_nothing() {
    let bulkhead = || seaworthy_layers::bulkhead(fixed(10)).build().unwrap();
    let slow = Dependency::new(Does::AnswerAfter(SECOND * 30));
    let quick = Dependency::new(Does::AnswerAfter(100 * MILLI));
    let (slow_service, quick_service) = (bulkhead().layer(slow.clone()), bulkhead().layer(quick));
    let mut others = Vec::new();
    for _ in 0..50 * 20 {
        tokio::spawn(slow_service.clone().oneshot(0));
        let begin = Instant::now();
        let other = quick_service.clone().oneshot(0);
        others.push(tokio::spawn(async move { (other.await.is_ok(), begin.elapsed()) }));
        sleep(SECOND / 50).await;
    }
    assert_eq!((slow.most(), slow.calls()), (10, 10));
    for other in others {
        assert_eq!(other.await.unwrap(), (true, 100 * MILLI));
    }
}

#[tokio::test(start_paused = true)]
async fn anchor_7_a_half_open_breaker_under_full_load_lets_no_more_than_the_trials_through() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::guard().breaker(BREAKER).bulkhead(fixed(100)).build().unwrap();
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    open(&service, &handle).await;
    let before = dependency.calls();
    all((0..100).map(|n| service.clone().oneshot(n))).await;
    assert_eq!(dependency.calls(), before, "while it is open");
    advance(SECOND * 5).await;
    dependency.now(Does::AnswerAfter(100 * MILLI));
    let results = all((0..100).map(|n| service.clone().oneshot(n))).await;
    assert_eq!(dependency.calls() - before, 3);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert_eq!(breaker(&handle).state, State::Closed);
    assert_eq!(permits(&handle), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_counts_is_said_by_the_user_and_an_inner_rejection_is_not_asked_about() {
    let ours = |result: &Result<u32, Error>| match result {
        Ok(13) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(error) => panic!("a rejection is no result of the service: {error}"),
    };
    let outer = seaworthy_layers::breaker(BREAKER).classify(ours).build().unwrap();
    let inner = seaworthy_layers::bulkhead(fixed(1)).build().unwrap();
    let dependency = Dependency::new(Does::Answer);
    let service =
        ServiceBuilder::new().layer(outer.clone()).layer(inner.clone()).service(dependency.clone());
    service.clone().oneshot(13).await.unwrap();
    service.clone().oneshot(1).await.unwrap();
    dependency.now(Does::Hang);
    let held = tokio::spawn(inner.layer(dependency).oneshot(0));
    tokio::task::yield_now().await;
    service.clone().oneshot(1).await.unwrap_err();
    let metrics = breaker(&outer.handle()).metrics;
    assert_eq!((metrics.failures, metrics.successes, metrics.cancelled), (1, 1, 1));
    held.abort();
}
