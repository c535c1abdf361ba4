use std::iter;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use seaworthy_core::experiment::model::Leak;
use seaworthy_core::experiment::{LinkFault, TaskFault};
use seaworthy_core::fleet::written::Share;

use super::*;

/// In so many no rule is broken, and every planted bug is found.
const SEEDS: u64 = 2000;
/// The share in percent in which each state is reached.
const ENOUGH: f64 = 1.0;

/// What comes of these, in their order.
fn on_all_processors<T: Send>(count: u64, of: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let work = || {
        let ordinals = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        ordinals.take_while(|n| *n < count).map(|n| (n, of(n))).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, what)| what).collect()
}

#[test]
fn whatever_happens_the_rules_hold() {
    let mut tally = Tally::default();
    for (seed, outcome) in (1..).zip(on_all_processors(SEEDS, |n| run(&scenario(n + 1)))) {
        tally.add(seed, outcome);
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
fn a_script_stands_for_its_scenario() {
    for seed in 1..=200 {
        let scenario = Scenario { planted: Some(Planted::NoFloor), ..scenario(seed) };
        assert_eq!(Scenario::read(&scenario.script()).as_ref(), Ok(&scenario));
    }
    let broken = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = scenario(1);
        change(&mut scenario);
        Scenario::read(&scenario.script()).expect_err("it makes no sense").key
    };
    assert_eq!(broken(&|s| s.services.clear()), "services");
    for rate in [0.0, 1e-20, 10_001.0] {
        assert_eq!(broken(&|s| s.services[0].rate = rate), "services[0].rate");
    }
    assert_eq!(
        broken(&|s| s.services[0].program.concurrency = 0),
        "services[0].program.concurrency"
    );
    assert_eq!(
        broken(&|s| s.happenings.insert(0, (s.length, Happening::CrashGateway))),
        "happenings"
    );
    assert_eq!(broken(&|s| s.services[0].settings.push("health = 1".to_owned())), "fleet");
    let another = |s: &mut Scenario| {
        s.services[0].settings.extend(["[service.z]", "command = ['z']"].map(str::to_owned));
    };
    assert_eq!(broken(&another), "settings");
    let wait = Duration::from_nanos(1);
    let asks = |s: &mut Scenario| s.services[0].insistence = Some(Insistence { wait, attempts: 2 });
    assert_eq!(broken(&asks), "services[0].insistence");
    let (second, year) = (Duration::from_secs(1), Duration::from_secs(1 << 25));
    assert_eq!(broken(&|s| s.physics.hop = year), "physics.hop");
    for (bytes_per_second, slows) in [(0, second), (1, year)] {
        let leak = Leak { bytes_per_second, limit: 1, slows };
        let leaks = |s: &mut Scenario| s.services[0].program.leak = Some(leak);
        assert_eq!(broken(&leaks), "services[0].program.leak");
    }
    let stuck = Settings {
        minimum_healthy_percent: Some(100),
        maximum_percent: Some(100),
        ..Settings::default()
    };
    for (place, what) in [
        (9, ToService::Rollback),
        (0, ToService::Burst(0, second)),
        (0, ToService::Burst(2, year)),
        (0, ToService::Scale(2000)),
        (0, ToService::Deploy(Some(Flaw::FailsSome(200)))),
        (0, ToService::Deploy(Some(Flaw::Slow(year)))),
        (0, ToService::DeployWith(Some(Flaw::FailsSome(200)), Settings::default())),
        (0, ToService::DeployWith(None, stuck)),
        (0, ToService::Disturb(TaskFault::Slow(year), second)),
        (0, ToService::DisturbWay(LinkFault::Errors { status: 200, share: Share::WHOLE }, second)),
        (0, ToService::DisturbWay(LinkFault::Stalls { share: Share::percent(0) }, second)),
        (0, ToService::LoseZone(0)),
        (0, ToService::PowerOff(0, second)),
    ] {
        let mut scenario = scenario(1);
        scenario.happenings = vec![(scenario.length, Happening::ToService(place, what))];
        assert_eq!(Scenario::read(&scenario.script()).expect_err("nobody").key, "happenings[0]");
    }
}

/// It starts as many as may be before somebody wants fewer, and none after that.
#[test]
fn what_is_started_is_judged_by_what_is_desired_then() {
    let script = r#"
        seed = 91360
        length = "8s"
        happenings = [
            ["8s", { to_service = [0, { deploy = "fails_checks" }] }],
            ["8s", { to_service = [0, { scale = 3 }] }],
        ]
        services = [{ settings = ["desired_count = 5"], rate = 1.0, posts = 0.0 }]
    "#;
    let scenario = Scenario::read(script).expect("a scenario");
    assert_eq!(run(&scenario).violation, None);
}

/// What is held back before a task is lost with it.
#[test]
fn no_answer_comes_from_who_is_dead() {
    let script = r#"
        seed = 1
        length = "6s"
        happenings = [
            ["1s", { to_service = [0, { disturb = [{ slow = "3s" }, "4s"] }] }],
            ["2s", { to_task = [0, 0, "kill"] }],
        ]
        services = [{ settings = ["desired_count = 2"], rate = 20.0, posts = 0.0 }]
    "#;
    let scenario = Scenario::read(script).expect("a scenario");
    assert_eq!(run(&scenario).violation, None);
}

/// And it is made small as anything else that does not hold, if it is the same one.
#[test]
fn what_panics_does_not_hold() {
    let script = r#"
        seed = 1
        planted = "gateway_panics"
        length = "6s"
        happenings = [["1s", { partition = "1s" }], ["2s", "crash_gateway"]]
        services = [{ settings = ["desired_count = 2"], rate = 20.0, posts = 0.0 }]
    "#;
    let scenario = Scenario::read(script).expect("a scenario");
    let (small, how) = shrink(&scenario).expect("it panics");
    assert_eq!((how.rule, small.happenings.len()), (Rule::Panics, 1), "{how}");
    assert!(how.what.contains("fate.rs:") && how.what.contains("panics"), "{how}");
    let elsewhere = Violation { what: how.what.replace("fate.rs:", "data.rs:"), ..how.clone() };
    assert!(how.is_like(&how) && !how.is_like(&elsewhere));
}

/// Services, things that happen, settings and time go; what is left tells the same again.
#[test]
fn what_breaks_a_rule_is_made_small() {
    let broken = |seed| Scenario { planted: Some(Planted::NeverAnswered), ..scenario(seed) };
    let is_large = |scenario: &Scenario| scenario.services.len() == 3;
    let mut large = (1..=SEEDS).map(broken).filter(is_large);
    let large = large.find(|scenario| run(scenario).violation.is_some()).expect("some are broken");
    let (small, how) = shrink(&large).expect("it broke a rule before");
    assert!(small.services.len() == 1 && small.happenings.len() <= 1, "{small}");
    assert!(small.length < large.length / 4, "{small}");
    let again = Scenario::read(&small.script()).expect("a scenario");
    assert_eq!(run(&again).violation, Some(how));
}

#[test]
fn every_planted_bug_is_found() {
    let broken = |bug, seed| run(&Scenario { planted: Some(bug), ..scenario(seed) }).violation;
    let found = on_all_processors(Planted::ALL.len() as u64, |n| {
        let bug = Planted::ALL[n as usize];
        let violation = (1..=SEEDS).find_map(|seed| broken(bug, seed));
        (bug, violation.map(|violation| violation.rule))
    });
    let missed: Vec<_> = found.iter().filter(|(_, rule)| rule.is_none()).collect();
    assert!(missed.is_empty(), "{missed:?}");
    // Nothing but the rule for it shows it.
    for (bug, rule) in [
        (Planted::ActionTwice, Rule::OneOutcome),
        (Planted::DeployIsLost, Rule::Converges),
        (Planted::HigherMaximum, Rule::Count),
        (Planted::ScaleIsUntold, Rule::Count),
        (Planted::DrainIsShort, Rule::Patience),
        (Planted::KilledSoon, Rule::Patience),
        (Planted::OpenLetsPass, Rule::Breaker),
        (Planted::MoreTrials, Rule::Breaker),
        (Planted::TrialsAreForgotten, Rule::Breaker),
        (Planted::WeightsAreForgotten, Rule::Weights),
        (Planted::ByLot, Rule::Turns),
        (Planted::AffinityIsLost, Rule::Hash),
        (Planted::AllKeysMove, Rule::Hash),
        (Planted::MoreInFlight, Rule::InFlight),
        (Planted::FewerAreLeft, Rule::Ejection),
        (Planted::SoonForgotten, Rule::Ejection),
        (Planted::NothingIsHeld, Rule::Overload),
        (Planted::AnsweredByTheDead, Rule::NoneAnswersLater),
    ] {
        assert!(found.contains(&(bug, Some(rule))), "{found:?}");
    }
}
