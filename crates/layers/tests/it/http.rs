//! The deadline as a header, and statuses as outcomes.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use seaworthy_core::policy::breaker::State;
use seaworthy_core::policy::timeout::HEADER;
use seaworthy_layers::http::{ReceiveDeadline, SendDeadline, Statuses, answer, idempotent};
use seaworthy_layers::{Error, deadline};
use tokio::time::sleep;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::dependency::{BREAKER, MILLI, SECOND, breaker};

/// What a service sees that is called with this header.
async fn left_with(header: Option<&str>) -> Option<Duration> {
    let service = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(deadline::left()) });
    let service = ServiceBuilder::new().layer(ReceiveDeadline).service(service);
    let mut request = Request::new(());
    if let Some(header) = header {
        request.headers_mut().insert(HEADER, header.parse().expect("it is a value"));
    }
    service.oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_server_reads_it_and_a_header_that_is_no_number_is_none() {
    assert_eq!(left_with(Some("250")).await, Some(250 * MILLI));
    assert_eq!(left_with(Some("0")).await, Some(Duration::ZERO));
    for wrong in [None, Some("soon"), Some("-1"), Some("99999999999")] {
        assert_eq!(left_with(wrong).await, None);
    }
    let shrunk = deadline::within(100 * MILLI, left_with(Some("250")));
    assert_eq!(shrunk.await, Some(100 * MILLI));
}

#[tokio::test(start_paused = true)]
async fn each_try_tells_what_is_left_then_and_the_callee_passes_on_less() {
    let header = |request: &Request<()>| request.headers().get(HEADER).cloned();
    // Two hops: the far one says what it was told.
    let far = service_fn(move |request: Request<()>| {
        let told = header(&request);
        async move { Ok::<_, Infallible>(Response::new(told)) }
    });
    let near = service_fn(move |_: Request<()>| async move {
        sleep(200 * MILLI).await;
        let far = ServiceBuilder::new().layer(SendDeadline).layer(ReceiveDeadline).service(far);
        far.oneshot(Request::new(())).await
    });
    let client = ServiceBuilder::new()
        .layer(seaworthy_layers::timeout(SECOND).build().unwrap())
        .layer(SendDeadline)
        .layer(ReceiveDeadline)
        .service(near);
    let told = client.oneshot(Request::new(())).await.unwrap().into_body().unwrap();
    assert_eq!(told, "800");
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_nothing_is_said() {
    let echo = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(request.headers().contains_key(HEADER))
    });
    let client = ServiceBuilder::new().layer(SendDeadline).service(echo);
    assert!(!client.oneshot(Request::new(())).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_500_is_a_failure_and_a_404_is_an_answer() {
    for (status, opens) in [(404, false), (500, true), (503, true)] {
        let layer = seaworthy_layers::breaker(BREAKER).classify(Statuses::default());
        let layer = layer.build().unwrap();
        let service = service_fn(move |_: Request<()>| async move {
            let status = StatusCode::from_u16(status).unwrap();
            Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap())
        });
        let service = ServiceBuilder::new().layer(layer.clone()).service(service);
        for _ in 0..10 {
            let _ = service.clone().oneshot(Request::new(())).await;
        }
        assert_eq!(matches!(breaker(&layer.handle()).state, State::Open { .. }), opens, "{status}");
    }
}

#[test]
fn what_may_be_sent_twice_is_said_by_the_method() {
    let twice =
        |method: &str| idempotent(&Request::builder().method(method).body(()).unwrap()).is_some();
    let methods = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"].map(twice);
    assert_eq!(methods, [true, true, true, true, false, false]);
}

#[test]
fn a_server_answers_rejections_with_when_to_come_back() {
    use seaworthy_core::policy::Rejection;
    let check = |error: &Error| {
        let response = answer(error);
        let after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        (response.status().as_u16(), after)
    };
    let open = Rejection::Open { retry_after: 2500 * MILLI };
    assert_eq!(check(&Error::Rejected(open)), (503, Some("3".to_owned())));
    assert_eq!(check(&Error::Rejected(Rejection::ForcedOpen)), (503, None));
    assert_eq!(check(&Error::Rejected(Rejection::DeadlinePassed)), (504, None));
    assert_eq!(check(&Error::Timeout { after: SECOND }), (504, None));
    assert_eq!(check(&Error::Inner("gone".into())), (502, None));
}
