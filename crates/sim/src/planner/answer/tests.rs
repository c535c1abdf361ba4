//! The planner asked, and held against arithmetic by hand.

use std::collections::BTreeSet;

use seaworthy_core::fleet::Fleet;

use super::*;
use crate::availability::{DAY, MONTH};
use crate::planner::{Evidence, World, example};

/// The report's: two tasks, provisioned within 60 to 90 s, checked every 5 s.
const FILE: &str = r#"
provisioning = "60s..90s"
health = { interval = "5s", fast_interval = "5s", timeout = "2s", unhealthy_threshold = 2, passive.enabled = false }
call = { tries = 1, retry_status = "none", hedge.enabled = false, queue.enabled = false }
"#;

fn fleet(more: &str) -> Fleet {
    example::fleet(&format!("{more}{FILE}"))
}

fn question(fleet: &Fleet) -> Question<'_> {
    let question = example::question(fleet);
    let world = World {
        common_percent: 1.0,
        hangs_percent: 10.0,
        start: (1.0, 1.0),
        deployments: 20.0,
        ..question.world
    };
    Question { target: 99.95, world, ..question }
}

fn close(found: f64, expected: f64, error: f64) {
    assert!((found / expected - 1.0).abs() < error, "{found:e}, not {expected:e}");
}

#[test]
fn each_cause_is_what_a_pencil_says() {
    let fleet = fleet("");
    let question = question(&fleet);
    let now = ask(&question).unwrap().now.unwrap();
    let Expected { causes, window, second_failure, .. } = now.expected;
    let rate = 1.0 / (30.0 * DAY);
    // 60 to 90 s, and the second check, 5 s later, is the first that finds a task ready: 65 to 95 s of replacement, and 7 to
    // 12 s of detection for one failure in ten; where all hang together it is an outage.
    let repair = 80.0 + 0.1 * 9.5;
    close(causes.detection, 0.99 * rate * 0.1 * 9.5, 1e-6);
    close(causes.cut, rate * 0.9 * 0.1, 1e-6);
    // The first of two that begin together: after a third of 65 to 95 s, or, if both hang, of 72 to 107 s.
    close(causes.common_cause, rate * 0.01 * (0.9 * 75.0 + 0.1 * 83.667), 1e-4);
    close(causes.replicas, libm::pow(0.99 * rate * repair, 2.0), 1e-3);
    assert_eq!((causes.deployments, window), (0.0, (65.0, 107.0)));
    close(second_failure, rate * repair, 1e-3);
    let range = now.expected.range();
    assert!(range.0 < causes.total() && causes.total() < range.1, "{range:?}");
}

/// Half of 40 requests a second stay with the task that hangs, until 96 permits are theirs, and for a
/// minute each.
#[test]
fn one_task_that_hangs_may_take_all_permits() {
    let fleet = fleet("bulkhead = { size = 100 }\n");
    let mut question = question(&fleet);
    let detection =
        |question: &Question<'_>| example::causes(question).detection * 30.0 * DAY / 0.1 / 0.99;
    close(detection(&question), 9.5, 1e-5);
    question.load = Some(40.0);
    close(detection(&question), 9.5 + (9.5 - 4.8) + 2.0 * (60.0 - 9.5), 1e-4);
}

#[test]
fn the_simulation_agrees() {
    for (file, calls) in [
        ("minimum_healthy_percent = 50\n", "call = { queue.enabled = false }\n"),
        ("minimum_healthy_percent = 50\n", ""),
        ("desired_count = 1\n", "call.timeout = \"70s\"\n"),
        ("desired_count = 3\n", "call.timeout = \"80s\"\n"),
    ] {
        let raw = format!("{file}{}{calls}", FILE.split("call").next().unwrap());
        let fleet = example::fleet(&raw);
        let world = World { patience: 100.0, common_percent: 20.0, ..question(&fleet).world };
        let question = Question { world, ..question(&fleet) };
        let answer = ask(&question).unwrap();
        let now = answer.now.as_ref().unwrap();
        let simulated = answer.simulate(&question, now).unwrap();
        let closed = now.expected.causes.down();
        assert!(simulated.relative().unwrap() < 0.06, "{simulated}");
        assert!(simulated.covers(closed), "{closed:e} of {simulated}: {raw}");
    }
}

