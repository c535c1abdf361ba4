//! Golden reports, from findings made up for the report's experiment.

use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::claim::Claim;
use seaworthy_core::experiment::course::{Replacement, Rollout, Starts};
use seaworthy_core::experiment::load::Flow;
use seaworthy_core::experiment::numbers::Numbers;
use seaworthy_core::experiment::reading::{Figure, Places};
use seaworthy_core::experiment::{Calls, Fault, FaultKind, LinkFault, outage};

use super::*;
use crate::job::Mode;
use crate::job::tests::{job, report};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A run in which nobody served from the last fault until `gap` later.
fn row(job: &Job, cell: Cell, repeat: u32, gap: Option<u64>) -> Row {
    let configuration = &job.drill.configurations[cell.configuration];
    let schedule = &job.drill.schedules[cell.schedule];
    let count = configuration.desired_count();
    let requests = schedule.duration.as_secs() * u64::from(job.drill.load.rate());
    let starts = Starts { all: MS(61)..=MS(84), alone: None };
    let replacement = Replacement {
        service: 0,
        task: TaskId(1),
        by: TaskId(count + 1),
        out: MS(1501),
        waited: Duration::ZERO,
        provisioning: MS(7310),
        start: Some(MS(61)),
        entered: Some(MS(1501 + 7310 + 1007)),
    };
    let numbers = Numbers {
        requests,
        failed: gap.map_or(1, |gap| gap / 5),
        unanswered: 0,
        degraded: 0,
        oldest: Duration::ZERO,
        seconds_below_target: gap.map_or(1, |gap| (gap / 1000) as u32 + 1),
        longest_gap: MS(gap.unwrap_or(10)),
        longest_silence: MS(gap.unwrap_or(9)) + Duration::from_micros(340),
        recovery: Some(MS(gap.unwrap_or(0))),
        whole: MS(gap.unwrap_or(0)),
        answers: (1..=count).map(|task| (TaskId(task), requests / 9)).collect(),
        lateness_p99: Duration::from_micros(213),
        latency_p50: Some(Duration::from_micros(640)),
        latency_p99: Some(Duration::from_micros(1310)),
    };
    let findings = Findings {
        flows: vec![numbers.clone()],
        numbers,
        range: outage(configuration, 0, schedule, &starts.all),
        shares: (1..=count).map(|task| (TaskId(task), 1.0 / f64::from(count))).collect(),
        stopped: 1,
        gone: 1,
        calls: Vec::new(),
        replacements: vec![replacement],
        detections: Vec::new(),
        rollouts: Vec::new(),
        fewest: count - 1,
        most: count,
        starts: [("service".to_owned(), starts)].into(),
        prepared: Duration::ZERO,
        first: None,
        ends: Vec::new(),
        lags: Vec::new(),
        outcome: if gap.is_some() { Outcome::Down } else { Outcome::Up },
        verdict: Verdict::AsExpected,
        reasons: Vec::new(),
    };
    Row { cell, repeat, findings }
}

/// All runs of the report's experiment, as they should be.
fn rows(job: &Job) -> Vec<Row> {
    let gap = |cell: Cell, repeat: u32| match (cell.configuration, cell.schedule) {
        (0, 1) => Some(3410 + u64::from(repeat) * 100),
        (_, 2) => Some(7310),
        _ => None,
    };
    job.turns().map(|(cell, repeat)| row(job, cell, repeat, gap(cell, repeat))).collect()
}

fn measured(rows: &[Row]) -> Results {
    Results { rows: rows.to_vec(), ..Results::default() }
}

fn printed(job: &Job, rows: &[Row], width: usize) -> String {
    anstream::adapter::strip_str(&text(job, &measured(rows), width)).to_string()
}

#[test]
fn all_as_expected() {
    let job = report();
    let text = printed(&job, &rows(&job), 100);
    expect_test::expect_file!["../../golden/report.txt"].assert_eq(&text);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "a line is too long");
}

