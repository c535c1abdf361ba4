//! `scripts/*.txt`: what happens, and below it every record that core gave for it.
//!
//! `UPDATE_EXPECT=1` rewrites the records; read the difference before you believe it.

use std::time::Duration;

use expect_test::expect_file;
use seaworthy_core::cluster::Config;
use seaworthy_core::cluster::deployment::{self, Alarm, Canary};
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::cluster::spread::Site;
use seaworthy_core::endpoints::{Endpoints, TaskId};
use seaworthy_core::record::Exit;

use crate::golden;
use crate::world::{Bad, World};

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
fn one_never_asked() {
    check("one-never-asked.txt");
}

#[test]
fn one_that_is_asked_once_and_streams() {
    check("one-streams.txt");
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
fn a_machine_that_stands_still_in_a_rollout() {
    check("stall.txt");
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
fn a_gateway_that_falls_silent_before_a_start_timeout_is_over() {
    check("silent-at-start-timeout.txt");
}

#[test]
fn a_gateway_that_has_not_heard_that_a_task_drains() {
    check("drain-unheard.txt");
}

#[test]
fn a_gateway_that_restarts_while_a_task_drains() {
    check("gateway-restarts.txt");
}

#[test]
fn who_dies_in_a_rollout_is_replaced_with_its_own_revision() {
    check("rollout-with-deaths.txt");
}

#[test]
fn a_revision_that_never_becomes_healthy_is_rolled_back() {
    check("never-healthy.txt");
}

#[test]
fn the_first_revision_is_tried_for_ever() {
    check("first-one-never-healthy.txt");
}

#[test]
fn a_second_revision_that_comes_soon_can_be_rolled_back() {
    check("second-one-bad-at-once.txt");
}

#[test]
fn a_revision_that_crashes_soon_is_rolled_back() {
    check("crashes-after-5s.txt");
}

#[test]
fn a_revision_that_answers_badly_is_rolled_back() {
    check("answers-badly.txt");
}

#[test]
fn a_canary_bakes() {
    check("canary.txt");
}

#[test]
fn a_revision_that_fails_few_requests_and_answers_none_is_rolled_back() {
    check("answers-badly-and-is-spared.txt");
}

#[test]
fn a_canary_that_dies_after_it_has_settled_is_rolled_back() {
    check("canary-dies-late.txt");
}

#[test]
fn a_canary_that_answers_badly_is_rolled_back() {
    check("canary-answers-badly.txt");
}

#[test]
fn a_canary_that_fails_every_request_is_rolled_back() {
    check("canary-fails-all.txt");
}

#[test]
fn who_is_ejected_but_has_answered_or_is_old_is_spared() {
    check("ejected-and-spared.txt");
}

#[test]
fn an_alarm_gives_a_deployment_up() {
    check("alarm.txt");
}

#[test]
fn an_alarm_that_rang_before_does_not_give_the_cure_up() {
    check("alarm-before.txt");
}

#[test]
fn a_task_that_is_drained_is_replaced_first() {
    check("drain.txt");
}

#[test]
fn a_task_that_is_drained_without_room() {
    check("drain-without-room.txt");
}

#[test]
fn a_task_that_leaks_is_replaced_before_it_dies() {
    check("soft-memory.txt");
}

#[test]
fn tasks_that_leak_fast_are_replaced_together() {
    check("soft-memory-fast.txt");
}

#[test]
fn a_task_is_held_to_the_limits_of_its_own_revision() {
    check("soft-memory-rolled-back.txt");
}

#[test]
fn a_crash_loop_waits() {
    check("crash-loop.txt");
}

#[test]
fn a_task_that_is_killed_again_and_again_is_replaced_at_once() {
    check("killed-again.txt");
}

#[test]
fn an_agent_that_restarts_in_a_rollout() {
    check("agent-restarts.txt");
}

#[test]
fn a_machine_that_restarts_in_a_rollout() {
    check("machine-restarts.txt");
}

#[test]
fn a_machine_that_restarts_after_a_rollback() {
    check("machine-restarts-after-rollback.txt");
}

#[test]
fn a_service_that_is_scaled_in_a_rollout() {
    check("scaled-while-rolling.txt");
}

#[test]
fn a_service_that_is_scaled_to_none_in_a_rollout() {
    check("scaled-to-none.txt");
}

#[test]
fn a_rollback_by_hand() {
    check("rollback-by-hand.txt");
}

#[test]
fn a_deployment_that_is_superseded() {
    check("superseded.txt");
}

#[test]
fn a_service_that_is_taken_down() {
    check("down.txt");
}

#[test]
fn a_service_that_is_spread_over_zones() {
    check("zones.txt");
}

#[test]
fn a_zone_without_power() {
    check("zones-without-power.txt");
}

#[test]
fn zones_that_are_scaled_in_while_one_comes_back() {
    check("zones-scaled-in.txt");
}

#[test]
fn a_task_in_its_grace() {
    check("grace.txt");
}

/// The records of a script and, where it asks for it, what is waited for.
fn check(name: &str) {
    let file = expect_file![format!("{}/tests/it/scripts/{name}", env!("CARGO_MANIFEST_DIR"))];
    let text = file.data();
    let script = text.split("---\n").next().expect("split gives at least one part");
    let mut lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let config = config(lines.next().expect("the first line is the fleet"));
    let mut world = World::new(config.clone(), SEED);
    let mut told = String::new();
    for line in lines {
        let explained = step(&mut world, &config, line);
        let records = world.records.drain(..);
        told.extend(
            records.flat_map(|record| {
                [format!("{:>9}", record.at.to_string()), format!(" {record}\n")]
            }),
        );
        told += &explained.unwrap_or_default();
    }
    file.assert_eq(&format!("{script}---\n{told}"));
}

/// `fleet 2 tasks, 100 % to 200 %, provisioning 60s..90s`, and by choice `, settle 10s`, `, quiet 10s`,
/// `, canary 25 % for 30s`, `, alarm 5 % and 500ms over 10s`, `, soft 100`, `, memory 200`,
/// `, machines a/1 a/2 b`
fn config(line: &str) -> Config {
    let mut parts = line.split(", ");
    let mut fleet = String::new();
    (0..3).for_each(|_| fleet += parts.next().expect("a fleet has three parts"));
    let [count, minimum, maximum, shortest, longest] = numbers(&fleet)[..] else {
        panic!("a fleet has five numbers: {line}")
    };
    let mut config = Config {
        desired_count: count,
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        provisioning: (seconds(shortest), seconds(longest)),
        start_timeout: seconds(60),
        stop_timeout: seconds(30),
        deregistration_delay: seconds(20),
        restart_backoff: (seconds(1), seconds(300)),
        health_grace: Duration::ZERO,
        machines: Vec::new(),
        limits: Limits::default(),
        deployment: deployment::Config {
            settle: Duration::ZERO,
            quiet: Duration::ZERO,
            ..deployment::Config::default()
        },
        autoscaling: None,
    };
    parts.for_each(|part| choice(&mut config, part));
    config
}

fn choice(config: &mut Config, part: &str) {
    let deployment = &mut config.deployment;
    match (part.split(' ').next(), &numbers(part)[..]) {
        (Some("machines"), _) => {
            let names = part.split(' ').skip(1);
            config.machines = names.map(|name| name.parse().expect("a machine")).collect();
        }
        (Some("settle"), [settle]) => deployment.settle = seconds(*settle),
        (Some("quiet"), [quiet]) => deployment.quiet = seconds(*quiet),
        (Some("grace"), [grace]) => config.health_grace = seconds(*grace),
        (Some("soft"), [soft]) => config.limits.memory_soft = Some(u64::from(*soft)),
        (Some("memory"), [most]) => config.limits.memory = Some(u64::from(*most)),
        (Some("canary"), [percent, bake]) => {
            deployment.canary = Some(Canary { percent: *percent, bake: seconds(*bake) });
        }
        (Some("alarm"), [percent, millis, window]) => {
            deployment.alarm = Some(Alarm {
                failed_percent: Some(*percent),
                p99: Some(Duration::from_millis(u64::from(*millis))),
                window: seconds(*window),
                minimum_requests: 20,
            });
        }
        _ => panic!("unknown part: {part}"),
    }
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// `at 10s WHAT`
fn step(world: &mut World, config: &Config, line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (Some("at"), Some(moment)) = (words.next(), words.next()) else {
        panic!("a step begins with `at`: {line}")
    };
    world.run(golden::moment(moment));
    let words: Vec<&str> = words.collect();
    let task = |name: &str| -> TaskId { name.parse().expect("a task") };
    let number = |text: &str| -> u32 { text.parse().expect("a number") };
    match words[..] {
        ["stop", name] => world.tell(Event::Stop(task(name))),
        ["power", "off", ref zones @ ..] => {
            let sites = zones.iter().map(|zone| Site::Zone((*zone).to_owned()));
            world.tell(Event::PowerOff(sites.collect()));
        }
        ["drain", name] => world.tell(Event::Drain(task(name))),
        ["scale", count] => world.tell(Event::Scale(number(count))),
        ["rollback"] => world.tell(Event::Rollback),
        ["down"] => world.tell(Event::Down),
        ["handover", "begins"] => world.tell(Event::Handover(true)),
        ["handover", "ends"] => world.tell(Event::Handover(false)),
        ["agent", "restarts"] => world.agent_restarts(),
        ["machine", "restarts"] => world.machine_restarts(),
        ["crash", name] => world.exit(task(name), Exit::Signal(11)),
        ["kill", name] => world.exit(task(name), Exit::Signal(9)),
        ["out-of-memory", name] => world.dies_of_memory(task(name)),
        ["vanish", name] => world.vanish(task(name)),
        ["memory", name, bytes] => world.memory.extend([(task(name), number(bytes).into())]),
        ["eject", name] => world.eject(task(name), 1),
        ["sicken", name] => world.processes.get_mut(&task(name)).expect("it runs").sick = true,
        ["spare", name] => world.processes.get_mut(&task(name)).expect("it runs").unasked = true,
        ["heal", "everyone"] => world.processes.values_mut().for_each(|p| p.sick = false),
        ["heal", name] => world.processes.get_mut(&task(name)).expect("it runs").sick = false,
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
        ["deploy"] => world.deploy(config.clone(), 2),
        ["deploy", revision] => world.deploy(config.clone(), number(revision)),
        ["deploy", revision, "soft", bytes] => {
            let mut config = config.clone();
            config.limits.memory_soft = Some(number(bytes).into());
            world.deploy(config, number(revision));
        }
        ["revision", revision, ref bad @ ..] => {
            world.bad.extend([(number(revision), bad_in(bad))]);
        }
        ["load", ended, failed, millis] => {
            let p99 = Duration::from_millis(u64::from(number(millis)));
            world.load = (number(ended).into(), number(failed).into(), Some(p99));
        }
        ["starts", "fail"] => world.starts_fail = true,
        ["starts", "work"] => world.starts_fail = false,
        ["explain"] => return Some(explained(world)),
        ["end"] => return None,
        _ => panic!("unknown step: {line}"),
    }
    world.sight();
    None
}

fn bad_in(words: &[&str]) -> Bad {
    match words {
        ["never", "passes"] => Bad::NeverHealthy,
        ["crashes", "after", after] => {
            Bad::Crashes(golden::moment(after).since(seaworthy_core::time::Instant::EPOCH))
        }
        ["answers", "badly"] => Bad::AnswersBadly,
        ["answers", "badly", "and", "is", "spared"] => Bad::IsSpared,
        _ => panic!("unknown weakness: {words:?}"),
    }
}

/// What is waited for, by which weights, and how the deployment stands.
fn explained(world: &World) -> String {
    let reconciler = &world.reconciler;
    let deployment = reconciler.deployment();
    let mut told = vec![format!(
        "revision {} {}, {} of {} settled, {} of {} failures",
        deployment.revision,
        deployment.state,
        deployment.healthy,
        deployment.desired,
        deployment.failures,
        deployment.threshold
    )];
    let weights = &world.endpoints.weights;
    told.extend((!weights.is_empty()).then(|| format!("weights {weights:?}")));
    told.extend(reconciler.explain(world.now));
    let line = |line: String| format!("{:>9}   ? {line}\n", world.now.to_string());
    told.into_iter().map(line).collect()
}
