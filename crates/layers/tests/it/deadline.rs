//! One deadline through everything.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use seaworthy_core::policy::Rejection;
use seaworthy_layers::{Error, deadline};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::dependency::{Broken, Dependency, Does, MILLI, SECOND, fixed};

#[tokio::test(start_paused = true)]
async fn it_covers_getting_ready_and_every_layer_inside() {
    for does in [Does::NeverGetReady, Does::Hang, Does::AnswerAfter(SECOND * 60)] {
        let inner = seaworthy_layers::guard().timeout(SECOND * 5).build().unwrap();
        let service = ServiceBuilder::new()
            .layer(seaworthy_layers::timeout(SECOND).build().unwrap())
            .layer(inner)
            .service(Dependency::new(does));
        let begin = Instant::now();
        let error = service.oneshot(0).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        assert_eq!(begin.elapsed(), SECOND, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_shrinks_through_tries_and_is_never_longer_inside() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = seen.clone();
    let fails = service_fn(move |_: u32| {
        tell.lock().unwrap().push(deadline::left().unwrap());
        async {
            sleep(300 * MILLI).await;
            Err::<u32, _>(std::io::Error::other("it is down"))
        }
    });
    let service = ServiceBuilder::new()
        .layer(seaworthy_layers::timeout(SECOND).build().unwrap())
        .layer(
            seaworthy_layers::retry(|r: &u32| Some(*r))
                .pause(100 * MILLI, SECOND)
                .tries(10)
                .build(),
        )
        .layer(seaworthy_layers::timeout(500 * MILLI).build().unwrap())
        .service(fails);
    let begin = Instant::now();
    let error = service.oneshot(0).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert_eq!(begin.elapsed(), SECOND);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0], seen[1]), (3, 500 * MILLI, 500 * MILLI));
    assert!(seen[2] <= 300 * MILLI, "{:?}", seen[2]);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_could_not_begin_in_time_is_not_waited_for_and_costs_no_budget() {
    let retry = seaworthy_layers::retry(|r: &u32| Some(*r)).pause(SECOND, SECOND).build();
    let service = ServiceBuilder::new()
        .layer(seaworthy_layers::timeout(SECOND).build().unwrap())
        .layer(retry.clone())
        .service(Dependency::new(Does::FailAfter(100 * MILLI)));
    let begin = Instant::now();
    let error = service.oneshot(0).await.unwrap_err();
    assert!(error.inner::<Broken>().is_some(), "{error}");
    assert_eq!((begin.elapsed(), retry.handle().view().retries), (100 * MILLI, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_begins_after_it_is_refused_and_not_made() {
    let dependency = Dependency::new(Does::Answer);
    let service = seaworthy_layers::bulkhead(fixed(1)).build().unwrap().layer(dependency.clone());
    let late = deadline::within(SECOND, async move {
        sleep(SECOND).await;
        service.oneshot(0).await
    });
    let error = late.await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::DeadlinePassed)), "{error}");
    assert_eq!(dependency.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_binds_a_call_that_was_made_outside_and_one_that_is_polled_elsewhere() {
    let layer = seaworthy_layers::timeout(SECOND * 9).build().unwrap();
    let inside = service_fn(|_: u32| async { Ok::<_, std::io::Error>(deadline::left()) });
    let mut service = layer.layer(inside);
    let made_outside = tower::Service::call(&mut service, 0);
    let left = deadline::within(SECOND, made_outside).await.unwrap();
    assert_eq!(left, Some(SECOND));
    let made_outside = tower::Service::call(&mut service, 0);
    let error = deadline::within(Duration::ZERO, made_outside).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection::DeadlinePassed)), "{error}");
    let call = poll_fn(|_| Poll::Ready(tower::Service::call(&mut service, 0)));
    let made_inside = deadline::within(SECOND, call).await;
    let left = tokio::spawn(made_inside).await.unwrap().unwrap();
    assert_eq!(left, Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn it_is_the_tasks_own_and_ends_with_its_scope() {
    let left = || async { deadline::left() };
    deadline::within(SECOND, async {
        let spawned = tokio::spawn(left());
        let carried = tokio::spawn(deadline::carry(left()));
        assert_eq!(left().await, Some(SECOND));
        assert_eq!(spawned.await.unwrap(), None);
        assert_eq!(carried.await.unwrap(), Some(SECOND));
        let longer = deadline::within(SECOND * 5, left());
        let (longer, shorter) = tokio::join!(longer, deadline::within(SECOND / 2, left()));
        assert_eq!((longer, shorter), (Some(SECOND), Some(SECOND / 2)));
    })
    .await;
    assert_eq!(left().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_very_deadline_is_in_time() {
    let service = seaworthy_layers::timeout(SECOND).build().unwrap();
    let service = service.layer(Dependency::new(Does::AnswerAfter(SECOND)));
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
}

#[tokio::test]
async fn a_service_that_is_always_busy_does_not_hide_its_timeout() {
    let busy = service_fn(|_: u32| async {
        loop {
            tokio::task::consume_budget().await;
        }
        #[expect(unreachable_code, reason = "gives the type")]
        Ok::<u32, std::io::Error>(0)
    });
    let service = seaworthy_layers::timeout(Duration::from_millis(20)).build().unwrap().layer(busy);
    assert!(matches!(service.oneshot(0).await, Err(Error::Timeout { .. })));
}
