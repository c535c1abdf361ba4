//! What a zone takes, by hand and by the simulation.

use super::*;
use crate::availability::DAY;
use crate::planner::example::{CHECKS, PLAIN, causes, close, fleet, question};
use crate::planner::{World, ask};

/// What is too much is turned away, and a replacement takes 60 to 65 s.
fn file(tasks: u32, machines: &str) -> String {
    format!(
        "desired_count = {tasks}\nmachines = {machines}\nprovisioning = \"60s..65s\"\n{CHECKS}{PLAIN}bulkhead = {{ size = \
         50 }}\n"
    )
}

/// At the beginning nobody is turned away for so long: of 50 under way one task answers 12, and 80 a second are too many.
const WAITS: f64 = 38.0 / 80.0;

/// 200 requests a second come, and one task bears 120: with one up 0.4 of them fail.
fn lose(tasks: u32, machines: &str, by: World) -> (f64, f64) {
    let fleet = fleet(&file(tasks, machines));
    let load = (Some(200.0), Some(120.0));
    let question = Question { load: load.0, capacity: load.1, world: by, ..question(&fleet) };
    let lost = causes(&question);
    (lost.zones * 365.0 * DAY, lost.machines * 365.0 * DAY)
}

#[test]
fn three_tasks_in_two_zones_lose_one_or_two() {
    let fleet = fleet(&file(2, "[\"a\"]"));
    let world = question(&fleet).world;
    let zones = World { zone_mttf: Some(365.0 * DAY), ..world };
    let of_zones = |tasks, machines| lose(tasks, machines, zones).0;
    let two = "[\"a/1\", \"b/1\"]";
    // Either of two is one too many, but for 38 that wait.
    close(of_zones(2, two), 2.0 * 0.4 * (62.5 - WAITS));
    // Only the zone with two of three is, until the first of those is back.
    close(of_zones(3, two), 0.4 * (60.0 + 5.0 / 3.0 - WAITS));
    // Two are left whichever it is, and two are enough.
    assert!(of_zones(4, two) < 0.01, "{}", of_zones(4, two));
    // In one zone they are as one: all fail until the first of four is back, and 0.4 until the second is.
    close(of_zones(4, "[\"a/1\", \"a/2\"]"), 61.0 + 0.4 * 1.0);
    // Its machines have two each, and they are two.
    let machines = World { machine_mttf: Some(365.0 * DAY), ..world };
    let found = lose(3, "[\"a/1\", \"a/2\"]", machines);
    close(found.1, 0.4 * (60.0 + 5.0 / 3.0 - WAITS));
    assert!(found.0 == 0.0, "{found:?}");
}

#[test]
fn the_simulation_agrees() {
    for (tasks, machines, deployments) in [
        (3, "[\"a/1\", \"b/1\"]", 0.0),
        (4, "[\"a/1\", \"a/2\", \"b/1\"]", 0.0),
        (2, "[\"a/1\", \"a/2\"]", 0.0),
        // Two of four are enough, and there often are no more: then either zone is one too many.
        (4, "[\"a/1\", \"b/1\"]", 3000.0),
    ] {
        let fleet = fleet(&format!("minimum_healthy_percent = 50\n{}", file(tasks, machines)));
        let world = World {
            zone_mttf: Some(300.0 * DAY),
            machine_mttf: Some(100.0 * DAY),
            common_percent: 1.0,
            hangs_percent: 10.0,
            deployments,
            ..question(&fleet).world
        };
        let question =
            Question { load: Some(200.0), capacity: Some(120.0), world, ..question(&fleet) };
        let answer = ask(&question).unwrap();
        let now = answer.now.as_ref().unwrap();
        let simulated = answer.simulate(&question, now).unwrap();
        let closed = now.expected.causes.down();
        assert!(simulated.relative().unwrap() < 0.06, "{simulated}");
        assert!(simulated.covers(closed), "{closed:e} of {simulated}: {machines}");
    }
}

#[test]
fn what_cannot_be_lost_is_refused() {
    let somewhere = fleet(PLAIN);
    let world = World { zone_mttf: Some(DAY), ..question(&somewhere).world };
    let error = ask(&Question { world, ..question(&somewhere) }).unwrap_err().to_string();
    assert!(error.starts_with("--zone-mttf: service.store does not say what is where"), "{error}");
    let fleet = fleet(&file(2, "[\"a\", \"b\"]"));
    let world = World { zone_mttf: Some(600.0), ..question(&fleet).world };
    let why = ask(&Question { world, ..question(&fleet) }).unwrap().now.unwrap_err();
    let told = "a zone fails once in 600 s (--zone-mttf), and until another one is there it takes up to 65 s";
    assert!(why.starts_with(told), "{why}");
    assert!(why.ends_with("allowed is --zone-mttf 650s or more"), "{why}");
}
