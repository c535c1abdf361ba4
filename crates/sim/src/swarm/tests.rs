use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::world::planted::Planted;

/// In so many no rule is broken, and every planted bug is found.
const SEEDS: u64 = 2000;
/// The share in percent in which each state is reached.
const ENOUGH: f64 = 1.0;

#[test]
fn whatever_happens_the_rules_hold() {
    let mut tally = Tally::default();
    for seed in 1..=SEEDS {
        tally.add(seed, run(&scenario(seed)));
    }
    if let Some((seed, violation)) = tally.violations.first() {
        let (small, how) = shrink(&scenario(*seed)).expect("it broke a rule before");
        panic!("seed {seed} breaks a rule: {violation}\n\nmade small:\n{small}\n{how}");
    }
    let rare: Vec<_> = tally.shares().filter(|(_, share)| *share < ENOUGH).collect();
    assert!(rare.is_empty(), "{rare:?}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| traced(&scenario(seed)).1;
    for seed in 1..=10 {
        assert!(story(seed) == story(seed), "seed {seed} told two stories");
    }
    assert!(story(1) != story(2));
}

#[test]
fn every_planted_bug_is_found() {
    let broken = |bug: Planted, seed| {
        let scenario = scenario(seed);
        let world = |fleet: &_, programs: &[_], physics| bug.world(fleet, programs, physics);
        run::carry_out(&scenario, world, None).0.violation
    };
    let find = |bug| (1..=SEEDS).find_map(|seed| Some((seed, broken(bug, seed)?)));
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let search = || {
        while let Some(bug) = Planted::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            match find(*bug) {
                Some((seed, violation)) => println!("{bug:?}: seed {seed}, {:?}", violation.rule),
                None => missed.lock().expect("no search panics").push(*bug),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(search);
        }
    });
    assert_eq!(missed.into_inner().expect("no search panics"), []);
}
