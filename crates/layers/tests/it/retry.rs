//! Never more than the budget, never against a refusal.

use seaworthy_core::policy::{Rejection, budget};
use seaworthy_layers::Error;
use seaworthy_layers::retry::View;
use tokio::time::Instant;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt};

use crate::dependency::{BREAKER, Broken, Dependency, Does, MILLI, all, fixed};

const BUDGET: budget::Config = budget::Config { success_percent: 20, per_second: 0, cap: 10 };

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a retry copies from a reference")]
fn copy(request: &u32) -> Option<u32> {
    (*request < 100).then_some(*request)
}

#[tokio::test(start_paused = true)]
async fn it_tries_so_often_with_growing_pauses_and_gives_the_last_result() {
    let dependency = Dependency::new(Does::Fail);
    let retry = seaworthy_layers::retry(copy).build();
    let begin = Instant::now();
    let Broken = retry.layer(dependency.clone()).oneshot(0).await.unwrap_err();
    assert_eq!(dependency.calls(), 3);
    let waited = begin.elapsed();
    assert!((75 * MILLI..=152 * MILLI).contains(&waited), "50 and 100 ms, less jitter: {waited:?}");
    retry.layer(dependency.clone()).oneshot(100).await.unwrap_err();
    assert_eq!(dependency.calls(), 4, "what may not be sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_never_tried_again_boxed_or_not() {
    let dependency = Dependency::new(Does::Hang);
    let bulkhead = seaworthy_layers::bulkhead(fixed(1)).build().unwrap();
    let held = tokio::spawn(bulkhead.layer(dependency.clone()).oneshot(0));
    tokio::task::yield_now().await;
    let retry = seaworthy_layers::retry(copy).build();
    let plain = ServiceBuilder::new().layer(retry.clone()).layer(bulkhead.clone());
    let error = plain.service(dependency.clone()).oneshot(0).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::Full { .. })), "{error}");
    let boxed = ServiceBuilder::new()
        .layer(retry.clone())
        .map_err(BoxError::from)
        .layer(bulkhead)
        .service(dependency.clone());
    boxed.oneshot(0).await.unwrap_err();
    let left = budget::Config::default().cap;
    assert_eq!(retry.handle().view(), View { left, retries: 0, spent: 0 });
    assert_eq!(dependency.calls(), 1);
    held.abort();
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_ends_the_tries() {
    let dependency = Dependency::new(Does::Fail);
    let breaker = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let retry = seaworthy_layers::retry(copy).tries(100).build();
    let service = ServiceBuilder::new().layer(retry).layer(breaker).service(dependency.clone());
    let error = service.oneshot(0).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::Open { .. })), "{error}");
    assert_eq!(dependency.calls(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_budget_is_exact_however_many_spend_it_at_once() {
    let dependency = Dependency::new(Does::Fail);
    let retry = seaworthy_layers::retry(copy).pause(MILLI, MILLI).tries(3).budget(BUDGET).build();
    let call = || retry.layer(dependency.clone()).oneshot(0);
    all((0..200).map(|_| call())).await;
    assert_eq!(dependency.calls(), 210);
    dependency.now(Does::Answer);
    all((0..25).map(|_| call())).await;
    dependency.now(Does::Fail);
    all((0..200).map(|_| call())).await;
    assert_eq!(dependency.calls(), 210 + 25 + 205, "five successes bring one");
    assert_eq!(retry.handle().view().left, 0);
    assert_eq!(retry.handle().view().retries, 15);
}

#[tokio::test(start_paused = true)]
async fn each_key_has_a_budget_of_its_own() {
    let dependency = Dependency::new(Does::Fail);
    let config = budget::Config { cap: 2, ..BUDGET };
    let retry = seaworthy_layers::retry(copy).budget(config).per_key(10, |r: &u32| r % 2).build();
    for _ in 0..5 {
        retry.layer(dependency.clone()).oneshot(1).await.unwrap_err();
    }
    let left = |key| retry.handle().view_of(&key).map(|view| view.left);
    assert_eq!((left(0), left(1)), (None, Some(0)));
    retry.layer(dependency.clone()).oneshot(2).await.unwrap_err();
    assert_eq!(left(0), Some(0));
    assert_eq!(dependency.calls(), 5 + 2 + 1 + 2);
}
