//! Draws scenarios.

use std::time::Duration;

use seaworthy_core::experiment::TaskFault;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::random::Stream;

use super::scenario::{CALM_RATE, Flaw, Happening, Member, Scenario, ToService, ToTask};
use crate::distribution::{Dice, Distribution};
use crate::world::{Network, Physics, Program};

/// What a seed stands for. One in five is a calm one, in which people do things on purpose and no
/// request may fail.
pub fn scenario(seed: u64) -> Scenario {
    let mut dice = Dice::new(seed, Stream::Scenario);
    let calm = dice.chance(0.2);
    let places = if dice.chance(0.2) { 2 } else { 1 };
    loop {
        let services = (0..places).map(|_| member(&mut dice, calm)).collect();
        let length = Duration::from_secs(dice.between(20, 60).into());
        let happenings = happenings(&mut dice, places, calm, length);
        let physics = physics(&mut dice, calm);
        let scenario = Scenario { seed, planted: None, length, happenings, physics, services };
        // Some of what is drawn can never move, and the file is refused; and some programs are too slow
        // for their own settings, of which nobody could be blamed.
        let is_fair = |fleet: &Fleet| {
            if calm { scenario.is_calm(fleet) } else { scenario.has_patience(fleet) }
        };
        if scenario.fleet().is_ok_and(|fleet| is_fair(&fleet)) {
            return spread(scenario, calm);
        }
    }
}

/// Spreads some services over machines, and a zone may be lost. Drawn apart: all else stays as it is.
fn spread(mut scenario: Scenario, calm: bool) -> Scenario {
    let mut dice = Dice::new(scenario.seed, Stream::Zones);
    for (place, member) in scenario.services.iter_mut().enumerate() {
        if dice.chance(0.6) {
            continue;
        }
        let machines = dice.one_of(&["'a', 'b'", "'a/1', 'a/2', 'b'", "'a/1', 'b/1', 'c', 'a/2'"]);
        member.settings.push(format!("machines = [{machines}]"));
        if !calm && dice.chance(0.5) {
            let at = dice.unit() * scenario.length.as_millis() as f64;
            let at = Duration::from_millis(at as u64);
            let what = Happening::ToService(place, ToService::LoseZone(dice.between(0, 3)));
            let turn = scenario.happenings.partition_point(|(other, _)| *other <= at);
            scenario.happenings.insert(turn, (at, what));
        }
    }
    scenario
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
    Physics { hop: micros(hop), link: Network { latency, loss }, ..Physics::default() }
}

fn member(dice: &mut Dice, calm: bool) -> Member {
    let millis = |n: u32| Duration::from_millis(n.into());
    let shortest = dice.between(10, 1000);
    let median = millis(dice.one_of(&[1, 5, 20, 50, 100]));
    let program = Program {
        start: Distribution::Uniform(millis(shortest), millis(shortest + dice.between(0, 1000))),
        work: Distribution::LogNormal { median, p99: median * dice.between(2, 4) },
        concurrency: if calm { 64 } else { dice.one_of(&[1, 2, 4, 16, 64]) },
        stubborn: dice.chance(0.1),
        ..Program::default()
    };
    let rate = if calm { CALM_RATE * dice.unit() } else { f64::from(dice.between(1, 60)) };
    Member { settings: settings(dice, calm), program, rate, posts: dice.one_of(&[0.0, 0.2, 1.0]) }
}

/// Lines of a service's table. Each may be left out.
fn settings(dice: &mut Dice, calm: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let count = dice.between(1, 6);
    lines.push(format!("desired_count = {count}"));
    let mut sometimes = |dice: &mut Dice, share: f64, line: &mut dyn FnMut(&mut Dice) -> String| {
        if dice.chance(share) {
            lines.push(line(dice));
        }
    };
    let one = |dice: &mut Dice, all: &[&'static str]| dice.one_of(all);
    for (share, key, values) in VALUES {
        sometimes(dice, *share, &mut |dice| format!("{key} = {}", one(dice, values)));
    }
    sometimes(dice, 0.25, &mut |dice| {
        let most = dice.between(count, 8);
        format!(
            "autoscaling = {{ minimum = {}, maximum = {most}, {}, scale_out_cooldown = {}, \
             scale_in_cooldown = {} }}",
            dice.between(1, count),
            one(
                dice,
                &[
                    "requests_per_task = 5",
                    "requests_per_task = 20",
                    "concurrency = 2",
                    "p99 = '200ms'"
                ]
            ),
            one(dice, &["'1s'", "'3s'"]),
            one(dice, &["'2s'", "'5s'"]),
        )
    });
    // What turns requests away on purpose.
    if !calm {
        for (share, key, values) in SHEDDING {
            sometimes(dice, *share, &mut |dice| format!("{key} = {}", one(dice, values)));
        }
    }
    lines
}

/// In how many scenarios a key is given, and with which values.
type Values = &'static [(f64, &'static str, &'static [&'static str])];

