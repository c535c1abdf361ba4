//! Draws what scenarios did not have at first. Drawn apart: all else of a seed stays as it is.

use std::time::Duration;

use seaworthy_core::experiment::{LinkFault, TaskFault};
use seaworthy_core::fleet::written::Share;
use seaworthy_core::random::Stream;

use super::lasts;
use crate::distribution::{Dice, Distribution};
use crate::swarm::fair::{Meaning, usually};
use crate::swarm::scenario::{Happening, Scenario, ToService, ToTask};

/// Requests a second; with more a scenario takes too long.
const MOST_REQUESTS: f64 = 150.0;
/// Long enough for a task to be ejected twice.
const LONG: Duration = Duration::from_secs(15);

/// The same with machines and zones, an agent that takes its time, and more that happens.
pub(super) fn draw(mut scenario: Scenario, meaning: &Meaning, calm: bool) -> Scenario {
    let mut dice = Dice::new(scenario.seed, Stream::Zones);
    spread(&mut scenario, &mut dice, calm);
    if dice.chance(1.0 / 3.0) {
        keep_busy(&mut scenario, &mut dice);
    }
    for place in 0..scenario.services.len() {
        let mut called = meaning.callers.iter().flat_map(|caller| &caller.dependencies);
        if called.any(|one| one.to == place) && !calm && dice.chance(0.5) {
            let what = ToService::DisturbWay(way(&mut dice), lasts(&mut dice));
            happen(&mut scenario, &mut dice, Happening::ToService(place, what));
        }
        if !calm && dice.chance(0.1) {
            let leak = ToTask::Leak(Duration::from_millis(dice.one_of(&[2000, 5000, 15_000])));
            let nth = dice.between(0, 5);
            happen(&mut scenario, &mut dice, Happening::ToTask(place, nth, leak));
        }
    }
    scenario.physics.crowd = dice.one_of(&[0.0, 0.1, 0.3, 1.0]);
    if !scenario.starts_in_time(&meaning.fleet) {
        scenario.physics.crowd = 0.0;
    }
    if !calm && dice.chance(0.8) {
        scenario = load_fully(&scenario, meaning, &mut dice).unwrap_or(scenario);
    }
    scenario
}

/// Spreads some services over machines, and a zone may be lost, for a moment or for longer.
fn spread(scenario: &mut Scenario, dice: &mut Dice, calm: bool) {
    for place in 0..scenario.services.len() {
        if dice.chance(0.6) {
            continue;
        }
        let machines = dice.one_of(&["'a', 'b'", "'a/1', 'a/2', 'b'", "'a/1', 'b/1', 'c', 'a/2'"]);
        scenario.services[place].settings.push(format!("machines = [{machines}]"));
        if !calm && dice.chance(0.5) {
            let nth = dice.between(0, 3);
            let what = if dice.chance(0.5) {
                ToService::LoseZone(nth)
            } else {
                ToService::PowerOff(nth, lasts(dice))
            };
            happen(scenario, dice, Happening::ToService(place, what));
        }
    }
}

/// The agent writes for long, processes are started slowly, and whoever waits wakes up late.
fn keep_busy(scenario: &mut Scenario, dice: &mut Dice) {
    let mut up_to_ten = |medians: &[u64]| {
        let median = Duration::from_millis(dice.one_of(medians));
        Distribution::LogNormal { median, p99: 10 * median }
    };
    scenario.physics.write = up_to_ten(&[1, 20, 200]);
    scenario.physics.spawn = up_to_ten(&[1, 10, 50]);
    let late = Duration::from_micros(dice.one_of(&[100, 1000, 5000]));
    scenario.physics.late = Distribution::Exponential(late);
}

/// As much comes as the tasks of a service can bear, one request at a time each, and one of them goes on badly: while it
/// is out, the others are late. None if that would be too much for a scenario.
fn load_fully(scenario: &Scenario, meaning: &Meaning, dice: &mut Dice) -> Option<Scenario> {
    let mut loaded = scenario.clone();
    let place = dice.between(0, loaded.services.len() as u32 - 1) as usize;
    let member = &mut loaded.services[place];
    member.program.concurrency = 1;
    let tasks = f64::from(meaning.fleet.services[place].cluster.desired_count);
    member.rate = tasks / usually(member.program.work) * dice.one_of(&[0.9, 1.1, 1.3]);
    let rate = member.rate;
    // Requests show them, and checks do not.
    let slow = TaskFault::Slow(Duration::from_secs(2));
    let fault = dice.one_of(&[TaskFault::Fail, TaskFault::Reset, slow]);
    let (nth, what) = (dice.between(0, 5), ToTask::Disturb(fault, LONG));
    happen(&mut loaded, dice, Happening::ToTask(place, nth, what));
    (rate <= MOST_REQUESTS && loaded.is_fair(meaning)).then_some(loaded)
}

fn way(dice: &mut Dice) -> LinkFault {
    let latency = Duration::from_millis(dice.one_of(&[100, 500, 2000, 10_000]));
    let share = Share::percent(dice.one_of(&[10, 50, 100]));
    dice.one_of(&[
        LinkFault::Latency(latency),
        LinkFault::Errors { status: 503, share },
        LinkFault::Resets { share },
        LinkFault::HalfAnswers,
        LinkFault::Stalls { share },
    ])
}

/// This happens as well, at a random moment.
fn happen(scenario: &mut Scenario, dice: &mut Dice, what: Happening) {
    let at = Duration::from_millis((dice.unit() * scenario.length.as_millis() as f64) as u64);
    let turn = scenario.happenings.partition_point(|(other, _)| *other <= at);
    scenario.happenings.insert(turn, (at, what));
}