#[test]
fn some_cells_some_repetitions_and_surprises() {
    let mut job = report();
    job.repeat = 3;
    job.cells =
        vec![Cell { configuration: 0, schedule: 1 }, Cell { configuration: 1, schedule: 1 }];
    let mut rows = rows(&job);
    let surprise = &mut rows[3].findings;
    surprise.numbers.longest_gap = MS(900);
    surprise.numbers.recovery = None;
    surprise.outcome = Outcome::Down;
    surprise.replacements[0].entered = None;
    surprise.verdict = Verdict::Deviates;
    surprise.reasons =
        vec!["expected up, but nothing succeeded for 900ms; tolerated is 200ms".into()];
    assert_eq!(verdict(&job, &measured(&rows)), Verdict::Deviates);
    rows[0].findings.verdict = Verdict::Invalid;
    rows[0].findings.reasons = vec!["the stop of 1 task at 4.5s was never carried out".into()];
    assert_eq!(verdict(&job, &measured(&rows)), Verdict::Invalid);
    expect_test::expect_file!["../../golden/surprises.txt"].assert_eq(&printed(&job, &rows, 70));
}

#[test]
fn where_nothing_succeeds_an_answer_never_comes() {
    let job = report();
    let mut findings = rows(&job).remove(0).findings;
    findings.numbers.latency_p99 = None;
    assert_eq!(findings.figure(None, Figure::P99), Some([f64::INFINITY; 2]));
}

#[test]
fn figures_for_programs() {
    let mut job = report();
    job.cells.truncate(2);
    let text = json::render(&job, &measured(&rows(&job)));
    expect_test::expect_file!["../../golden/report.json"].assert_eq(&text);
}

#[test]
fn figures_so_far_say_that_they_are_incomplete() {
    let mut job = report();
    job.repeat = 2;
    let document = json::render(&job, &measured(&rows(&job)[..3]));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let told = ["runs_planned", "runs_done", "verdict"].map(|key| document[key].to_string());
    assert_eq!(told, ["24", "3", "null"]);
    assert_eq!(document["cells"].as_array().unwrap().len(), 3);
}

#[test]
fn a_degraded_service_is_not_up() {
    let mut job = report();
    job.cells.truncate(1);
    let mut rows = rows(&job);
    rows[0].findings.outcome = Outcome::Degraded;
    rows[0].findings.verdict = Verdict::Deviates;
    rows[0].findings.numbers.failed = 520;
    let text = printed(&job, &rows, 40);
    assert!(text.contains("\n1/one: degraded 20.0 % failed deviates\n"), "{text}");
}

#[test]
fn a_run_on_one_line() {
    let job = report();
    let mut rows = rows(&job);
    rows.truncate(4);
    (rows[2].findings.outcome, rows[2].findings.verdict) = (Outcome::Degraded, Verdict::Deviates);
    rows[3].findings.verdict = Verdict::Invalid;
    rows[3].findings.reasons =
        vec!["the stop of task-9 at 1s met no task: there was no task-9".into()];
    let lines: Vec<String> =
        rows.iter().map(|row| anstream::adapter::strip_str(&line(&job, row)).to_string()).collect();
    assert_eq!(
        lines,
        [
            "  as expected: up, 0.04 % failed",
            "  as expected: down 35 s at life size, 21.9 % failed",
            "  deviates: degraded, 56.2 % failed",
            "  INVALID: the stop of task-9 at 1s met no task: there was no task-9",
        ]
    );
}

#[test]
fn the_figures_appear_when_they_are_complete() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.json");
    let target = json::Target::check(&path).unwrap();
    assert!(!path.exists());
    target.write("first").unwrap();
    target.write("second").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let missing = directory.path().join("not/there.json");
    assert!(json::Target::check(&missing).is_err());
    assert!(json::Target::check(directory.path()).is_err());
    json::Target::check(std::path::Path::new("/dev/null")).unwrap().write("gone").unwrap();
}

/// The report's experiment with two flows, of which one is degraded, calls to a service that was
/// disturbed, and promises of which one is broken.
#[test]
fn flows_calls_and_promises() {
    let mut job = report();
    job.cells.truncate(2);
    let orders = Flow { name: "orders".into(), ..job.drill.load.flows[0].clone() };
    job.drill.load.flows[0].name = "pages".into();
    job.drill.load.flows.push(orders);
    let places = Places {
        configurations: 2,
        schedules: job.drill.schedules.iter().map(|schedule| schedule.name.as_str()).collect(),
        flows: vec!["pages", "orders"],
    };
    let claim = |text: &str| Claim::read(text, &|name| places.read(name)).unwrap();
    job.drill.claims = [
        "{1.one.pages.degraded_share} >= 10%",
        "{1.one_by_one.gap} <= 2 * {1.one.gap}",
        "{2.one.failed} <= 5",
    ]
    .map(claim)
    .into();
    let mut rows = rows(&job);
    for row in &mut rows {
        let mut pages = row.findings.numbers.clone();
        pages.degraded = pages.requests / 4;
        pages.oldest = MS(12_000);
        row.findings.flows.insert(0, pages);
        let fault = LinkFault::Latency(Duration::from_secs(30));
        row.findings.calls = vec![Calls {
            fault: Fault {
                at: MS(1000),
                once: None,
                lasts: MS(8000),
                kind: FaultKind::Link { to: 0, fault },
            },
            to: 0,
            during: 12,
            longest_silence: MS(4900),
            first_after: (row.cell.schedule == 0).then_some(MS(2100)),
        }];
    }
    assert_eq!(verdict(&job, &measured(&rows)), Verdict::Deviates, "a promise is broken");
    expect_test::expect_file!["../../golden/promises.txt"].assert_eq(&printed(&job, &rows, 100));
}

