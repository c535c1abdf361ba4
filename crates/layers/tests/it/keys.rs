//! Policies per key.

use seaworthy_core::policy::Rejection;
use seaworthy_core::policy::breaker::{Mode, State};
use seaworthy_layers::Error;
use tokio::time::timeout;
use tower::{Layer, ServiceExt};

use crate::dependency::{BREAKER, Dependency, Does, MILLI, fixed};

#[tokio::test(start_paused = true)]
async fn each_key_opens_and_fills_up_on_its_own() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::guard()
        .breaker(BREAKER)
        .bulkhead(fixed(1))
        .per_key(2, |request: &(&'static str, u32)| request.0)
        .build()
        .unwrap();
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    for n in 0..5 {
        service.clone().oneshot(("customers", n)).await.unwrap_err();
    }
    dependency.now(Does::Answer);
    service.clone().oneshot(("orders", 0)).await.unwrap();
    let state = |key| handle.view_of(&key).and_then(|view| view.breaker).map(|seen| seen.state);
    assert!(matches!(state("customers"), Some(State::Open { .. })));
    assert_eq!(state("orders"), Some(State::Closed));
    assert_eq!(state("products"), None);
    assert_eq!(handle.keys(), ["customers", "orders"]);
    assert!(handle.poll_transition_of(&"customers").is_some());

    dependency.now(Does::Hang);
    let held = tokio::spawn(service.clone().oneshot(("orders", 0)));
    tokio::task::yield_now().await;
    let full = service.clone().oneshot(("orders", 0)).await.unwrap_err();
    assert!(matches!(full, Error::Rejected(Rejection::Full { .. })), "{full}");
    // The longest unused goes, and its breaker with it; never one that is in use.
    timeout(MILLI, service.clone().oneshot(("products", 0))).await.unwrap_err();
    assert_eq!(handle.keys(), ["orders", "products"]);
    held.abort();
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_rejected_while_all_are_in_use() {
    let layer = seaworthy_layers::bulkhead(fixed(5)).per_key(1, |r: &u32| *r).build().unwrap();
    let service = layer.layer(Dependency::new(Does::Hang));
    let held = tokio::spawn(service.clone().oneshot(1));
    tokio::task::yield_now().await;
    let error = service.clone().oneshot(2).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::KeysInUse { limit: 1 })), "{error}");
    assert!(!layer.handle().switch_of(&1, Mode::ForcedOpen), "it has no breaker");
    held.abort();
}