#[test]
fn one_task_is_enough_where_one_bears_all_and_three_where_two_are_needed() {
    let fleet = fleet("");
    let tasks = |question: &Question<'_>| {
        ask(question).unwrap().cheapest.map(|one| (one.candidate.tasks, one.price))
    };
    let mut question = question(&fleet);
    assert_eq!(tasks(&question), Some((1, 15.0)));
    question.target = 99.999;
    assert_eq!(tasks(&question), Some((2, 30.0)));
    (question.load, question.capacity) = (Some(200.0), Some(120.0));
    assert_eq!(tasks(&question), Some((3, 45.0)));
    // Nobody gets what a cause of all tasks takes.
    question.target = 99.999_999;
    assert_eq!(tasks(&question), None);
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let fleet = fleet("bulkhead = { size = 10 }\n");
    let mut question = question(&fleet);
    let why = |question: &Question<'_>| ask(question).map(|answer| answer.now.err());
    assert_eq!(why(&question), Ok(None));
    // 10 permits held for a minute.
    let answer = ask(&question).unwrap();
    let starved = |refused: &Refused| refused.why.contains("the breaker can never open");
    assert!(answer.refused.iter().any(starved), "{:?}", answer.refused);
    question.load = Some(200.0);
    let full = "200 requests a second of 100ms each are 20 under way (Little), and the bulkhead \
                has 10 permits: it would turn requests away in good times";
    assert_eq!(why(&question).unwrap().as_deref(), Some(full));
    question.capacity = Some(50.0);
    let few = "2 x 50 requests a second are 100, and 200 come";
    assert_eq!(why(&question).unwrap().as_deref(), Some(few));
    question.capacity = Some(1.0);
    let error = ask(&question).unwrap_err().to_string();
    let many = "--load: 200 requests a second need 200 tasks, and a service has at most 100; \
                allowed is up to 100 a second";
    assert!(error.starts_with(many), "{error}");
}

#[test]
fn no_worth_is_beaten_and_nothing_is_gained_for_nothing() {
    let fleet = fleet("");
    let question = question(&fleet);
    let answer = ask(&question).unwrap();
    assert!(answer.candidates > 300, "{}", answer.candidates);
    assert_none_is_beaten(&answer);
    assert!(answer.buys.iter().all(|one| one.candidate.changes.len() == 1));
    let total = |one: &Assessed| one.expected.causes.total();
    assert!(answer.steps.windows(2).all(|two| total(&two[1]) < total(&two[0])));
    assert_eq!(answer.steps[0].candidate.changes, Vec::<String>::new());
    // What costs nothing comes first, the third task buys more for its price than it and a fourth, and then the fourth.
    let prices: Vec<f64> = answer.steps.iter().map(|step| step.price).collect();
    assert_eq!(prices, [30.0, 30.0, 30.0, 30.0, 45.0, 60.0]);
    // What was taken over from a candidate like it is what it would have been.
    for one in &answer.buys {
        assert_eq!(one.expected, Expected::new(&question, &one.candidate, &mut Known::default()));
    }
}

fn assert_none_is_beaten(answer: &Answer) {
    for one in answer.pareto.iter().filter(|one| !answer.is_told(one)) {
        let better = |other: &&Assessed| {
            other.price <= one.price
                && other.candidate.changes.len() <= one.candidate.changes.len()
                && other.failed() < one.failed() * (1.0 - ROUNDED)
                && other.on_average() <= one.on_average()
        };
        assert!(!answer.pareto.iter().any(|other| better(&other)), "{one:?}");
    }
}

