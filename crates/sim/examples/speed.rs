//! How many simulated requests a second one core carries: three tasks, Poisson load, with balancing,
//! breaker, bulkhead and timeout. Give the number of millions of requests, by default 3.

use std::time::{Duration, Instant as Clock};

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
    let millions: u64 = std::env::args().nth(1).map_or(3, |n| n.parse().expect("a number"));
    let raw: RawFleet = toml::from_str(FLEET).expect("it is a fleet");
    let fleet: Fleet = raw.try_into().expect("it can be meant");
    let mut world = World::new(&fleet, &[Program::default()], Physics::default());
    let arrival = Arrival {
        method: "GET",
        target: "/products/1".to_owned(),
        preferred: None,
        affinity: 0,
        fingerprint: 0,
        deadly: false,
    };
    let begun = Clock::now();
    let (mut at, mut answered, mut failed) = (Instant::EPOCH + BEGIN, 0_u64, 0_u64);
    for ticket in 0..millions * 1_000_000 {
        let gap = -libm::log(1.0 - unit(1, Stream::Arrivals, ticket)) / RATE;
        at = at + Duration::from_secs_f64(gap);
        while world.now() < at {
            world.advance(at);
            while let Some(news) = world.poll_news() {
                if let News::Answered { status, .. } = news {
                    answered += 1;
                    failed += u64::from(status != Some(200));
                }
            }
        }
        world.send(0, ticket, &arrival);
    }
    let took = begun.elapsed();
    println!(
        "{answered} answers, {failed} failed, in {took:.2?}: {:.0} requests a second",
        answered as f64 / took.as_secs_f64()
    );
}
