//! Checks of tasks that have more to do than they can.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_sim::distribution::Distribution;
use seaworthy_sim::world::{Arrival, News, Physics, Program};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How many tasks there have been at most, while the only one has work for three seconds, and how many of these
/// requests were answered 200.
fn under_load(checks_wait: bool) -> (usize, usize) {
    let fleet = "service.s = { command = [\"s\"], desired_count = 1, call.hedge.enabled = false, \
                 health = { path = \"/\", interval = \"200ms\", fast_interval = \"200ms\", timeout = \"150ms\", \
                 healthy_threshold = 1, unhealthy_threshold = 2, passive.enabled = false } }";
    let work = Distribution::Constant(MS(100));
    let program = Program { work, concurrency: 1, checks_wait, ..Program::default() };
    let mut world = common::up(fleet, &[program], Physics::default(), 1);
    let arrival = Arrival {
        method: "GET",
        target: "/".to_owned(),
        preferred: None,
        affinity: 0,
        fingerprint: 0,
        deadly: false,
        flow: 0,
    };
    (1..=30).for_each(|ticket| world.send(0, ticket, &arrival));
    let (mut most, mut answered, end) = (1, 0, world.now() + MS(4000));
    while world.now() < end {
        world.advance(end);
        while let Some(news) = world.poll_news() {
            answered += usize::from(matches!(news, News::Answered { status: Some(200), .. }));
        }
        most = most.max(world.sightings(0).tasks.len());
    }
    (most, answered)
}

#[test]
fn a_busy_task_is_replaced_only_where_its_checks_wait() {
    assert_eq!(under_load(false), (1, 30));
    assert_eq!(under_load(true), (2, 30));
}