/// Then one with fewer tasks comes first although another one is better in all.
#[test]
fn no_worth_is_beaten_where_tasks_cost_nothing() {
    let fleet = fleet("");
    let answer = ask(&Question { price: 0.0, ..question(&fleet) }).unwrap();
    assert!(answer.pareto.iter().any(|one| one.candidate.changes.is_empty()), "the file");
    assert_none_is_beaten(&answer);
}

/// By less than anybody would tell apart.
const LESS: f64 = 1.0 + 1e-6;

/// It may be better than one that comes before by less than a hundredth, and that one miss the target.
#[test]
fn what_is_chosen_is_in_the_list() {
    let fleet = fleet("");
    let mut question = question(&fleet);
    let worth = ask(&question).unwrap().pareto;
    let (sorted, _) = assess(&question, &Candidate::all(&question));
    let mut least = f64::INFINITY;
    let little = sorted.iter().find(|one| {
        let before = least;
        least = before.min(one.failed());
        one.failed() * LESS < before && worth.iter().all(|other| other.candidate != one.candidate)
    });
    let little = little.expect("one is left out for that");
    question.target = 100.0 * (1.0 - little.failed() * LESS);
    let answer = ask(&question).unwrap();
    assert_eq!(answer.cheapest.as_ref().unwrap().candidate, little.candidate);
    let is_there = |one: &Assessed| answer.pareto.iter().any(|all| all.candidate == one.candidate);
    assert!(is_there(little) && is_there(answer.now.as_ref().unwrap()));
}

/// Five at a time, of 100 ms each, are 50 a second.
#[test]
fn a_task_bears_no_more_than_it_may_have_in_flight() {
    let fleet = fleet("most_in_flight = 5\n");
    let needed = |capacity| {
        let question = Question { load: Some(200.0), capacity, ..question(&fleet) };
        ask(&question).unwrap().needed
    };
    assert_eq!([None, Some(500.0), Some(20.0)].map(needed), [4, 4, 10]);
}

/// Five are needed, which is no place to stop.
#[test]
fn each_further_task_is_a_step() {
    let fleet = fleet("");
    let (load, capacity) = (Some(500.0), Some(120.0));
    let world = World { mttf: DAY, ..question(&fleet).world };
    let steps = ask(&Question { load, capacity, world, ..question(&fleet) }).unwrap().steps;
    let mut tasks: Vec<u32> = steps.iter().map(|step| step.candidate.tasks).collect();
    tasks.dedup();
    assert!(tasks.starts_with(&[5, 6, 7]), "{tasks:?}");
    // Who waits for hours misses nothing where none hangs and all may be sent again: then nothing more is bought.
    let fleet = example::fleet("");
    let world = World {
        patience: 36_000.0,
        hangs_percent: 0.0,
        writes_percent: 0.0,
        ..question(&fleet).world
    };
    let steps = ask(&Question { world, ..question(&fleet) }).unwrap().steps;
    let total = |one: &Assessed| one.expected.causes.total();
    assert!(steps.windows(2).all(|two| total(&two[1]) < total(&two[0])), "{steps:?}");
    assert_eq!(steps.last().map(total), Some(0.0));
}

/// A floor that leaves one of two is bought first, as deployments are quicker; and it is another share of three.
#[test]
fn a_percentage_that_was_changed_is_no_end_of_the_stairs() {
    let fleet = fleet("minimum_healthy_percent = 50\nmachines = ['a/1', 'b/1', 'c/1']\n");
    let question = question(&fleet);
    let world = World { deployments: 1000.0, zone_mttf: Some(30.0 * DAY), ..question.world };
    let (load, capacity) = (Some(200.0), Some(120.0));
    let answer = ask(&Question { load, capacity, world, ..question }).unwrap();
    let told: Vec<_> = answer.steps.iter().map(|step| &step.candidate.changes).collect();
    let is_percentage = |change: &String| change.starts_with("minimum_healthy_percent");
    let first = told.iter().position(|changes| changes.iter().any(is_percentage));
    let tasks = |n: usize| answer.steps[n].candidate.tasks;
    let first = first.expect("it is bought");
    assert!(tasks(first) < tasks(told.len() - 1), "{told:?}");
}

