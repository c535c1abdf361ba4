//! Clients who leave while a task has their request.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_sim::distribution::Distribution;
use seaworthy_sim::world::{Arrival, News, Physics, Program};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn arrival(method: &'static str) -> Arrival {
    Arrival::new(method, "/".to_owned())
}

/// Of three requests, which a task takes one after the other, the second one's client leaves soon: which are
/// answered, and after how many times the work on one of them.
fn answered(half_close: &str, notices: bool) -> Vec<(u64, u128)> {
    let fleet = format!(
        "service.s = {{ command = [\"s\"], desired_count = 1, http.half_close = \"{half_close}\", \
         call.hedge.enabled = false }}"
    );
    let work = Distribution::Constant(MS(100));
    let program = Program { work, concurrency: 1, notices, ..Program::default() };
    let mut world = common::up(&fleet, &[program], &Physics::default(), 1);
    let begin = world.now();
    (1..=3).for_each(|ticket| world.send(0, ticket, &arrival("GET")));
    let mut all = Vec::new();
    for until in [MS(10), MS(500)].map(|after| begin + after) {
        while world.now() < until {
            world.advance(until);
            while let Some(news) = world.poll_news() {
                if let News::Answered { ticket, status: Some(200), .. } = news {
                    all.push((ticket, world.now().since(begin).as_millis() / 100));
                }
            }
        }
        world.leave(0, 2);
    }
    all
}

#[test]
fn whoever_leaves_is_served_unless_the_service_says_that_it_is_gone() {
    for notices in [false, true] {
        assert_eq!(answered("serve", notices), [(1, 1), (2, 2), (3, 3)]);
    }
}

#[test]
fn a_task_that_notices_does_nothing_more_for_who_is_gone_and_others_come_sooner() {
    assert_eq!(answered("gone", false), [(1, 1), (3, 3)], "it does not notice");
    assert_eq!(answered("gone", true), [(1, 1), (3, 2)]);
}

#[test]
fn whoever_has_left_is_given_up_when_its_task_dies_and_no_other_has_it() {
    const FLEET: &str =
        "service.s = { command = [\"s\"], desired_count = 1, call.hedge.enabled = false }";
    let work = Distribution::Constant(MS(100));
    let program = Program { work, ..Program::default() };
    for method in ["GET", "PUT"] {
        let mut world = common::up(FLEET, &[program], &Physics::default(), 1);
        (1..=2).for_each(|ticket| world.send(0, ticket, &arrival(method)));
        world.advance(world.now() + MS(10));
        assert!(!world.leave(0, 1), "a task has it");
        world.kill(TaskId(1));
        let (mut given_up, mut answered, end) = (Vec::new(), Vec::new(), world.now() + MS(20_000));
        while world.now() < end {
            world.advance(end);
            while let Some(news) = world.poll_news() {
                match news {
                    News::GivenUp(ticket) => given_up.push(ticket),
                    News::Answered { ticket, .. } => answered.push(ticket),
                    _ => {}
                }
            }
        }
        assert_eq!((given_up, answered), (vec![1], vec![2]), "{method}");
    }
}
