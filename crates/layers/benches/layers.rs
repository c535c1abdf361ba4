//! What a guarded call costs when all is well, beside what others take for it.
//!
//! `cargo bench -p seaworthy-layers --bench layers`. The inner service is the same everywhere and
//! answers at once; what is measured is a thousand calls after each other in a tokio runtime, on
//! one thread and on two that share the policies. Breakers have a window of a hundred calls where
//! they have one, bulkheads ten permits, timeouts a second. recloser and failsafe are breakers
//! only, so that `breaker` is what to compare them with.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::LazyLock;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use seaworthy_core::policy::breaker::{self, Mode, Window};
use seaworthy_core::policy::bulkhead;
use seaworthy_layers::guard::{Builder, WhenGone};
use tokio::runtime::Runtime;
use tower::util::ServiceFn;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_time().build().expect("it starts")
});

/// Calls in one sample: a clock cannot see a single one.
const CALLS: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);
const THREADS: [usize; 3] = [1, 2, 4];

fn main() {
    divan::main();
}

type Inner = ServiceFn<fn(u32) -> Ready<Result<u32, Infallible>>>;

fn inner() -> Inner {
    service_fn(|request| ready(Ok(black_box(request))))
}

/// A thousand calls of a clone of `service`.
fn calls<S: Service<u32> + Clone + Sync>(bencher: Bencher, service: &S) {
    bencher.counter(ItemsCount::new(CALLS)).bench(|| {
        let mut service = service.clone();
        RUNTIME.block_on(async {
            for n in 0..CALLS {
                if let Ok(ready) = service.ready().await {
                    let _ = black_box(ready.call(black_box(n)).await);
                }
            }
        });
    });
}

fn seaworthy_calls(bencher: Bencher, builder: Builder) {
    let layer = builder.seed(1).build().expect("the settings can work");
    calls(bencher, &layer.layer(inner()));
}

fn config() -> breaker::Config {
    breaker::Config { window: Window::Calls(100), ..breaker::Config::default() }
}

#[divan::bench(threads = THREADS)]
fn a_inner_service_alone(bencher: Bencher) {
    calls(bencher, &inner());
}

/// A guard reads it twice: when a call begins and when it ends.
#[divan::bench(threads = THREADS)]
fn a_clock_alone(bencher: Bencher) {
    bencher.counter(ItemsCount::new(CALLS)).bench(|| {
        for _ in 0..CALLS {
            black_box(tokio::time::Instant::now());
        }
    });
}

#[divan::bench(threads = THREADS)]
fn all_three_seaworthy_guard(bencher: Bencher) {
    seaworthy_calls(bencher, seaworthy_layers::guard().breaker(config()));
}

#[divan::bench(threads = THREADS)]
fn all_three_seaworthy_guard_detach(bencher: Bencher) {
    let guard = seaworthy_layers::guard().breaker(config());
    seaworthy_calls(bencher, guard.when_gone(WhenGone::Detach));
}

#[divan::bench(threads = THREADS)]
fn all_three_seaworthy_layers(bencher: Bencher) {
    let built = |builder: Builder| builder.seed(1).build().expect("the settings can work");
    let service = ServiceBuilder::new()
        .layer(built(seaworthy_layers::timeout(SECOND)))
        .layer(built(seaworthy_layers::breaker(config())))
        .layer(built(seaworthy_layers::bulkhead(bulkhead::Config::default())))
        .service(inner());
    calls(bencher, &service);
}

/// The others' timeout, breaker and bulkhead around `inner`.
fn tower_resilience<S>(inner: S) -> impl Service<u32> + Clone + Sync
where
    S: Service<u32, Response: Send, Error: Send, Future: Send + 'static> + Clone + Send + Sync,
    S: 'static,
{
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(10).reject_when_full();
    ServiceBuilder::new()
        .layer(TimeLimiterLayer::builder().timeout_duration(SECOND).build())
        .layer(CircuitBreakerLayer::standard().build().expect("a preset can work"))
        .layer(bulkhead.build().expect("ten is allowed"))
        .service(inner)
}

#[divan::bench(threads = THREADS)]
fn all_three_tower_resilience(bencher: Bencher) {
    calls(bencher, &tower_resilience(inner()));
}

#[divan::bench(threads = THREADS)]
fn breaker_seaworthy(bencher: Bencher) {
    seaworthy_calls(bencher, seaworthy_layers::breaker(config()));
}

#[divan::bench(threads = THREADS)]
fn breaker_tower_resilience(bencher: Bencher) {
    let layer = CircuitBreakerLayer::standard().build().expect("a preset can work");
    calls(bencher, &layer.layer(inner()));
}

#[divan::bench(threads = THREADS)]
fn breaker_recloser(bencher: Bencher) {
    let breaker = recloser::AsyncRecloser::from(recloser::Recloser::default());
    calls(bencher, &service_fn(move |n| breaker.call(inner().call(n))));
}

#[divan::bench(threads = THREADS)]
fn breaker_failsafe(bencher: Bencher) {
    use failsafe::futures::CircuitBreaker;
    let breaker = failsafe::Config::new().build();
    calls(bencher, &service_fn(move |n| breaker.call(inner().call(n))));
}

#[divan::bench(threads = THREADS)]
fn rejected_seaworthy(bencher: Bencher) {
    let open = breaker::Config { mode: Mode::ForcedOpen, ..config() };
    seaworthy_calls(bencher, seaworthy_layers::guard().breaker(open));
}

/// An inner service that answers at the second look, so that timers are set.
fn yields() -> impl Service<u32, Response = u32, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static {
    service_fn(|request| async move {
        tokio::task::yield_now().await;
        Ok(black_box(request))
    })
}

#[divan::bench(threads = THREADS)]
fn with_timer_inner_service_alone(bencher: Bencher) {
    calls(bencher, &yields());
}

#[divan::bench(threads = THREADS)]
fn with_timer_seaworthy_guard(bencher: Bencher) {
    let layer = seaworthy_layers::guard().breaker(config()).seed(1);
    calls(bencher, &layer.build().expect("the settings can work").layer(yields()));
}

#[divan::bench(threads = THREADS)]
fn with_timer_tower_resilience(bencher: Bencher) {
    calls(bencher, &tower_resilience(yields()));
}