/// Without checks that pass in time no task comes up, whatever is bought.
#[test]
fn a_start_that_takes_longer_than_it_may_is_refused_with_the_time_that_works() {
    let why = |more: &str, longest: f64| {
        let fleet = fleet(more);
        let world = World { start: (1.0, longest), ..question(&fleet).world };
        ask(&Question { world, ..question(&fleet) }).unwrap().now.err()
    };
    let short = "start_timeout = \"10s\"\n";
    assert_eq!(why(short, 4.9), None);
    let told = why(short, 60.0).unwrap();
    assert!(told.starts_with("a task takes up to 60s to be ready and up to 5s"), "{told}");
    assert!(told.ends_with("allowed is start_timeout = \"66s\" or more"), "{told}");
    assert_eq!(why("start_timeout = \"66s\"\n", 60.0), None);
    // The fleet file has a longest.
    let told = why(short, 86_400.0).unwrap();
    assert!(
        told.ends_with("start_timeout = \"3600s\" with a start of less than 3595s (--start)"),
        "{told}"
    );
    assert_eq!(why("start_timeout = \"3600s\"\n", 3594.9), None);
}

/// A tenth of all failures for forty days each, one in thirty days: most of the time one is sick, or several are.
#[test]
fn sick_tasks_that_overlap_are_refused_with_what_can_be_reckoned() {
    let fleet = fleet("");
    let why = |noticed: f64, sick_percent: f64| {
        let world = World { sick_percent, noticed, ..question(&fleet).world };
        ask(&Question { world, ..question(&fleet) }).unwrap().now.err()
    };
    let mttf = question(&fleet).world.mttf;
    assert_eq!(why(mttf, 0.0), None);
    assert_eq!(why(mttf, 10.0), None);
    let told = why(mttf * 4.0 / 3.0, 10.0).unwrap();
    let allowed = (mttf * 4.0 / 3.0).ceil();
    assert!(told.ends_with(&format!("allowed is --mttf {allowed}s or more")), "{told}");
    assert_eq!(why(mttf * 0.09, 90.0), None);
    let price = ask(&Question { price: 1e308, ..question(&fleet) }).unwrap_err().to_string();
    assert!(price.starts_with("--price: 1e308 is out of range"), "{price}");
}

/// Drills found hangs later than arithmetic does on average: with or without another setting.
#[test]
fn what_drills_measured_is_worth_nothing_by_itself() {
    let fleet = fleet("");
    let mut question = question(&fleet);
    let report = r#"
schema = 1
simulated = false
cells = [{ scale = 1.0, verdict = "as_expected", replacements = [], detections = [{ fault = "hang", took_ms = 11400.0 }] }]
"#;
    let mut evidence = Evidence::default();
    evidence.add(&toml::from_str(report).unwrap()).unwrap();
    question.evidence = Some(evidence);
    let answer = ask(&question).unwrap();
    let detection = |one: &Assessed| one.expected.timing.detection;
    assert_eq!(detection(&answer.now.unwrap()), (11.4, 11.4));
    assert!(answer.idle.contains(&"health.passive.enabled = true".to_owned()), "{:?}", answer.idle);
}

/// All of one task, for as long as another one takes to be there: 65 to 95 s, and 20 times a month.
#[test]
fn a_deployment_that_takes_too_many_away_costs_what_it_takes() {
    let fleet = fleet("desired_count = 1\nminimum_healthy_percent = 0\nmaximum_percent = 100\n");
    let question = question(&fleet);
    let answer = ask(&question).unwrap();
    let now = answer.now.as_ref().unwrap();
    close(now.expected.causes.deployments, 20.0 * 80.0 / MONTH, 1e-2);
    close(now.expected.slow.deployments, 20.0 * 95.0 / MONTH, 1e-2);
    let simulated = answer.simulate(&question, now).unwrap();
    assert!(simulated.covers(now.expected.causes.down()), "{simulated}");
}