/// The first two cells as if a deployment had gone on in them: once to its end, once back.
#[test]
fn deployments() {
    let mut job = job(Some("percent"), &["1/rollout", "1/dies"]);
    job.drill.claims.clear();
    let mut rows = rows(&job);
    for row in &mut rows {
        let first = row.cell.schedule == 0;
        let (done, back) = (first.then_some(MS(8214)), (!first).then_some(MS(4107)));
        let fault = job.drill.schedules[row.cell.schedule].faults[0].clone();
        row.findings.rollouts =
            vec![Rollout { fault, started: Some(MS(103)), done, back, kept: 1 }];
    }
    let text = printed(&job, &rows, 100);
    expect_test::expect_file!["../../golden/deployments.txt"].assert_eq(&text);
    let document: serde_json::Value =
        serde_json::from_str(&json::render(&job, &measured(&rows))).unwrap();
    let told = &document["cells"][1]["rollouts"][0];
    assert_eq!(told["fault"], "deployment of the same definition at 1.5s");
    assert_eq!((&told["first_start_ms"], &told["done_ms"]), (&103.0.into(), &().into()));
    assert_eq!((&told["back_ms"], &told["kept"]), (&4107.0.into(), &1.into()));
}

#[test]
fn what_was_predicted_beside_what_was_measured() {
    let job = Job {
        mode: Mode::Compared { calibrate: 0, predict: 39 },
        repeat: 2,
        ..job(None, &["1/one_by_one"])
    };
    let cell = job.cells[0];
    let predicted = (1..=39).map(|n| row(&job, cell, n, Some(3000 + u64::from(n)))).collect();
    let rows = vec![row(&job, cell, 1, Some(3010)), row(&job, cell, 2, Some(4000))];
    let results = Results { predicted, rows, ..Results::default() };
    let text = comparison::render(&job, &results, 100);
    expect_test::expect_file!["../../golden/comparison.txt"]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    assert_eq!(verdict(&job, &results), Verdict::Deviates);
}

/// What is told of the end of a deployment where so many of 39 predicted runs did not begin one, and where of three
/// that were measured one did not.
fn compared(without: u32) -> [serde_json::Value; 3] {
    let job = Job {
        mode: Mode::Compared { calibrate: 0, predict: 39 },
        ..job(Some("percent"), &["1/rollout"])
    };
    let run = |repeat, begins: bool| {
        let mut row = row(&job, job.cells[0], repeat, None);
        let fault = job.drill.schedules[row.cell.schedule].faults[0].clone();
        let rollout = Rollout { fault, started: None, done: Some(MS(8000)), back: None, kept: 1 };
        row.findings.rollouts.extend(begins.then_some(rollout));
        row
    };
    let predicted = (1..=39).map(|n| run(n, n > without)).collect();
    let rows = vec![run(1, true), run(2, true), run(3, false)];
    let results = Results { predicted, rows, ..Results::default() };
    let all = serde_json::to_value(comparison::compare(&job, &results)).unwrap();
    let all_new = all.as_array().unwrap().iter().find(|one| one["figure"] == "all new").unwrap();
    ["predicted", "without", "inside"].map(|key| all_new[key].clone())
}

#[test]
fn a_figure_that_some_runs_do_not_have_is_compared_by_that_too() {
    let told = |without| compared(without).map(|value| value.to_string()).join(" ");
    assert_eq!(told(0), "[7.92,8.08] [0,1] 2");
    assert_eq!(told(20), "[7.92,8.08] [20,1] 3");
    assert_eq!(told(39), "null [39,1] 1");
}
