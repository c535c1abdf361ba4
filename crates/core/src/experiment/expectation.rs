//! What a cell should come to, by arithmetic, and whether it did.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arithmetic::outage;
use super::numbers::Numbers;
use super::{Configuration, Hypothesis, Schedule};
use crate::balance::Algorithm;
use crate::fleet::Fleet;

/// A run whose requests were later than this at the 99th percentile measured the generator.
pub const LATENESS_LIMIT: Duration = Duration::from_millis(5);

/// Each healthy task gets its even share to within this part of it.
pub const EVENNESS: f64 = 0.05;

/// What a person expects of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// Users notice nothing.
    Up,
    /// All is down for as long as arithmetic says.
    Down,
}

/// What came of a cell, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As expected.
    AsExpected,
    /// Otherwise than expected.
    Deviates,
    /// It measured nothing that could be judged.
    Invalid,
}

/// What was measured beside the numbers.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What a task needed from its process's start to its first right answer, at the shortest and
    /// at the longest.
    pub starts: RangeInclusive<Duration>,
    /// Faults that could not be proven to have taken effect, in words.
    pub unproven: Vec<String>,
    /// Tasks that went although no fault met them, in words.
    pub strays: Vec<String>,
    /// The share of answers of each task before the first fault, in ascending order of task.
    pub shares_before: Vec<f64>,
    /// Of so many answers.
    pub answers_before: u64,
}

/// The verdict on a cell and the reasons for it.
pub fn judge(
    configuration: &Configuration,
    schedule: &Schedule,
    expectation: Expectation,
    hypothesis: &Hypothesis,
    numbers: &Numbers,
    evidence: &Evidence,
) -> (Verdict, Vec<String>) {
    let mut invalid = evidence.unproven.clone();
    if numbers.requests == 0 {
        invalid.push("not one request was intended".to_owned());
    }
    if numbers.lateness_p99 > LATENESS_LIMIT {
        invalid.push(format!(
            "the 99th percentile of the requests' lateness is {:?}, more than {LATENESS_LIMIT:?}: the \
             generator was too slow to measure anything else",
            rounded(numbers.lateness_p99)
        ));
    }
    if !invalid.is_empty() {
        return (Verdict::Invalid, invalid);
    }
    let mut deviations: Vec<String> = match expectation {
        Expectation::Up => up(hypothesis, numbers),
        Expectation::Down => down(configuration, schedule, hypothesis, numbers, evidence),
    };
    deviations.extend(evidence.strays.iter().cloned());
    deviations.extend(uneven(&configuration.fleet, evidence));
    let verdict = if deviations.is_empty() { Verdict::AsExpected } else { Verdict::Deviates };
    (verdict, deviations)
}

fn up(hypothesis: &Hypothesis, numbers: &Numbers) -> Vec<String> {
    let mut deviations = Vec::new();
    if hypothesis.is_outage(numbers.longest_gap) {
        deviations.push(format!(
            "expected up, but nothing succeeded for {:?}; tolerated is {:?}",
            rounded(numbers.longest_gap),
            hypothesis.tolerated_gap
        ));
    }
    if numbers.recovery.is_none() {
        deviations.push(format!(
            "expected up, but after the last fault the objective never held for {:?}",
            hypothesis.window
        ));
    }
    deviations
}

fn down(
    configuration: &Configuration,
    schedule: &Schedule,
    hypothesis: &Hypothesis,
    numbers: &Numbers,
    evidence: &Evidence,
) -> Vec<String> {
    let Some(range) = outage(&configuration.fleet, schedule, &evidence.starts) else {
        return vec!["expected down, but these faults leave a task: arithmetic says up".to_owned()];
    };
    // What a gap may differ by: blips that nobody calls an outage.
    let slack = hypothesis.tolerated_gap;
    let (low, high) = (range.start().saturating_sub(slack), *range.end() + slack);
    let mut deviations = Vec::new();
    if !(low..=high).contains(&numbers.longest_gap) {
        deviations.push(format!(
            "expected down for {:?} to {:?}, measured {:?}",
            rounded(*range.start()),
            rounded(*range.end()),
            rounded(numbers.longest_gap)
        ));
    }
    if numbers.recovery.is_none() {
        deviations.push("it never recovered".to_owned());
    }
    deviations
}

fn uneven(fleet: &Fleet, evidence: &Evidence) -> Option<String> {
    let shares = &evidence.shares_before;
    let even = 1.0 / f64::from(fleet.service.cluster.desired_count);
    // Few answers cannot be divided more evenly than to one more or one less.
    let one = 1.0 / evidence.answers_before.max(1) as f64;
    let tolerated = (even * EVENNESS).max(one);
    let off = |share: &f64| (share - even).abs() > tolerated;
    let promised = fleet.service.balancing == Algorithm::RoundRobin && !shares.is_empty();
    (promised && shares.iter().any(off)).then(|| {
        format!("before the first fault the tasks' shares were {shares:.3?}, not {even:.3} each")
    })
}

/// To the millisecond, as sentences want it.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis((duration.as_secs_f64() * 1000.0).round() as u64)
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsExpected => "as expected",
            Self::Deviates => "deviates",
            Self::Invalid => "INVALID",
        })
    }
}
