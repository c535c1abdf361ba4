//! Makes a scenario small that breaks a rule.

use std::time::Duration;

use super::rule::Violation;
use super::run::run;
use super::scenario::{Happening, Member, Scenario, name};
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
    let ways: [fn(&Scenario) -> Vec<Scenario>; 5] =
        [fewer_services, fewer_happenings, less_time, plainer_physics, plainer_services];
    let all = ways.into_iter().flat_map(|way| way(scenario));
    all.filter(|smaller| smaller != scenario).collect()
}

fn changed(scenario: &Scenario, change: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut smaller = scenario.clone();
    change(&mut smaller);
    smaller
}

/// Each without one of them, and without what happens to it and whoever calls it.
fn fewer_services(scenario: &Scenario) -> Vec<Scenario> {
    let places = scenario.services.len();
    let without_one = |gone: usize| {
        changed(scenario, |s| {
            s.services.remove(gone);
            for member in &mut s.services {
                let calls = member.calls.iter().filter_map(|line| without(line, gone));
                member.calls = calls.collect();
            }
            let left = |(at, what): &(Duration, Happening)| Some((*at, what.without(gone)?));
            s.happenings = s.happenings.iter().filter_map(left).collect();
        })
    };
    (0..places).filter(|_| places > 1).map(without_one).collect()
}

/// Without half of them, each half, and then without less and less.
fn fewer_happenings(scenario: &Scenario) -> Vec<Scenario> {
    let count = scenario.happenings.len();
    let mut all = Vec::new();
    let mut length = count.div_ceil(2);
    while length > 0 {
        for first in (0..count).step_by(length) {
            let last = (first + length).min(count);
            all.push(changed(scenario, |s| drop(s.happenings.drain(first..last))));
        }
        length /= 2;
    }
    all
}

/// Everything in half the time, and then less of it after the last thing that happens.
fn less_time(scenario: &Scenario) -> Vec<Scenario> {
    let half = |time: Duration| Duration::from_millis(time.as_millis() as u64 / 2);
    let sooner = changed(scenario, |s| {
        s.length = half(s.length);
        s.happenings.iter_mut().for_each(|(at, _)| *at = half(*at));
    });
    let last = scenario.happenings.last().map_or(Duration::ZERO, |(at, _)| *at);
    let shorter = changed(scenario, |s| s.length = last + half(s.length.saturating_sub(last)));
    vec![sooner, shorter]
}

/// All of it, and then each part.
fn plainer_physics(scenario: &Scenario) -> Vec<Scenario> {
    let parts: [fn(&mut Physics, Physics); 11] = [
        |physics, plain| *physics = plain,
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
    let plainer = |part: fn(&mut Physics, Physics)| {
        changed(scenario, |s| part(&mut s.physics, Physics::default()))
    };
    parts.into_iter().map(plainer).collect()
}

/// Each with less about it, and less load.
fn plainer_services(scenario: &Scenario) -> Vec<Scenario> {
    let plainer = |(place, member): (usize, &Member)| {
        let change =
            |change: &dyn Fn(&mut Member)| changed(scenario, |s| change(&mut s.services[place]));
        let mut all = vec![
            change(&|member| member.program = Program::default()),
            change(&|member| member.posts = 0.0),
            change(&|member| member.insistence = None),
        ];
        let calls = 0..member.calls.len();
        all.extend(calls.map(|line| change(&|member| drop(member.calls.remove(line)))));
        let settings = 0..member.settings.len();
        all.extend(settings.map(|line| change(&|member| drop(member.settings.remove(line)))));
        if member.rate > 1.0 {
            all.push(change(&|member| member.rate /= 2.0));
        }
        all
    };
    scenario.services.iter().enumerate().flat_map(plainer).collect()
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
