//! How many simulated requests a second of one core's time carries: three tasks, Poisson load, with
//! balancing, breaker, bulkhead and timeout. A second row has ten times as many, in the same memory.
//! Give the number of millions of requests of the first one, by default 1. Whoever counts instructions
//! gives fewer.
//!
//! `cargo run --profile dist -p seaworthy-sim --example speed [-- MILLIONS]`

use std::fs;
use std::time::Duration;

use seaworthy_core::fleet::{Fleet, RawFleet};
use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;
use seaworthy_sim::world::{Arrival, News, Physics, Program, World};

const FLEET: &str = r#"
[service.store]
command = ["store"]
desired_count = 3
balancing = "latency_aware"
call = { timeout = "2s", tries = 3 }
breaker = { window = "10s" }
bulkhead = { size = 100 }
"#;
/// Requests a second.
const RATE: f64 = 2000.0;
/// By then all tasks are in rotation.
const BEGIN: Duration = Duration::from_secs(5);

fn main() {
    let millions: f64 = std::env::args().nth(1).map_or(1.0, |n| n.parse().expect("a number"));
    println!("requests    failed  seconds of a core  requests a second  most memory");
    for requests in [millions * 1e6, millions * 1e7].map(|requests| requests as u64) {
        let begin = processor_seconds();
        let failed = carry(requests);
        let took = processor_seconds() - begin;
        let each_second = requests as f64 / took;
        println!(
            "{requests:<11} {failed:<7} {took:<18.2} {each_second:<18.0} {} MiB",
            most_memory()
        );
    }
}

/// How many of them fail.
fn carry(requests: u64) -> u64 {
    let raw: RawFleet = toml::from_str(FLEET).expect("it is a fleet");
    let fleet: Fleet = raw.try_into().expect("it can be meant");
    let mut world = World::new(&fleet, &[Program::default()], Physics::default());
    let arrival = Arrival::new("GET", "/products/1".to_owned());
    let (mut at, mut failed) = (Instant::EPOCH + BEGIN, 0);
    for ticket in 0..requests {
        let gap = -libm::log(1.0 - unit(1, Stream::Arrivals, ticket)) / RATE;
        at = at + Duration::from_secs_f64(gap);
        while world.now() < at {
            world.advance(at);
            while let Some(news) = world.poll_news() {
                if let News::Answered { status, .. } = news {
                    failed += u64::from(status != Some(200));
                }
            }
        }
        world.send(0, ticket, &arrival);
    }
    failed
}

/// What this program has used: on a machine with other work, a clock would count that, too.
fn processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux tells");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("it is the first number") / 1e9
}

/// The most that this program has had of the machine's memory, in MiB.
fn most_memory() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.expect("it is a number of kB") >> 10
}
