//! `scripts/*.txt`: what happens, and below it every record that core gave for it.
//!
//! `UPDATE_EXPECT=1` rewrites the records; read the difference before you believe it.

use std::time::Duration;

use expect_test::expect_file;
use seaworthy_core::cluster::Config;
use seaworthy_core::cluster::deployment;
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::endpoints::{Endpoints, TaskId};
use seaworthy_core::record::Exit;

use crate::golden;
use crate::world::World;

const SEED: u64 = 1;

#[test]
fn one_stopped() {
    check("one-stopped.txt");
}

#[test]
fn two_stopped_inside_the_window() {
    check("two-stopped-inside-the-window.txt");
}

#[test]
fn rollout() {
    check("rollout.txt");
}

#[test]
fn a_stubborn_task_and_a_busy_one() {
    check("stubborn-and-busy.txt");
}

#[test]
fn starts_that_fail() {
    check("starts-that-fail.txt");
}

#[test]
fn a_sick_task_is_replaced_and_a_sick_fleet_is_not_killed() {
    check("sick.txt");
}

#[test]
fn everyone_looks_bad() {
    check("all-sick.txt");
}

#[test]
fn the_numbers_of_an_earlier_agent() {
    check("earlier-agent.txt");
}

#[test]
fn a_gateway_that_is_silent_while_tasks_start() {
    check("silent-gateway.txt");
}

#[test]
fn a_gateway_that_restarts_while_a_task_drains() {
    check("gateway-restarts.txt");
}

fn check(name: &str) {
    let file = expect_file![format!("{}/tests/it/scripts/{name}", env!("CARGO_MANIFEST_DIR"))];
    let text = file.data();
    let script = text.split("---\n").next().expect("split gives at least one part");
    let mut lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let config = config(lines.next().expect("the first line is the fleet"));
    let mut world = World::new(config.clone(), SEED);
    for line in lines {
        step(&mut world, &config, line);
    }
    let records = world.records.iter().map(|r| format!("{:>9} {r}\n", r.at.to_string()));
    file.assert_eq(&format!("{script}---\n{}", records.collect::<String>()));
}

/// `fleet 2 tasks, 100 % to 200 %, provisioning 60s..90s`
fn config(line: &str) -> Config {
    let numbers: Vec<u64> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let [count, minimum, maximum, shortest, longest] = numbers[..] else {
        panic!("a fleet has five numbers: {line}")
    };
    Config {
        desired_count: count as u32,
        minimum_healthy_percent: minimum as u32,
        maximum_percent: maximum as u32,
        provisioning: (Duration::from_secs(shortest), Duration::from_secs(longest)),
        start_timeout: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(30),
        deregistration_delay: Duration::from_secs(20),
        restart_backoff: (Duration::from_secs(1), Duration::from_secs(300)),
        health_grace: Duration::ZERO,
        limits: Limits::default(),
        deployment: deployment::Config::default(),
        autoscaling: None,
    }
}

/// `at 10s WHAT`
fn step(world: &mut World, config: &Config, line: &str) {
    let mut words = line.split(' ');
    let (Some("at"), Some(seconds)) = (words.next(), words.next()) else {
        panic!("a step begins with `at`: {line}")
    };
    world.run(golden::moment(seconds));
    let words: Vec<&str> = words.collect();
    let task = |name: &str| -> TaskId { name.parse().expect("a task") };
    match words[..] {
        ["stop", name] => world.tell(Event::Stop(task(name))),
        ["crash", name] => world.exit(task(name), Exit::Signal(11)),
        ["sicken", name] => world.processes.get_mut(&task(name)).expect("it runs").sick = true,
        ["deafen", name] => {
            world.processes.get_mut(&task(name)).expect("it runs").healthy_at = None;
        }
        ["stubborn", name] => {
            world.processes.get_mut(&task(name)).expect("it runs").stubborn = true;
        }
        ["busy", name] => world.processes.get_mut(&task(name)).expect("it runs").in_flight = 3,
        ["gateway", "silent"] => world.gateway_silent = true,
        ["gateway", "speaks"] => world.gateway_silent = false,
        ["gateway", "restarts"] => world.endpoints = Endpoints::default(),
        ["gateway", "knows", version] => {
            world.endpoints.version = version.parse().expect("a version");
        }
        ["deploy"] => world.tell(Event::Desired(Box::new(config.clone()), 2)),
        ["starts", "fail"] => world.starts_fail = true,
        ["starts", "work"] => world.starts_fail = false,
        ["end"] => {}
        _ => panic!("unknown step: {line}"),
    }
    if !matches!(words[..], ["end"]) {
        world.sight();
    }
}
