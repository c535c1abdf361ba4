//! Drill files that ship with Seaworthy, in virtual time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use std::time::Duration;

use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::{Cell, Drill, Findings, RawDrill};
use seaworthy_sim::cell;
use seaworthy_sim::metastable::{Search, Size};

fn drill(text: &str) -> Drill {
    let raw: RawDrill = toml::from_str(text).unwrap();
    raw.try_into().unwrap()
}

fn matrix(drill: &Drill, seed: u64) -> Vec<(String, Findings)> {
    let run = |cell: Cell| (cell.name(drill), cell::run(drill, cell, cell.seed(seed, 1)).unwrap());
    drill.cells().into_iter().map(run).collect()
}

#[test]
fn the_reports_experiment_goes_as_expected_at_life_size() {
    let drill = drill(include_str!("../../../drills/report.toml"));
    for (name, findings) in matrix(&drill, 1) {
        assert_eq!(findings.verdict, Verdict::AsExpected, "{name}: {:?}", findings.reasons);
    }
}

#[test]
fn deployments_of_what_is_no_good_go_as_expected() {
    let drill = drill(include_str!("../../../drills/bad-revisions.toml"));
    for (name, findings) in matrix(&drill, 1) {
        let rolled_back = findings.rollouts[0].back.is_some();
        assert_eq!(rolled_back, !name.ends_with("good"), "{name}: {:?}", findings.rollouts);
    }
}

/// Whether a service stays down is a matter of what waits, and not of what came.
#[test]
fn a_spike_is_outlasted_by_what_it_leaves_behind_unless_that_is_bounded() {
    for text in [
        include_str!("../../../drills/metastable.toml"),
        include_str!("../../../drills/metastable-retries.toml"),
    ] {
        let search = Search::new(drill(text)).unwrap();
        let spike = search.trigger().lasts;
        for seed in 1..=5 {
            let stays_down = |configuration, lasts| {
                let size = Size::Lasts(lasts);
                search.stays_down(configuration, size, seed).expect("it can be simulated")
            };
            assert!(!stays_down(0, spike / 20), "a short spike, seed {seed}");
            assert!(stays_down(0, spike), "the drill's spike, seed {seed}");
            assert!(!stays_down(1, spike * 2), "a long spike, with the cure, seed {seed}");
        }
    }
}

/// Whose load ends at some time has as much of it after a longer trigger.
#[test]
fn what_comes_after_a_trigger_does_so_after_a_longer_one() {
    let until = "[[load.flow]]\nname = 'all'\nuntil = '22s'\n";
    let text = include_str!("../../../drills/metastable.toml").replace("[load]\n", until);
    let search = Search::new(drill(&text)).unwrap();
    let size = Size::Lasts(Duration::from_secs(30));
    assert!(search.stays_down(0, size, 1).expect("it can be simulated"));
}

/// It needs no trigger for that.
#[test]
fn a_service_with_more_load_than_it_can_bear_is_down() {
    let text = include_str!("../../../drills/metastable.toml");
    let search = Search::new(drill(text)).unwrap().with_load(1000);
    let boundary = search.boundary(0, Duration::from_secs(1), 1).unwrap();
    assert_eq!(boundary.median, Some(Size::Nothing));
}

#[test]
fn tasks_that_come_back_cold_keep_a_service_down_unless_few_are_let_in() {
    let text = include_str!("../../../drills/metastable-cold.toml");
    let stays_down = |text: &str, configuration, count| {
        let search = Search::new(drill(text)).unwrap();
        search.stays_down(configuration, Size::Tasks(count), 1).expect("it can be simulated")
    };
    assert_eq!([1, 3].map(|count| stays_down(text, 0, count)), [false, true]);
    assert_eq!([1, 3].map(|count| stays_down(text, 1, count)), [false, false]);
    let warm = text.replace("cold = \"200ms\"", "");
    assert!(!stays_down(&warm, 0, 3), "a cache is all that is missing");
}

/// Both tasks are needed: while one is replaced the other falls behind, and must not be taken out for it, nor must
/// the new one be left alone with everything.
#[test]
fn passive_health_does_not_keep_an_overload_up() {
    let recovers = |more: &str| {
        let drill = drill(&format!(
            "title = 'both are needed'
            fleet.service.shop = {{ command = ['shop'], desired_count = 2, provisioning = '30s', {more} }}
            model.shop = {{ work = '40ms', concurrency = 5, waiting = 100000 }}
            load = {{ rate = 200, paths = ['/1', '/2', '/3'] }}
            objective = {{ latency = '2s', success = '99%' }}
            hypothesis = {{ window = '20s', tolerated_gap = '1s' }}
            schedule = [{{ name = 'kill', title = 'one of them is killed', duration = '400s', expect = ['any'],
                          faults = [{{ at = '10s', kill = 1 }}] }}]"
        ));
        matrix(&drill, 1)[0].1.numbers.recovery.is_some()
    };
    for timeout in ["1s", "2s", "5s"] {
        for balancing in ["round_robin", "latency_aware"] {
            let more = format!("balancing = '{balancing}', call.timeout = '{timeout}'");
            assert!(recovers(&more), "{more}");
        }
    }
}

/// With all as it is by default. What the one that stays was asked for meanwhile takes twelve seconds, and the new one
/// is empty and quick.
#[test]
fn what_was_asked_for_while_another_was_missing_is_worked_off() {
    for at in ["30s", "30.2s", "30.4s"] {
        let drill = drill(&format!(
            "title = 'three quarters of what two bear'
            fleet.service.shop = {{ command = ['shop'], desired_count = 2, provisioning = '20s' }}
            model.shop = {{ start = '1s', work = '100ms', concurrency = 10 }}
            load = {{ rate = 150, arrivals = 'constant', paths = ['/a'] }}
            objective = {{ latency = '2s', success = '99%' }}
            hypothesis = {{ window = '60s', tolerated_gap = '1s' }}
            schedule = [{{ name = 'kill', title = 'one of them is killed', duration = '150s', expect = ['any'],
                          faults = [{{ at = '{at}', kill = 1 }}] }}]"
        ));
        assert!(matrix(&drill, 1)[0].1.numbers.recovery.is_some(), "{at}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let drill = drill(include_str!("../../../drills/report.toml")).faster(10);
    let story = |seed| format!("{:?}", matrix(&drill, seed));
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}