#[test]
fn what_is_suggested_works_and_nothing_nearer_does() {
    let fleet = fleet("");
    let mut question = question(&fleet);
    let meets =
        |question: &Question<'_>, mttf| ask(&question.with_mttf(mttf)).unwrap().cheapest.is_some();
    (question.target, question.world.mttf) = (99.999, 600.0);
    let eased = ask(&question).unwrap().eased.unwrap();
    let works = |mttf| ask(&question.with_mttf(mttf)).unwrap().nearest.is_some();
    let least = eased.world.mttf;
    assert!(works(least) && !works(least - 1.0), "{least}");
    let mttf = eased.meets.unwrap().mttf;
    assert!(least < mttf, "{mttf}");
    assert!(meets(&question, mttf) && !meets(&question, mttf * 0.98), "{mttf}");
    // Two with what hangs found soon are nearer at first, and three with fewer failures.
    (question.target, question.world.mttf) = (99.999_99, DAY);
    let rarer = ask(&question).unwrap().rarer.unwrap();
    assert!(rarer.one.meets(&question.with_mttf(rarer.mttf)));
    assert!(!meets(&question, rarer.mttf * 0.98), "{}", rarer.mttf);
    // That would be every few thousand years.
    (question.target, question.world) =
        (99.999_999_9, World { common_percent: 100.0, mttf: 3600.0, ..question.world });
    assert!(ask(&question).unwrap().rarer.is_none());
}

/// A day until somebody notices bounds how often tasks may be sick, and not how often a zone fails.
#[test]
fn no_zone_is_sick() {
    let fleet = fleet("machines = ['a/1', 'b/1']\n");
    let of = |mttf, noticed| {
        let zone_mttf = Some(1.0);
        let world =
            World { mttf, zone_mttf, sick_percent: 10.0, noticed, ..question(&fleet).world };
        let eased = ask(&Question { world, ..question(&fleet) }).unwrap().eased.unwrap();
        (eased.world.mttf, eased.world.zone_mttf)
    };
    let (mttf, zone) = of(DAY, 900.0);
    assert!(mttf >= DAY && zone.is_some_and(|zone| zone > 600.0 && zone < 1200.0), "{zone:?}");
    assert_eq!(of(1.0, DAY), (DAY, zone));
    assert_eq!(of(30.0 * DAY, DAY), (30.0 * DAY, zone));
}

/// Two machines that die four times a day are down together now and then, which the closed form does not know.
#[test]
fn what_only_the_closed_form_says_is_no_answer() {
    let fleet = fleet("desired_count = 2\nmachines = ['a/1', 'b/1']");
    let mut question = question(&fleet);
    (question.target, question.world.machine_mttf) = (99.999, Some(DAY / 4.0));
    let answer = ask(&question).unwrap();
    let simulated =
        |one: &Assessed| one.expected.simulated(answer.simulate(&question, one).unwrap());
    let one = answer.only_closed.as_ref().unwrap();
    assert!(one.meets(&question) && simulated(one).value > 1.5e-5, "{}", simulated(one));
    // Of the others the nearest is looked at, and then nobody else has it either.
    let nearest = answer.nearest.as_ref().unwrap();
    let least = simulated(nearest).value - simulated(nearest).half_width.unwrap();
    question.target = 100.0 * (1.0 - f64::midpoint(nearest.failed(), least));
    let answer = ask(&question).unwrap();
    assert!(answer.cheapest.is_none() && answer.rarer.is_none());
    assert!(answer.only_closed.is_some_and(|one| one.meets(&question)));
    question.target = 99.9;
    assert!(ask(&question).unwrap().cheapest.is_some());
}

