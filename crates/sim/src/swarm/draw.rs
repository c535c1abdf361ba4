//! Draws scenarios.

mod further;
mod more;
mod settings;

use std::ops::Range;
use std::time::Duration;

use seaworthy_core::experiment::TaskFault;
use seaworthy_core::random::Stream;

use super::fair::{CALM_RATE, Meaning};
use super::scenario::{Flaw, Happening, Insistence, Member, Scenario, ToService, ToTask};
use crate::distribution::{Dice, Distribution};
use crate::world::{Network, Physics, Program, Stalls};

/// What a seed stands for. One in five is a calm one, in which people do things on purpose and no
/// request may fail.
pub fn scenario(seed: u64) -> Scenario {
    let mut dice = Dice::new(seed, Stream::Scenario);
    let calm = dice.chance(0.2);
    let places = dice.one_of(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 3]);
    loop {
        let services = (0..places).map(|place| member(&mut dice, place..places, calm)).collect();
        let length = Duration::from_secs(dice.between(20, 60).into());
        let happenings = happenings(&mut dice, places, calm, length);
        let physics = physics(&mut dice, calm);
        let scenario = Scenario { seed, planted: None, length, happenings, physics, services };
        // Some of what is drawn can never move, and the file is refused; and some programs are too slow
        // for their own settings, of which nobody could be blamed.
        let is_fair = |meaning: &Meaning| {
            if calm { scenario.is_calm(meaning) } else { scenario.is_fair(meaning) }
        };
        if let Some(meaning) = scenario.meaning().ok().filter(is_fair) {
            return more::draw(further::draw(scenario, &meaning, calm), calm);
        }
    }
}

fn physics(dice: &mut Dice, calm: bool) -> Physics {
    let micros = |n: u32| Duration::from_micros(n.into());
    let latency = match dice.between(0, 2) {
        0 => Distribution::Constant(micros(dice.between(1, 1000))),
        1 => Distribution::Uniform(Duration::ZERO, micros(dice.between(1, 50_000))),
        _ => Distribution::Exponential(micros(dice.between(100, 100_000))),
    };
    let loss = if !calm && dice.chance(0.2) { dice.unit() * 0.5 } else { 0.0 };
    let hop = if dice.chance(0.2) { dice.between(40, 20_000) } else { 40 };
    let stalls = dice.chance(0.1).then(|| Stalls {
        every: Duration::from_secs(dice.between(2, 10).into()),
        length: Duration::from_millis(dice.one_of(&[10, 100, 500])),
        spread: 0.0,
    });
    let link = Network { latency, loss };
    Physics { hop: micros(hop), link, stalls, ..Physics::default() }
}

/// The first of these services.
fn member(dice: &mut Dice, places: Range<usize>, calm: bool) -> Member {
    let program = program(dice, calm);
    // Those before it call it, too.
    let most = CALM_RATE / places.end as f64;
    let rate = if calm { most * dice.unit() } else { f64::from(dice.between(1, 60)) };
    let posts = dice.one_of(&[0.0, 0.2, 1.0]);
    let insistence = dice.chance(0.2).then(|| Insistence {
        wait: Duration::from_millis(dice.one_of(&[1000, 2000, 4000])),
        attempts: dice.between(1, 4),
    });
    let (settings, calls) = (settings::draw(dice, calm), settings::calls(dice, places, calm));
    Member { settings, calls, rate, posts, insistence, program }
}

/// A good one.
fn program(dice: &mut Dice, calm: bool) -> Program {
    let millis = |n: u32| Duration::from_millis(n.into());
    let shortest = dice.between(10, 1000);
    let median = millis(dice.one_of(&[1, 5, 20, 50, 100]));
    let times = |median: Duration, dice: &mut Dice| Distribution::LogNormal {
        median,
        p99: median * dice.between(2, 4),
    };
    let work = times(median, dice);
    Program {
        start: Distribution::Uniform(millis(shortest), millis(shortest + dice.between(0, 1000))),
        work,
        concurrency: if calm { 64 } else { dice.one_of(&[1, 2, 4, 16, 64]) },
        stubborn: dice.chance(0.1),
        cold: dice.chance(0.15).then(|| times(median * dice.between(2, 10), dice)),
        waiting: (!calm && dice.chance(0.1)).then(|| dice.one_of(&[5, 50])),
        gives_up: (!calm && dice.chance(0.1)).then(|| millis(dice.one_of(&[2000, 4000]))),
        notices: dice.chance(0.3),
        ..Program::default()
    }
}

