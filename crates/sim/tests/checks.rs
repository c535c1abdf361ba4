//! Checks of tasks that have more to do than they can.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_core::endpoints::{Health, TaskId};
use seaworthy_core::experiment::TaskFault;
use seaworthy_sim::distribution::Distribution;
use seaworthy_sim::world::{Arrival, News, Physics, Program, World};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How many tasks there have been at most, while the only one has work for three seconds, and how many of these
/// requests were answered 200.
fn under_load(checks_wait: bool) -> (usize, usize) {
    let fleet = "service.s = { command = [\"s\"], desired_count = 1, call.hedge.enabled = false, \
                 health = { path = \"/\", interval = \"200ms\", fast_interval = \"200ms\", timeout = \"150ms\", \
                 healthy_threshold = 1, unhealthy_threshold = 2, passive.enabled = false } }";
    let work = Distribution::Constant(MS(100));
    let program = Program { work, concurrency: 1, checks_wait, ..Program::default() };
    let mut world = common::up(fleet, &[program], &Physics::default(), 1);
    let arrival = Arrival::new("GET", "/".to_owned());
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

/// A world whose only task is checked in this way.
fn checked(health: &str) -> World {
    let fleet = format!(
        "service.s = {{ command = [\"s\"], desired_count = 1, \
         health = {{ interval = \"1s\", timeout = \"900ms\", unhealthy_threshold = 1, {health} }} }}"
    );
    common::up(&fleet, &[Program::default()], &Physics::default(), 1)
}

/// Lets this time pass, and says whether the only task passes its checks meanwhile.
fn passes(world: &mut World, time: Duration) -> bool {
    let (until, mut passes) = (world.now() + time, true);
    while world.now() < until {
        world.advance(until);
        while world.poll_news().is_some() {}
        passes &= world.sightings(0).tasks[0].health == Health::Healthy;
    }
    passes
}

#[test]
fn a_task_that_hangs_still_takes_connections() {
    let mut world = checked("protocol = \"tcp\"");
    world.disturb(TaskId(1), 1, TaskFault::Hang);
    assert!(passes(&mut world, MS(10_000)));
    let mut world = checked("path = \"/\"");
    world.disturb(TaskId(1), 1, TaskFault::Hang);
    assert!(!passes(&mut world, MS(10_000)));
}

#[test]
fn a_check_that_came_while_its_task_hung_is_answered_when_that_goes_on() {
    let mut world = checked("path = \"/\"");
    // A check is sent in one of the two halves of a second.
    for id in 1..=2 {
        world.disturb(TaskId(1), id, TaskFault::Hang);
        assert!(passes(&mut world, MS(500)));
        assert!(world.mend(TaskId(1), id));
    }
    assert!(passes(&mut world, MS(2000)));
}
