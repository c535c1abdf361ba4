//! What is promised of balancing, measured in virtual time.
//!
//! The latencies are noisy everywhere: lognormal, and the slowest of a hundred requests takes ten
//! times as long as the median one. So is the load: requests come at random moments.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::balance::{Algorithm, Config};

use crate::balance_world::{Manner, World};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const AWARE: Config = Config::plain(Algorithm::LatencyAware);
/// A quick task, as most behind a gateway are.
const QUICK: Manner = Manner::Noisy(MILLISECOND);

fn world(config: &Config, tasks: u32, manner: Manner) -> World {
    World::new(config.clone(), tasks, manner, 1)
}

/// The part of task 1, where one is its fair share.
fn part(got: &BTreeMap<u32, u32>) -> f64 {
    let sum: u32 = got.values().sum();
    f64::from(got[&1]) * got.len() as f64 / f64::from(sum)
}

/// By how much the worst is off its fair share.
fn unevenness(got: &BTreeMap<u32, u32>) -> f64 {
    let fair = f64::from(got.values().sum::<u32>()) / got.len() as f64;
    let off = |got: &u32| (f64::from(*got) / fair - 1.0).abs();
    got.values().map(off).fold(0.0, f64::max)
}

/// Requests that task 1 gets in the 8 s after it has become like this.
fn after_it_becomes(manner: Manner, tasks: u32, rate: f64) -> u32 {
    let mut world = world(&AWARE, tasks, QUICK);
    world.run(SECOND * 5, rate);
    world.becomes(1, manner);
    world.run(SECOND * 8, rate)[&1]
}

#[test]
fn in_good_health_each_task_is_within_five_percent_of_its_share_of_10_000_requests() {
    for (rate, median) in [(60, 1), (60, 100), (300, 5), (2000, 1), (2000, 20), (5000, 5)] {
        for tasks in 2..=9 {
            let mut world = world(&AWARE, tasks, Manner::Noisy(MILLISECOND * median));
            let got = world.run(SECOND * 10_000 / rate, f64::from(rate));
            let off = unevenness(&got);
            assert!(off < 0.05, "{rate} a second, {median} ms: {off:.3} off: {got:?}");
        }
    }
}

/// A task that collects its garbage is spared while it does, and for as long as it takes to forget
/// 50 ms.
#[test]
fn tasks_that_pause_for_50_ms_have_nearly_their_share() {
    for rate in [60.0, 300.0, 2000.0] {
        for tasks in [2, 3, 9] {
            let pausing = Manner::Pausing(MILLISECOND, MILLISECOND * 50);
            let got = world(&AWARE, tasks, pausing).run(SECOND * 20, rate);
            assert!(unevenness(&got) < 0.15, "{rate} a second: {got:?}");
        }
    }
}

#[test]
fn equally_slow_tasks_share_evenly_as_do_those_that_fail_all_requests() {
    let late = Manner::Late(MILLISECOND, SECOND / 2);
    for manner in [late, Manner::Failing(MILLISECOND), Manner::Silent(SECOND)] {
        for tasks in [2, 3] {
            let got = world(&AWARE, tasks, manner).run(SECOND * 20, 500.0);
            assert!(unevenness(&got) < 0.05, "{manner:?}: {got:?}");
        }
    }
}

#[test]
fn a_task_that_is_half_a_second_late_gets_fewer_than_20_requests_in_8_s() {
    let late = Manner::Late(MILLISECOND, SECOND / 2);
    for (tasks, rate) in [(3, 60.0), (3, 2000.0), (3, 5000.0), (2, 2000.0), (9, 2000.0)] {
        let got = after_it_becomes(late, tasks, rate);
        assert!((1..20).contains(&got), "{got} of {tasks} tasks at {rate} a second");
    }
}

/// A few more are those that ask again after their clients have given it up.
#[test]
fn a_task_that_hangs_gets_about_ten_requests_until_it_is_avoided() {
    let hangs = Manner::Silent(SECOND * 60);
    for (tasks, rate, most) in [(3, 60.0, 3), (3, 2000.0, 10), (2, 2000.0, 12), (3, 5000.0, 16)] {
        let got = after_it_becomes(hangs, tasks, rate);
        assert!((1..=most).contains(&got), "{got} of {tasks} tasks at {rate} a second");
    }
}

#[test]
fn a_task_that_fails_at_once_attracts_nothing() {
    let fails = Manner::Failing(Duration::from_micros(100));
    for (tasks, rate) in [(3, 60.0), (3, 2000.0), (3, 5000.0), (2, 2000.0)] {
        let got = after_it_becomes(fails, tasks, rate);
        assert!((1..20).contains(&got), "{got} of {tasks} tasks at {rate} a second");
    }
}

/// Work that is not done takes no time, which is no reason to ask for more of it. A little more it gets all
/// the same, for it has never anything in flight.
#[test]
fn a_task_that_declines_at_once_gets_little_more_than_its_share() {
    for (tasks, rate) in [(3, 60.0), (2, 300.0), (9, 300.0)] {
        let mut world = world(&AWARE, tasks, Manner::Noisy(MILLISECOND * 50));
        world.run(SECOND * 5, rate);
        world.becomes(1, Manner::Declining(MILLISECOND));
        let part = part(&world.run(SECOND * 20, rate));
        assert!((0.9..1.7).contains(&part), "{part:.2} of {tasks} tasks at {rate} a second");
    }
}

