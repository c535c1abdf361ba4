//! A guarded call costs no allocation, with or without its timer.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};

use seaworthy_layers::guard::WhenGone;
use tower::{Layer, Service, service_fn};

/// Allocations of a call whose answer needs so many looks.
fn allocations(when_gone: WhenGone, looks: u32) -> u64 {
    let guard = seaworthy_layers::guard().when_gone(when_gone).build().expect("it can work");
    let mut service = guard.layer(service_fn(|mut looks: u32| {
        std::future::poll_fn(move |_| {
            looks -= 1;
            if looks == 0 { Ok::<_, Infallible>(()).into() } else { std::task::Poll::Pending }
        })
    }));
    let mut call = |looks| {
        let (mut call, mut looked) = (pin!(service.call(looks)), 0);
        let mut context = Context::from_waker(Waker::noop());
        while call.as_mut().poll(&mut context).is_pending() {
            looked += 1;
        }
        assert_eq!(looked + 1, looks);
    };
    // The first one finds the clock and the timer's wheel as they were made.
    call(looks);
    allocation_counter::measure(|| call(looks)).count_total
}

#[tokio::test]
async fn a_call_allocates_nothing_and_one_that_may_be_detached_once() {
    for looks in [1, 3] {
        assert_eq!(allocations(WhenGone::Release, looks), 0);
        assert_eq!(allocations(WhenGone::HoldUntilDeadline, looks), 0);
        assert_eq!(allocations(WhenGone::Detach, looks), 1);
    }
}
