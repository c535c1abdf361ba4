//! What choosing a task costs each call, with what is told of it afterwards.
//!
//! `cargo bench -p seaworthy-core --bench balance`. Time goes on by a microsecond with each call, as
//! it does live. An allocation would be shown; there is none.

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use seaworthy_core::balance::{Algorithm, Config};
use seaworthy_core::call::{Loads, Pick};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::Rotation;
use seaworthy_core::time::Instant;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Calls in one sample: a clock cannot see a single one.
const CALLS: u32 = 1000;

fn main() {
    divan::main();
}

/// Tasks that have answered a few requests, and have some in flight.
fn loads(config: Config, tasks: u32) -> Loads {
    let mut loads = Loads::new(config, 1);
    loads.rotate(Instant::EPOCH, &Rotation::of((1..=tasks).map(TaskId)));
    for task in (1..=tasks).map(TaskId) {
        for _ in 0..4 {
            loads.take(Instant::EPOCH, task);
            loads.answered(Instant::EPOCH, task, Duration::from_millis(5));
        }
        loads.release(Instant::EPOCH, task, true);
    }
    // The memory for a choice is there from the first one on.
    loads.pick(Instant::EPOCH, &Pick::default());
    loads
}

fn calls(bencher: Bencher, mut loads: Loads, call: impl Fn(&mut Loads, Instant, &Pick<'_>)) {
    let mut now = Instant::EPOCH;
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
        for n in 0..CALLS {
            now = now + Duration::from_micros(1);
            let pick = Pick { affinity: u64::from(n), ..Pick::default() };
            call(&mut loads, black_box(now), black_box(&pick));
        }
    });
}

fn pick(loads: &mut Loads, now: Instant, pick: &Pick<'_>) {
    black_box(loads.pick(now, pick));
}

#[divan::bench(args = Algorithm::ALL)]
fn pick_of_3(bencher: Bencher, algorithm: Algorithm) {
    calls(bencher, loads(Config::plain(algorithm), 3), pick);
}

#[divan::bench(args = Algorithm::ALL)]
fn pick_of_100(bencher: Bencher, algorithm: Algorithm) {
    calls(bencher, loads(Config::plain(algorithm), 100), pick);
}

#[divan::bench]
fn whole_call_of_3(bencher: Bencher) {
    calls(bencher, loads(Config::plain(Algorithm::LatencyAware), 3), |loads, now, pick| {
        if let Some(task) = loads.pick(now, pick) {
            loads.take(now, task);
            loads.answered(now, task, Duration::from_micros(900));
            loads.release(now, task, true);
        }
    });
}
