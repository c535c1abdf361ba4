//! Callers that leave at any moment, on several threads: at the end nothing is taken, and
//! everything is counted once.

use std::time::Duration;

use seaworthy_core::policy::breaker::{Config, Mode, State};
use seaworthy_core::random::{self, Stream};
use seaworthy_layers::Error;
use seaworthy_layers::guard::{GuardLayer, WhenGone};
use tower::{Layer, ServiceExt, service_fn};

use crate::dependency::{BREAKER, breaker, fixed, permits};

const CALLERS: u64 = 64;
const CALLS: u64 = 100;

fn draw(ordinal: u64) -> u64 {
    random::draw(7, Stream::Requests, ordinal)
}

/// Callers with patience for up to 3 ms call a service that takes up to 3 ms and fails at times.
/// Gives the calls that were let pass.
async fn storm(layer: &GuardLayer) -> u64 {
    let service = layer.layer(service_fn(|n: u64| async move {
        for _ in 0..draw(n) % 4 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_micros(draw(n + 1) % 3000)).await;
        if draw(n + 2).is_multiple_of(3) { Err(std::io::Error::other("it fails")) } else { Ok(()) }
    }));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let service = service.clone();
            tokio::spawn(async move {
                let mut passed = 0;
                for n in 0..CALLS {
                    let n = (caller * CALLS + n) * 10;
                    let patience = Duration::from_micros(draw(n + 3) % 3000);
                    let call = tokio::time::timeout(patience, service.clone().oneshot(n));
                    passed += u64::from(!matches!(call.await, Ok(Err(Error::Rejected(_)))));
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for caller in callers {
        passed += caller.await.expect("it does not panic");
    }
    passed
}

async fn nothing_is_left(when_gone: WhenGone, mode: Mode) {
    let breaker_config = Config { mode, ..BREAKER };
    let layer = seaworthy_layers::guard()
        .timeout(Duration::from_millis(2))
        .breaker(breaker_config)
        .bulkhead(fixed(16))
        .when_gone(when_gone)
        .build()
        .expect("it can work");
    let passed = storm(&layer).await;
    let handle = layer.handle();
    let quiet = async {
        while permits(&handle) != (0, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), quiet).await.expect("everything ends");
    let metrics = breaker(&handle).metrics;
    let settled = metrics.successes + metrics.failures + metrics.cancelled;
    assert_eq!(settled, passed, "{when_gone:?}: {metrics:?}");
    assert!(passed > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_callers_do_nothing_stays_taken() {
    for when_gone in [WhenGone::Release, WhenGone::Detach, WhenGone::HoldUntilDeadline] {
        nothing_is_left(when_gone, Mode::ForcedClosed).await;
        nothing_is_left(when_gone, Mode::Normal).await;
    }
}

/// A half-open breaker whose trials are all dropped, thousands of them, still has all its places.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_storm_of_dropped_trials_all_places_are_free() {
    let open = seaworthy_core::policy::breaker::Opening {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(1),
        jitter_percent: 0,
    };
    let layer = seaworthy_layers::breaker(Config { open, ..BREAKER }).build().unwrap();
    let fails = layer.layer(service_fn(|()| async { Err::<(), _>(std::io::Error::other("down")) }));
    while layer.handle().view().breaker.unwrap().state == State::Closed {
        fails.clone().oneshot(()).await.unwrap_err();
    }
    let half_open = async {
        while breaker(&layer.handle()).state != State::HalfOpen {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), half_open).await.expect("time moves it");
    let hangs = layer.layer(service_fn(|()| std::future::pending::<Result<(), std::io::Error>>()));
    let droppers: Vec<_> = (0..8)
        .map(|_| {
            let hangs = hangs.clone();
            tokio::spawn(async move {
                for _ in 0..1000 {
                    let mut call = Box::pin(hangs.clone().oneshot(()));
                    std::future::poll_fn(|context| {
                        let _ = call.as_mut().poll(context);
                        std::task::Poll::Ready(())
                    })
                    .await;
                    drop(call);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for dropper in droppers {
        dropper.await.unwrap();
    }
    assert_eq!(breaker(&layer.handle()).state, State::HalfOpen);
    let works = layer.layer(service_fn(|()| async { Ok::<_, std::io::Error>(()) }));
    for _ in 0..3 {
        works.clone().oneshot(()).await.unwrap();
    }
    assert_eq!(breaker(&layer.handle()).state, State::Closed);
}