/// After 30 s for an error a task that declines all there is to decline is asked again, as one that answers.
#[test]
fn a_task_that_has_failed_and_declines_has_its_share_again() {
    for rate in [60.0, 2000.0] {
        let mut world = world(&AWARE, 3, Manner::Declining(MILLISECOND));
        world.becomes(1, Manner::Failing(MILLISECOND));
        world.run(SECOND * 5, rate);
        world.becomes(1, Manner::Declining(MILLISECOND));
        world.run(SECOND * 8, rate);
        let part = part(&world.run(SECOND * 10, rate));
        assert!((0.9..1.1).contains(&part), "{part:.2} at {rate} a second");
    }
}

/// One other task drawn would often be the other bad one: two are, and the better one counts.
#[test]
fn the_last_good_one_of_three_gets_nearly_all() {
    let mut world = world(&AWARE, 3, QUICK);
    world.run(SECOND * 5, 500.0);
    world.becomes(1, Manner::Late(MILLISECOND, SECOND / 2));
    world.becomes(2, Manner::Failing(MILLISECOND));
    let got = world.run(SECOND * 8, 500.0);
    assert!(got[&1] < 20 && got[&2] < 20, "{got:?}");
}

/// It is asked again after 4 s at most, when half a second has decayed to a few milliseconds, and
/// has its share one second later; an error counts for more and is asked again after 7 s.
#[test]
fn a_task_that_has_recovered_has_its_share_again_within_seconds() {
    let late = Manner::Late(MILLISECOND, SECOND / 2);
    let fails = Manner::Failing(MILLISECOND);
    for (manner, seconds) in [(late, 5), (Manner::Silent(SECOND * 5), 5), (fails, 8)] {
        for (tasks, rate) in [(2, 60.0), (3, 60.0), (3, 2000.0), (3, 5000.0)] {
            let mut world = world(&AWARE, tasks, QUICK);
            world.run(SECOND * 5, rate);
            world.becomes(1, manner);
            world.run(SECOND * 8, rate);
            world.becomes(1, QUICK);
            world.run(SECOND * seconds, rate);
            let part = part(&world.run(SECOND * 5, rate));
            assert!((0.85..1.15).contains(&part), "{manner:?}, {tasks}, {rate}: {part:.2}");
        }
    }
}

/// The turns of a task that was slow for minutes are not kept for it.
#[test]
fn a_task_that_has_recovered_gets_no_more_than_its_share() {
    let mut world = world(&AWARE, 3, QUICK);
    world.becomes(1, Manner::Late(MILLISECOND, SECOND / 2));
    world.run(SECOND * 120, 1000.0);
    world.becomes(1, QUICK);
    for _ in 0..50 {
        let part = part(&world.run(SECOND / 5, 1000.0));
        assert!(part < 1.35, "{part:.2} in a fifth of a second");
    }
}

#[test]
fn a_task_that_starts_slowly_grows_into_its_share_whatever_the_algorithm() {
    for algorithm in Algorithm::ALL {
        for rate in [60.0, 2000.0] {
            let config = Config { slow_start: SECOND * 10, ..Config::plain(algorithm) };
            let mut world = world(&config, 3, QUICK);
            world.rotate([2, 3]);
            world.run(SECOND, rate);
            world.rotate([1, 2, 3]);
            let parts = [1, 4, 4, 1, 10].map(|n| part(&world.run(SECOND * n, rate)));
            let expected = [0.10, 0.30, 0.70, 0.95, 1.0];
            for (part, expected) in parts.iter().zip(expected) {
                let (low, high) = (expected * 0.6 - 0.05, expected * 1.25 + 0.05);
                assert!((low..high).contains(part), "{algorithm:?}, {rate}: {parts:.2?}");
            }
        }
    }
}

/// Source: ALB, "Slow start mode".
#[test]
fn a_group_that_was_empty_has_no_slow_start() {
    let config = Config { slow_start: SECOND * 30, ..AWARE };
    let mut world = world(&config, 3, QUICK);
    assert!(unevenness(&world.run(SECOND, 2000.0)) < 0.05);
    // Two enter beside one: these start slowly, and the one that is there carries the rest.
    world.rotate([3]);
    world.rotate([1, 2, 3]);
    let got = world.run(SECOND, 2000.0);
    assert!(got[&1] < 120 && got[&2] < 120, "{got:?}");
    // It goes away: the others share what there is.
    world.rotate([1, 2]);
    let got = world.run(SECOND, 2000.0);
    assert!(unevenness(&got) < 0.05, "{got:?}");
}

#[test]
fn the_same_seed_gives_the_same_choices() {
    let story = || {
        let mut world = world(&AWARE, 5, QUICK);
        world.becomes(2, Manner::Late(MILLISECOND, SECOND / 2));
        world.run(SECOND * 3, 1000.0)
    };
    assert_eq!(story(), story());
}
