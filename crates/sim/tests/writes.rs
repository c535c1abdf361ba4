//! What it takes that an agent writes down what it decides.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_core::cluster::deployment::State;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::{Cause, Decision, Record};
use seaworthy_core::time::Instant;
use seaworthy_sim::distribution::Distribution;
use seaworthy_sim::world::{News, Physics, Program, World};

const FLEET: &str = "service.s = { command = [\"s\"], desired_count = 2 }
service.t = { command = [\"t\"], desired_count = 1, listen = \"127.0.0.1:8081\" }";

/// Lets time pass, whatever happens.
fn pass(world: &mut World, until: Instant) {
    while world.now() < until {
        world.advance(until);
        while world.poll_news().is_some() {}
    }
}

/// How long after the death of one task the agent learns of that of another one, which died with it.
fn between(write: Duration) -> Duration {
    let write = Distribution::Constant(write);
    let spawn = Distribution::Constant(Duration::from_millis(1));
    let physics = Physics { write, spawn, ..Physics::default() };
    let mut world = common::up(FLEET, &[Program::default(); 2], &physics, 2);
    // Whatever it had to write is written.
    let begin = world.now() + Duration::from_secs(1);
    pass(&mut world, begin);
    for task in [1, 3] {
        world.kill(TaskId(task));
    }
    let all = gone(&mut world, begin + Duration::from_secs(1));
    all[1].since(all[0])
}

/// How long after the death of a task its agent learns of it.
fn noticed(physics: &Physics) -> Duration {
    let mut world = common::up(FLEET, &[Program::default(); 2], physics, 2);
    let begin = world.now() + Duration::from_secs(1);
    pass(&mut world, begin);
    world.kill(TaskId(1));
    gone(&mut world, begin + Duration::from_secs(1)).first().unwrap().since(begin)
}

/// When tasks are known to be gone, until `end`.
fn gone(world: &mut World, end: Instant) -> Vec<Instant> {
    let mut all = Vec::new();
    while world.now() < end {
        world.advance(end);
        while let Some(news) = world.poll_news() {
            if let News::Controlled(_, record) = news
                && record.decision == Decision::Gone
            {
                all.push(record.at);
            }
        }
    }
    all
}

#[test]
fn an_agent_hears_of_an_end_when_the_keeper_has_looked_for_what_is_left() {
    let ms = Duration::from_millis;
    let end = Distribution::Constant(ms(5));
    assert_eq!(noticed(&Physics { end, ..Physics::default() }), ms(5));
    assert_eq!(noticed(&Physics::default()), ms(0));
}

/// What is meant again, and what it decides.
#[test]
fn an_agent_that_goes_back_writes_twice() {
    const FLEET: &str = "service.s = { command = [\"s\"], desired_count = 2, start_timeout = \"2s\", \
                         deployment.settle = \"1s\" }";
    let write = Distribution::Constant(Duration::from_millis(100));
    let physics = Physics { write, ..Physics::default() };
    let mut world = common::up(FLEET, &[Program::default()], &physics, 2);
    let settled = world.now() + Duration::from_secs(5);
    pass(&mut world, settled);
    let start = Distribution::Constant(Duration::from_secs(600));
    let never = Program { start, ..Program::default() };
    let cluster = common::fleet(FLEET).services[0].cluster.clone();
    world.deploy(0, cluster, Some(never));
    let (mut records, end) = (Vec::new(), world.now() + Duration::from_secs(60));
    while world.now() < end {
        world.advance(end);
        while let Some(news) = world.poll_news() {
            records.extend(match news {
                News::Controlled(_, record) => Some(record),
                _ => None,
            });
        }
    }
    let back = |record: &Record| matches!(record.cause, Cause::GoneBack { .. });
    let back = records.iter().find(|record| back(record)).unwrap().at;
    let next = records.iter().map(|record| record.at).find(|at| *at > back).unwrap();
    assert_eq!(next.since(back), Duration::from_millis(200));
}

/// What the gateway said meanwhile is heard late, and says nothing of later.
#[test]
fn an_agent_that_writes_for_long_gives_up_no_task_that_works() {
    const FLEET: &str =
        "service.s = { command = [\"s\"], desired_count = 6, start_timeout = \"3s\" }";
    let write = Distribution::Constant(Duration::from_secs(2));
    let physics = Physics { write, ..Physics::default() };
    let world = common::up(FLEET, &[Program::default()], &physics, 6);
    let first: Vec<TaskId> = (1..=6).map(TaskId).collect();
    assert!(world.running(0).eq(first), "{:?}", world.views(0));
}

/// Else what it writes down of each thing that was seen keeps it from hearing the next one before that counts no more.
#[test]
fn an_agent_that_writes_for_long_catches_up_with_what_was_seen() {
    const FLEET: &str = "service.s = { command = [\"s\"], desired_count = 6 }
service.t = { command = [\"t\"], desired_count = 6, listen = \"127.0.0.1:8081\" }";
    let write = Distribution::Constant(Duration::from_millis(500));
    let physics = Physics { write, ..Physics::default() };
    let mut world = common::up(FLEET, &[Program::default(); 2], &physics, 6);
    let end = world.now() + Duration::from_mins(2);
    pass(&mut world, end);
    let states = [0, 1].map(|place| world.deployment(place).state);
    assert_eq!(states, [State::Completed; 2]);
}

#[test]
fn the_agent_hears_of_nothing_more_before_it_has_written() {
    let ms = Duration::from_millis;
    assert_eq!([ms(0), ms(100)].map(between), [ms(0), ms(100)]);
}