const VALUES: Values = &[
    (0.7, "minimum_healthy_percent", &["0", "34", "50", "66", "75", "100"]),
    (0.7, "maximum_percent", &["100", "100", "125", "150", "200", "300"]),
    (0.5, "provisioning", &["'0s'", "'500ms'", "'1s..3s'"]),
    (1.0, "start_timeout", &["'3s'", "'5s'", "'10s'"]),
    (1.0, "stop_timeout", &["'500ms'", "'2s'", "'5s'"]),
    (1.0, "deregistration_delay", &["'2s'", "'5s'"]),
    (1.0, "restart_backoff", &["'100ms..2s'", "'500ms..5s'", "'1s..10s'"]),
    (0.2, "health_grace", &["'1s'", "'3s'"]),
    (1.0, "deployment.settle", &["'0s'", "'500ms'", "'1s'", "'3s'"]),
    (0.3, "deployment.rollback", &["false"]),
    (
        0.3,
        "deployment.circuit_breaker",
        &["{ minimum = 1, maximum = 2 }", "{ percent = 100, cumulative = true }"],
    ),
    (0.7, "deployment.canary", &["{ percent = 10, bake = '2s' }", "{ percent = 50, bake = '1s' }"]),
    (
        0.3,
        "deployment.alarm",
        &[
            "{ failed_percent = 10, window = '2s', minimum_requests = 5 }",
            "{ failed_percent = 50, p99 = '800ms', window = '3s' }",
        ],
    ),
    (0.7, "health.interval", &["'500ms'", "'1s'", "'3s'"]),
    (0.3, "health.healthy_threshold", &["1", "3"]),
    (0.3, "health.unhealthy_threshold", &["1", "2", "5"]),
    (0.1, "health.passive.enabled", &["false"]),
    (0.6, "health.passive.consecutive", &["2", "3"]),
    (0.3, "health.passive.failure_percent", &["20", "30"]),
    (0.8, "health.passive.ejection", &["'1s'", "'3s'"]),
    (0.9, "health.passive.longest_ejection", &["'10s'", "'20s'"]),
    (0.2, "health.passive.minimum_in_rotation", &["2", "3"]),
    (0.3, "health.passive.latency_floor", &["'50ms'"]),
    (
        0.6,
        "balancing",
        &["'round_robin'", "'least_outstanding_requests'", "'weighted_random'", "'latency_aware'"],
    ),
    (0.3, "slow_start", &["'1s'", "'5s'"]),
    (1.0, "call.timeout", &["'1500ms'", "'3s'", "'5s'"]),
    (0.3, "call.connect_timeout", &["'500ms'"]),
    (0.4, "call.tries", &["1", "2", "5"]),
    (0.35, "call.outlasts", &["'1s'", "'4s'"]),
    (0.2, "call.retry_status", &["'none'", "'500-599'"]),
    (
        0.3,
        "call.retry_budget",
        &["{ success_percent = 10, per_second = 1, cap = 5 }", "{ success_percent = 0, cap = 3 }"],
    ),
    (
        0.5,
        "call.hedge",
        &[
            "{ at_least = '10ms' }",
            "{ enabled = false }",
            "{ at_least = '30ms', quantile_percent = 90, budget = { success_percent = 20 } }",
        ],
    ),
];

const SHEDDING: Values = &[
    (0.4, "call.queue", &["{ enabled = false }", "{ most_calls = 3 }", "{ most_calls = 20 }"]),
    (0.3, "most_in_flight", &["2", "5", "20"]),
    (
        0.5,
        "breaker",
        &[
            "{ window = '2s', minimum_calls = 5, open = '500ms', longest_open = '4s', trials = 2, ramp = '0s' }",
            "{ window_calls = 20, minimum_calls = 10, open = '1s', longest_open = '5s', ramp = '2s' }",
            "{ window = '5s', slow_threshold = '300ms', open = '1s', longest_open = '2s', trial_lease = '1s' }",
        ],
    ),
    (
        0.5,
        "bulkhead",
        &["{ size = 4 }", "{ size = 10 }", "{ size = 50 }", "{ adaptive = { initial = 10 } }"],
    ),
];

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
        let place = if dice.chance(0.5) { places - 1 } else { 0 };
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
        Flaw::Stubborn,
    ])
}
