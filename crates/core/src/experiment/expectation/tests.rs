//! What is as expected, and which number is blamed when it is not.

use std::collections::BTreeMap;

use super::*;
use crate::experiment::RawDrill;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Three tasks of which one is killed; 99 % of 1,000 requests must succeed.
const DRILL: &str = r#"
    title = "a drill"
    fleet.service.s.command = ["store"]
    fleet.service.s.desired_count = 3
    load = { rate = 100, paths = ["/"] }
    objective = { latency = "500ms", success = "99%" }
    hypothesis = { window = "2s", tolerated_gap = "100ms" }

    [[schedule]]
    name = "one"
    duration = "10s"
    faults = [{ at = "3s", kill = 1 }]
    expect = ["up"]
"#;

fn drill() -> Drill {
    let raw: RawDrill = toml::from_str(DRILL).unwrap();
    Drill::try_from(raw).unwrap()
}

/// A run that was as it should be.
fn numbers() -> Numbers {
    Numbers {
        requests: 1000,
        failed: 0,
        unanswered: 0,
        degraded: 0,
        oldest: Duration::ZERO,
        seconds_below_target: 0,
        longest_gap: MS(10),
        longest_silence: MS(10),
        recovery: Some(Duration::ZERO),
        whole: Duration::ZERO,
        answers: BTreeMap::new(),
        lateness_p99: Duration::ZERO,
        latency_p50: Some(MS(1)),
        latency_p99: Some(MS(1)),
    }
}

fn evidence() -> Evidence {
    Evidence {
        range: None,
        unproven: Vec::new(),
        strays: Vec::new(),
        shares_before: vec![1.0 / 3.0; 3],
        answers_before: 300,
    }
}

fn judged(numbers: &Numbers, evidence: &Evidence) -> (Outcome, Verdict, Vec<String>) {
    let drill = drill();
    let cell = Cell { configuration: 0, schedule: 0 };
    let (verdict, reasons) = judge(&drill, cell, numbers, evidence);
    (outcome(&drill, numbers), verdict, reasons)
}

fn told(numbers: &Numbers) -> (Outcome, Verdict, Vec<String>) {
    judged(numbers, &evidence())
}

#[test]
fn up_is_that_nobody_noticed() {
    assert_eq!(told(&numbers()), (Outcome::Up, Verdict::AsExpected, vec![]));
    // As many failures as the objective allows, and a gap as long as is tolerated.
    let barely = Numbers { failed: 10, longest_gap: MS(100), ..numbers() };
    assert_eq!(told(&barely), (Outcome::Up, Verdict::AsExpected, vec![]));
}

#[test]
fn failures_without_a_gap_are_noticed() {
    // Every second request fails for a while: no gap is longer than two spacings.
    let some = Numbers { failed: 11, seconds_below_target: 1, longest_gap: MS(20), ..numbers() };
    let why = "expected up, but 11 of 1000 requests failed; the objective is that 99 % succeed";
    assert_eq!(told(&some), (Outcome::Degraded, Verdict::Deviates, vec![why.to_owned()]));
    let half = Numbers { failed: 500, seconds_below_target: 10, longest_gap: MS(20), ..numbers() };
    assert_eq!(told(&half).0, Outcome::Degraded);
}

#[test]
fn every_number_that_broke_is_named() {
    let down = Numbers { failed: 50, longest_gap: MS(500), recovery: None, ..numbers() };
    let (outcome, verdict, reasons) = told(&down);
    assert_eq!((outcome, verdict), (Outcome::Down, Verdict::Deviates));
    assert_eq!(
        reasons,
        [
            "expected up, but nothing succeeded for 500ms; tolerated is 100ms",
            "expected up, but 50 of 1000 requests failed; the objective is that 99 % succeed",
            "expected up, but after the last fault the objective never held for 2s",
        ]
    );
}

#[test]
fn what_a_fault_did_not_do_proves_nothing() {
    let unproven = vec!["the kill of 1 task at 3s was never carried out".to_owned()];
    let evidence = Evidence { unproven: unproven.clone(), ..evidence() };
    assert_eq!(judged(&numbers(), &evidence), (Outcome::Up, Verdict::Invalid, unproven));
    let late = Numbers { lateness_p99: MS(6), ..numbers() };
    assert_eq!(told(&late).1, Verdict::Invalid);
}
