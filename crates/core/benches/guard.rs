//! What a guard costs each call: deadline, breaker and bulkhead together, and one by one.
//!
//! `cargo bench -p seaworthy-core --bench guard`. Time goes on by a microsecond with each call, as
//! it does live. An allocation would be shown; there is none.

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use seaworthy_core::policy::breaker::{self, Breaker, Mode, Slow, Window};
use seaworthy_core::policy::bulkhead::{self, Bulkhead};
use seaworthy_core::policy::guard::{Config, Guard};
use seaworthy_core::policy::timeout::Timeout;
use seaworthy_core::policy::{Ask, Outcome, Policy, adaptive};
use seaworthy_core::time::Instant;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const ASK: Ask = Ask { repeatable: true, deadline: None };
/// Calls in one sample: a clock cannot see a single one.
const CALLS: u32 = 1000;

fn main() {
    divan::main();
}

/// Asks a thousand times, and settles what passes.
fn calls<P: Policy>(bencher: Bencher, mut policy: P) {
    let mut now = Instant::EPOCH + Duration::from_secs(1000);
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
        for _ in 0..CALLS {
            now = now + Duration::from_micros(1);
            match policy.admit(black_box(now), black_box(&ASK)) {
                Ok(pass) => policy.settle(now, black_box(pass), black_box(Outcome::Success)),
                Err(why) => {
                    black_box(why);
                }
            }
        }
    });
}

fn breaker(window: Window) -> breaker::Config {
    let slow = Slow { threshold: Duration::from_millis(100), percent: 50, minimum_calls: 20 };
    breaker::Config { window, slow: Some(slow), ..breaker::Config::default() }
}

const TIME: Window = Window::Time(Duration::from_secs(10));

fn guard(breaker: breaker::Config, permits: u32) -> Guard {
    let bulkhead = Some(bulkhead::Config::Fixed(permits));
    Guard::new(Config { breaker: Some(breaker), bulkhead, ..Config::default() }, 1)
}

#[divan::bench]
fn passes_window_of_time(bencher: Bencher) {
    calls(bencher, guard(breaker(TIME), 10));
}

#[divan::bench]
fn passes_window_of_calls(bencher: Bencher) {
    calls(bencher, guard(breaker(Window::Calls(100)), 10));
}

#[divan::bench]
fn passes_adaptive_bulkhead(bencher: Bencher) {
    let bulkhead = Some(bulkhead::Config::Adaptive(adaptive::Config::default()));
    let config = Config { breaker: Some(breaker(TIME)), bulkhead, ..Config::default() };
    calls(bencher, Guard::new(config, 1));
}

#[divan::bench]
fn passes_breaker_alone(bencher: Bencher) {
    calls(bencher, Breaker::new(breaker(TIME), 1));
}

#[divan::bench]
fn passes_bulkhead_alone(bencher: Bencher) {
    calls(bencher, Bulkhead::new(bulkhead::Config::Fixed(10)));
}

#[divan::bench]
fn passes_timeout_alone(bencher: Bencher) {
    calls(bencher, Timeout::new(Duration::from_secs(1)));
}

#[divan::bench]
fn rejects_breaker_open(bencher: Bencher) {
    // As long as the benchmark may run.
    let day = Duration::from_secs(86_400);
    let open = breaker::Opening { first: day, longest: day, jitter_percent: 0 };
    let mut guard = guard(breaker::Config { open, ..breaker(TIME) }, 10);
    for _ in 0..20 {
        let now = Instant::EPOCH + Duration::from_secs(999);
        let pass = guard.admit(now, &ASK).expect("it is closed until the minimum");
        guard.settle(now, pass, Outcome::Failure);
    }
    calls(bencher, guard);
}

#[divan::bench]
fn rejects_breaker_held_open(bencher: Bencher) {
    calls(bencher, guard(breaker::Config { mode: Mode::ForcedOpen, ..breaker(TIME) }, 10));
}

#[divan::bench]
fn rejects_bulkhead_full(bencher: Bencher) {
    calls(bencher, guard(breaker(TIME), 0));
}
