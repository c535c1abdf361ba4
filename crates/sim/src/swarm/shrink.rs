//! Makes a scenario small that breaks a rule.

use std::time::Duration;

use super::rule::Violation;
use super::run::run;
use super::scenario::{Happening, Scenario, name};
use super::script::MOST_SERVICES;
use crate::world::{Physics, Program};

/// So many smaller ones are tried at most.
const TRIES: usize = 600;

/// Leaves out of a scenario whatever it does not need to break the same rule: things that happen, time,
/// settings, services, load. What is left, and how it breaks it; none if the scenario breaks none.
pub fn shrink(scenario: &Scenario) -> Option<(Scenario, Violation)> {
    let violation = run(scenario).violation?;
    let mut best = (scenario.clone(), violation);
    let mut left = TRIES;
    while let Some(smaller) = first_smaller(&best.0, &best.1, &mut left) {
        best = smaller;
    }
    Some(best)
}

/// The first smaller one that breaks the rule, too.
fn first_smaller(
    scenario: &Scenario,
    before: &Violation,
    left: &mut usize,
) -> Option<(Scenario, Violation)> {
    let breaks = |smaller: Scenario| {
        smaller.meaning().ok()?;
        *left = left.checked_sub(1)?;
        let violation = run(&smaller).violation.filter(|violation| violation.is_like(before))?;
        Some((smaller, violation))
    };
    candidates(scenario).into_iter().find_map(breaks)
}

/// Somewhat smaller ones, the smallest first.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let changed = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = scenario.clone();
        change(&mut smaller);
        smaller
    };
    let mut add = |smaller: Scenario| {
        if smaller != *scenario {
            all.push(smaller);
        }
    };
    let places = scenario.services.len();
    for gone in (0..places).filter(|_| places > 1) {
        add(changed(&|s| {
            s.services.remove(gone);
            for member in &mut s.services {
                let calls = member.calls.iter().filter_map(|line| without(line, gone));
                member.calls = calls.collect();
            }
            let left = |(at, what): &(Duration, Happening)| Some((*at, what.without(gone)?));
            s.happenings = s.happenings.iter().filter_map(left).collect();
        }));
    }
    let count = scenario.happenings.len();
    let mut length = count.div_ceil(2);
    while length > 0 {
        for first in (0..count).step_by(length) {
            let last = (first + length).min(count);
            add(changed(&|s| drop(s.happenings.drain(first..last))));
        }
        length /= 2;
    }
    // Everything in half the time, and then less of it after the last thing that happens.
    let half = |time: Duration| Duration::from_millis(time.as_millis() as u64 / 2);
    add(changed(&|s| {
        s.length = half(s.length);
        s.happenings.iter_mut().for_each(|(at, _)| *at = half(*at));
    }));
    let last = scenario.happenings.last().map_or(Duration::ZERO, |(at, _)| *at);
    add(changed(&|s| s.length = last + half(s.length.saturating_sub(last))));
    let plain = Physics::default();
    add(changed(&|s| s.physics = plain));
    let parts: [fn(&mut Physics, Physics); 10] = [
        |physics, plain| physics.hop = plain.hop,
        |physics, plain| physics.link = plain.link,
        |physics, plain| physics.late = plain.late,
        |physics, plain| physics.write = plain.write,
        |physics, plain| physics.spawn = plain.spawn,
        |physics, plain| physics.end = plain.end,
        |physics, plain| physics.first = plain.first,
        |physics, plain| physics.tick = plain.tick,
        |physics, plain| physics.crowd = plain.crowd,
        |physics, plain| physics.stalls = plain.stalls,
    ];
    for part in parts {
        add(changed(&|s| part(&mut s.physics, plain)));
    }
    for place in 0..places {
        add(changed(&|s| s.services[place].program = Program::default()));
        add(changed(&|s| s.services[place].posts = 0.0));
        add(changed(&|s| s.services[place].insistence = None));
        for line in 0..scenario.services[place].calls.len() {
            add(changed(&|s| drop(s.services[place].calls.remove(line))));
        }
        for line in 0..scenario.services[place].settings.len() {
            add(changed(&|s| drop(s.services[place].settings.remove(line))));
        }
        if scenario.services[place].rate > 1.0 {
            add(changed(&|s| s.services[place].rate /= 2.0));
        }
    }
    all
}

/// This line of what a service calls where the service at `gone` is no more; none if it calls that.
fn without(line: &str, gone: usize) -> Option<String> {
    let call = |place: usize| format!("calls.{} ", name(place));
    let is_to = |place: &usize| line.starts_with(&call(*place));
    match (0..MOST_SERVICES).find(is_to) {
        Some(place) if place == gone => None,
        Some(place) if place > gone => Some(line.replacen(&call(place), &call(place - 1), 1)),
        _ => Some(line.to_owned()),
    }
}