/// The closed form does not know that two of three machines die together now and then, whatever the settings of two tasks
/// are.
#[test]
fn what_no_two_tasks_can_do_three_are_asked_for() {
    let machines = "machines = ['a/1', 'b/1', 'c/1']\n";
    let calls = "call = { timeout = \"10s\" }\n";
    let raw = format!("desired_count = 2\n{machines}{}{calls}", FILE.split("call").next().unwrap());
    let fleet = example::fleet(&raw);
    let mut question = question(&fleet);
    question.world = World { machine_mttf: Some(DAY / 4.0), patience: 30.0, ..question.world };
    question.target = 99.999_3;
    let answer = ask(&question).unwrap();
    let tasks = |one: Option<&Assessed>| one.map(|one| one.candidate.tasks);
    assert_eq!(
        (tasks(answer.only_closed.as_ref()), tasks(answer.cheapest.as_ref())),
        (Some(2), Some(3))
    );
    let meets = |one: Option<&Assessed>| answer.meets(&question, one.unwrap());
    assert_eq!(meets(answer.only_closed.as_ref()), Some(false));
    assert_eq!(meets(answer.cheapest.as_ref()), Some(true));
    // They differ in more than was looked at.
    let skipped = answer.skipped.first().unwrap();
    let one = answer.pareto.iter().find(|one| one.candidate == *skipped);
    assert!(skipped.tasks == 2 && one.is_none_or(|one| answer.meets(&question, one).is_none()));
}

#[test]
fn autoscaling_begins_with_as_many_as_it_allows() {
    let scaled = "autoscaling = { minimum = 3, maximum = 4, requests_per_task = 50 }\n";
    let fleet = fleet(&format!("desired_count = 3\n{scaled}"));
    let tasks = Candidate::all(&question(&fleet)).into_iter().map(|one| one.tasks);
    assert_eq!(tasks.collect::<BTreeSet<_>>(), BTreeSet::from([3, 4]));
}

/// Half of four tasks are away, and two start at a time: two rounds, or one with more. The others are enough when all
/// of two are there, of 65 to 95 s after two thirds, or two of four, after two fifths.
#[test]
fn more_at_a_time_shorten_a_deployment() {
    let fleet = fleet("desired_count = 4\nminimum_healthy_percent = 50\nmaximum_percent = 100\n");
    let (load, capacity) = (Some(40.0), Some(13.0));
    let answer = ask(&Question { load, capacity, ..question(&fleet) }).unwrap();
    let one = answer.buys.iter().find(|one| one.candidate.changes == ["maximum_percent = 200"]);
    let deployments = |one: &Assessed| one.expected.causes.deployments;
    // Nothing is late for the first seconds.
    let (patience, demand) = (1.9, 40.0 / 13.0);
    let first = patience * demand / (demand - 2.0);
    let ratio = (2.0 * 85.0 - first) / (77.0 - first);
    close(deployments(&answer.now.unwrap()) / deployments(one.unwrap()), ratio, 0.01);
}

/// What cannot work is told with its reason, and all else with what it buys, if it is nothing as well.
#[test]
fn every_setting_is_tried() {
    let fleet = fleet("");
    let mut question = question(&fleet);
    question.load = Some(50.0);
    let answer = ask(&question).unwrap();
    let buys = answer.buys.iter().map(|one| &one.candidate.changes[..]);
    let idle = answer.idle.iter().map(std::slice::from_ref);
    let refused = answer.refused.iter().map(|refused| &refused.changes[..]);
    let told: Vec<&[String]> = buys.chain(idle).chain(refused).collect();
    for setting in [
        "desired_count = 3",
        "minimum_healthy_percent = 50",
        "health = { interval = \"1s\"",
        "health.passive.enabled = true",
        "call.queue.enabled = true",
        "call = { tries = 3, hedge.enabled = true }",
        "call.timeout = \"2s\"",
        "breaker.enabled = true",
        "bulkhead = { enabled = true, size = 20 }",
    ] {
        let is_told = |changes: &&[String]| changes.iter().any(|one| one.starts_with(setting));
        assert!(told.iter().any(is_told), "{setting} is not in {told:?}");
    }
}