/// In order of time.
fn happenings(
    dice: &mut Dice,
    places: usize,
    calm: bool,
    length: Duration,
) -> Vec<(Duration, Happening)> {
    // Sometimes everything comes at once.
    let count = dice.one_of(&[1, 2, 3, 5, 8, 12]);
    let span = if dice.chance(0.3) { length / 4 } else { length };
    let happening = |_| {
        let at = Duration::from_millis((dice.unit() * span.as_millis() as f64) as u64);
        let place = dice.between(0, places as u32 - 1) as usize;
        (at, if calm { planned(dice, place) } else { happening(dice, place) })
    };
    let mut all: Vec<_> = (0..count).map(happening).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

fn planned(dice: &mut Dice, place: usize) -> Happening {
    let to_service = |what| Happening::ToService(place, what);
    match dice.between(0, 6) {
        0 | 1 => to_service(ToService::Deploy(dice.one_of(&[None, None, Some(Flaw::Stubborn)]))),
        2 => to_service(ToService::Rollback),
        3 => to_service(ToService::Scale(dice.between(1, 6))),
        4 => Happening::ToTask(place, dice.between(0, 5), ToTask::Drain),
        5 => Happening::CrashAgent(lasts(dice)),
        _ => Happening::Partition(lasts(dice)),
    }
}

fn happening(dice: &mut Dice, place: usize) -> Happening {
    let nth = dice.between(0, 5);
    let to_task = |what| Happening::ToTask(place, nth, what);
    let to_service = |what| Happening::ToService(place, what);
    match dice.between(0, 16) {
        0 | 1 => to_task(ToTask::Kill),
        2 => to_task(ToTask::Stop),
        3..=5 => to_task(ToTask::Disturb(fault(dice), lasts(dice))),
        6..=8 => to_service(ToService::Disturb(fault(dice), lasts(dice))),
        9 => to_service(ToService::QueryOfDeath),
        10 => to_service(ToService::Burst(dice.one_of(&[3, 10, 30]), lasts(dice) / 4)),
        11 | 12 => to_service(ToService::Deploy(Some(flaw(dice)))),
        13 => Happening::CrashGateway,
        _ => planned(dice, place),
    }
}

fn lasts(dice: &mut Dice) -> Duration {
    Duration::from_millis(dice.one_of(&[100, 1000, 3000, 8000, 15_000]))
}

fn fault(dice: &mut Dice) -> TaskFault {
    let slow = Duration::from_millis(dice.one_of(&[100, 500, 2000, 10_000]));
    dice.one_of(&[
        TaskFault::Hang,
        TaskFault::Fail,
        TaskFault::Slow(slow),
        TaskFault::Reset,
        TaskFault::HalfAnswer,
    ])
}

fn flaw(dice: &mut Dice) -> Flaw {
    let millis = |n: u32| Duration::from_millis(n.into());
    let crashes = Flaw::Crashes(millis(dice.one_of(&[10, 500, 2000, 6000])));
    let leaks = Flaw::Leaks(millis(dice.one_of(&[2000, 5000, 15_000])));
    let slow = Flaw::Slow(millis(dice.one_of(&[300, 1000, 4000])));
    let some = Flaw::FailsSome(dice.one_of(&[30, 40, 50]));
    dice.one_of(&[
        some,
        some,
        Flaw::NeverListens,
        Flaw::FailsChecks,
        Flaw::FailsRequests,
        Flaw::FailsRequests,
        crashes,
        slow,
        leaks,
        Flaw::Stubborn,
    ])
}
