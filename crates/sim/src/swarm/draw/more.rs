//! Draws settings that came last, one by one, and leaves out what would not be fair. Drawn apart: all else of a seed
//! stays as it is.

use std::time::Duration;

use seaworthy_core::random::{Stream, draw as draw_one};

use super::settings::Values;
use crate::distribution::{Dice, Distribution};
use crate::swarm::scenario::{Happening, Member, Scenario, Settings, ToService};

/// The same with more settings, also of what is deployed later.
pub(super) fn draw(mut scenario: Scenario, calm: bool) -> Scenario {
    let mut dice = Dice::new(draw_one(scenario.seed, Stream::Zones, 1), Stream::Scenario);
    for place in 0..scenario.services.len() {
        for (share, key, values) in VALUES {
            if dice.chance(*share) {
                let line = format!("{key} = {}", dice.one_of(values));
                let more = |member: &mut Member| member.settings.push(line);
                changed(&mut scenario, calm, |scenario| more(&mut scenario.services[place]));
            }
        }
        for (share, part, others) in PARTS {
            if dice.chance(*share) {
                let other = dice.one_of(others);
                let replace = |line: &mut String| *line = line.replace(part, other);
                let all = |member: &mut Member| member.settings.iter_mut().for_each(replace);
                changed(&mut scenario, calm, |scenario| all(&mut scenario.services[place]));
            }
        }
    }
    for n in 0..scenario.happenings.len() {
        let Happening::ToService(place, ToService::Deploy(flaw)) = scenario.happenings[n].1 else {
            continue;
        };
        if dice.chance(0.4) {
            let what = ToService::DeployWith(flaw, settings(&mut dice));
            let what = Happening::ToService(place, what);
            changed(&mut scenario, calm, |scenario| scenario.happenings[n].1 = what);
        }
    }
    // Where the agent is busy.
    if scenario.physics.late != Distribution::default() {
        let median = Duration::from_millis(dice.one_of(&[1, 5, 20]));
        scenario.physics.end = Distribution::LogNormal { median, p99: 10 * median };
        scenario.physics.tick = Duration::from_millis(dice.one_of(&[0, 1]));
        scenario.physics.first = Duration::from_millis(dice.one_of(&[0, 1, 20]));
    }
    scenario
}

/// Changes it, if it means something then and nobody could be blamed for what comes of it.
fn changed(scenario: &mut Scenario, calm: bool, change: impl FnOnce(&mut Scenario)) {
    let mut other = scenario.clone();
    change(&mut other);
    let Ok(meaning) = other.meaning() else { return };
    let is_fair = if calm { other.is_calm(&meaning) } else { other.is_fair(&meaning) };
    if is_fair && (other.physics.crowd <= 0.0 || other.starts_in_time(&meaning.fleet)) {
        *scenario = other;
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let mut sometimes = |all: &[u32]| dice.chance(0.5).then(|| dice.one_of(all));
    Settings {
        desired_count: sometimes(&[1, 2, 3, 4, 5, 6]),
        minimum_healthy_percent: sometimes(&[0, 34, 50, 75, 100]),
        maximum_percent: sometimes(&[100, 125, 150, 200]),
        canary_percent: sometimes(&[0, 10, 50]),
    }
}

const VALUES: Values = &[
    (0.3, "health.timeout", &["'200ms'", "'400ms'", "'900ms'"]),
    (0.3, "health.fast_interval", &["'100ms'", "'500ms'", "'1s'"]),
    (0.25, "health.passive.window", &["'2s'", "'5s'"]),
    (0.25, "health.passive.minimum_requests", &["3", "30"]),
    (0.25, "health.passive.latency_factor", &["3", "10"]),
    (0.25, "health.passive.latency_for", &["'300ms'", "'3s'"]),
    (0.3, "call.failure_status", &["'500'", "'503'", "'500-503'", "'400-599'"]),
];

/// In how many scenarios a part of a line is another one, and which.
const PARTS: Values = &[
    (
        0.5,
        "breaker = { ",
        &[
            "breaker = { failure_percent = 25, ",
            "breaker = { failure_percent = 80, jitter_percent = 0, ",
            "breaker = { jitter_percent = 80, ramp_floor_percent = 50, ",
            "breaker = { slow_percent = 80, slow_minimum_calls = 3, ",
        ],
    ),
    (
        0.5,
        "adaptive = { initial = 10 }",
        &[
            "adaptive = { initial = 4, smallest = 2, largest = 8 }",
            "adaptive = { smallest = 3, largest = 12, tolerance_percent = 100 }",
        ],
    ),
];
