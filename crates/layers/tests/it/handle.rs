//! Reading and switching from outside.

use seaworthy_core::policy::Rejection;
use seaworthy_core::policy::breaker::{Mode, State};
use seaworthy_layers::Error;
use tokio::time::advance;
use tower::{Layer, ServiceExt};

use crate::dependency::{BREAKER, Dependency, Does, SECOND, breaker};

#[tokio::test(start_paused = true)]
async fn a_breaker_is_held_open_and_closed_and_let_go_by_hand() {
    let dependency = Dependency::new(Does::Answer);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let (service, handle) = (layer.layer(dependency.clone()), layer.handle());
    assert!(handle.switch(Mode::ForcedOpen));
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::ForcedOpen)), "{error}");
    dependency.now(Does::Fail);
    for (mode, calls) in [(Mode::ForcedClosed, 20), (Mode::MetricsOnly, 20), (Mode::Normal, 5)] {
        handle.switch(mode);
        let before = dependency.calls();
        for _ in 0..20 {
            service.clone().oneshot(0).await.unwrap_err();
        }
        assert_eq!(dependency.calls() - before, calls, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn state_rates_and_transitions_are_as_they_are_now() {
    let dependency = Dependency::new(Does::Fail);
    let layer = seaworthy_layers::breaker(BREAKER).build().unwrap();
    let (service, handle) = (layer.layer(dependency), layer.handle());
    for _ in 0..4 {
        service.clone().oneshot(0).await.unwrap_err();
    }
    assert_eq!((breaker(&handle).rates.calls, breaker(&handle).rates.failures), (4, None));
    service.clone().oneshot(0).await.unwrap_err();
    advance(SECOND * 2).await;
    assert_eq!(breaker(&handle).trials_in, Some(SECOND * 3));
    let error = service.clone().oneshot(0).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(SECOND * 3));
    advance(SECOND * 3).await;
    // Nobody need call for it.
    assert_eq!(breaker(&handle).state, State::HalfOpen);
    let told: Vec<String> =
        std::iter::from_fn(|| handle.poll_transition()).map(|t| t.after.to_string()).collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1], "half-open");
}
