//! What a deployment changes, and what it does not.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_core::cluster::deployment::State;
use seaworthy_core::record::{Cause, Record};
use seaworthy_sim::distribution::Distribution;
use seaworthy_sim::world::{Arrival, News, Physics, Program, World};

/// Lets time pass until the deployment under way is over, but not for more than a minute, and how it ended.
fn end(world: &mut World) -> (u32, State) {
    let until = world.now() + Duration::from_secs(60);
    while world.deployment(0).state.is_under_way() && world.now() < until {
        world.advance(until);
        while world.poll_news().is_some() {}
    }
    (world.deployment(0).revision, world.deployment(0).state)
}

#[test]
fn after_a_rollback_a_deployment_is_of_what_runs() {
    const FLEET: &str = "service.s = { command = [\"s\"], desired_count = 2, start_timeout = \"2s\", \
                         deployment.settle = \"1s\" }";
    let cluster = common::fleet(FLEET).services[0].cluster.clone();
    let mut world = common::up(FLEET, &[Program::default()], &Physics::default(), 2);
    assert_eq!(end(&mut world), (1, State::Completed));
    let never = Distribution::Constant(Duration::from_secs(600));
    let bad = Program { start: never, ..Program::default() };
    world.deploy(0, cluster.clone(), Some(bad));
    assert_eq!(end(&mut world), (1, State::Completed), "it is rolled back");
    world.deploy(0, cluster, None);
    assert_eq!(end(&mut world), (3, State::Completed));
}

/// Lets this time pass, with so many requests a second, and gives what was decided.
fn serve(world: &mut World, time: Duration, rate: u32) -> Vec<Record> {
    let arrival = Arrival::new("GET", "/".to_owned());
    let (mut decided, end) = (Vec::new(), world.now() + time);
    while world.now() < end {
        let next = world.now() + Duration::from_secs(1) / rate;
        world.send(0, 0, &arrival);
        while world.now() < next {
            world.advance(next);
            while let Some(news) = world.poll_news() {
                if let News::Controlled(_, record) = news {
                    decided.push(record);
                }
            }
        }
    }
    decided
}

/// Until the next step out it would take ten minutes, and the autoscaler of another revision has taken none yet.
#[test]
fn a_deployment_and_a_rollback_begin_with_a_new_autoscaler_and_records_say_that_it_scales() {
    const FLEET: &str = "service.s = { command = [\"s\"], desired_count = 1, start_timeout = \"60s\", \
                         deployment.settle = \"1s\", autoscaling = { minimum = 1, maximum = 20, \
                         requests_per_task = 10, scale_out_cooldown = \"10m\" } }";
    let seconds = Duration::from_secs;
    let cluster = common::fleet(FLEET).services[0].cluster.clone();
    let mut world = common::up(FLEET, &[Program::default()], &Physics::default(), 1);
    let decided = serve(&mut world, seconds(60), 25);
    let by_load = |record: &Record| matches!(record.cause, Cause::Scaled { why: Some(_), .. });
    assert_eq!((world.desired_count(0), decided.iter().filter(|one| by_load(one)).count()), (3, 1));
    serve(&mut world, seconds(60), 45);
    assert_eq!(world.desired_count(0), 3);
    world.deploy(0, cluster.clone(), None);
    serve(&mut world, seconds(60), 45);
    assert_eq!(world.desired_count(0), 5);
    let never = Distribution::Constant(seconds(3600));
    world.deploy(0, cluster, Some(Program { start: never, ..Program::default() }));
    serve(&mut world, seconds(45), 65);
    assert_eq!(world.desired_count(0), 7, "it is deployed");
    serve(&mut world, seconds(300), 85);
    assert_eq!((world.deployment(0).revision, world.desired_count(0)), (2, 9), "it went back");
}
