//! What a cell should come to, by arithmetic, and whether it did.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use super::{Cell, Drill};
use crate::balance::Algorithm;

/// A run whose requests were later than this at the 99th percentile measured the generator.
pub const LATENESS_LIMIT: Duration = Duration::from_millis(5);

/// Each healthy task gets its even share to within this part of it.
pub const EVENNESS: f64 = 0.05;

/// What a person expects of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// Users notice nothing: the objective is met over the whole cell, no gap is longer than what
    /// is tolerated, and after the last fault all is as before.
    Up,
    /// There is always somebody who serves, but not well enough: nothing is down for longer than
    /// what is tolerated, and users notice.
    Degraded,
    /// All is down for as long as arithmetic says.
    Down,
    /// Whatever it is, the drill's claims are about it.
    Any,
}

/// What users saw of a cell, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They noticed nothing.
    Up,
    /// There was always somebody who served, but not well enough.
    Degraded,
    /// Nothing succeeded for longer than what is tolerated.
    Down,
}

/// What came of a cell, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// How long nobody should serve, by arithmetic; none if somebody always should.
    pub range: Option<RangeInclusive<Duration>>,
    /// Faults that could not be proven to have taken effect, in words.
    pub unproven: Vec<String>,
    /// Tasks that went although no fault met them, in words.
    pub strays: Vec<String>,
    /// The share of answers of each task before the first fault, in ascending order of task.
    pub shares_before: Vec<f64>,
    /// Of so many answers.
    pub answers_before: u64,
}

/// What users saw of a run with these `numbers`. `drill` is as fast as the run was.
pub fn outcome(drill: &Drill, numbers: &Numbers) -> Outcome {
    if drill.hypothesis.is_outage(numbers.longest_gap) {
        Outcome::Down
    } else if up(drill, numbers).is_empty() {
        Outcome::Up
    } else {
        Outcome::Degraded
    }
}

/// The verdict on a run of `cell` and the reasons for it. `drill` is as fast as the run was.
pub fn judge(
    drill: &Drill,
    cell: Cell,
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
    let mut deviations = match drill.schedules[cell.schedule].expect[cell.configuration] {
        Expectation::Up => up(drill, numbers),
        Expectation::Degraded => degraded(drill, numbers).into_iter().collect(),
        Expectation::Down => down(drill, numbers, evidence),
        Expectation::Any => Vec::new(),
    };
    deviations.extend(evidence.strays.iter().cloned());
    deviations.extend(uneven(drill, cell, evidence));
    let verdict = if deviations.is_empty() { Verdict::AsExpected } else { Verdict::Deviates };
    (verdict, deviations)
}

/// What users noticed, number by number; nothing if the service was up.
fn up(drill: &Drill, numbers: &Numbers) -> Vec<String> {
    let Drill { objective, hypothesis, .. } = drill;
    let mut deviations = Vec::new();
    if hypothesis.is_outage(numbers.longest_gap) {
        deviations.push(format!(
            "expected up, but nothing succeeded for {:?}; tolerated is {:?}",
            rounded(numbers.longest_gap),
            hypothesis.tolerated_gap
        ));
    }
    // A gap does not show what some of many requests suffer.
    if !objective.success.is_met(numbers.succeeded(), numbers.requests) {
        deviations.push(format!(
            "expected up, but {} of {} requests failed; the objective is that {} succeed",
            numbers.failed, numbers.requests, objective.success
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

fn degraded(drill: &Drill, numbers: &Numbers) -> Option<String> {
    match outcome(drill, numbers) {
        Outcome::Degraded => None,
        Outcome::Up => Some("expected degraded, but nobody noticed anything".to_owned()),
        Outcome::Down => Some(format!(
            "expected degraded, but nothing succeeded for {:?}",
            rounded(numbers.longest_gap)
        )),
    }
}

fn down(drill: &Drill, numbers: &Numbers, evidence: &Evidence) -> Vec<String> {
    let Some(range) = &evidence.range else {
        return vec!["expected down, but these faults leave a task: arithmetic says up".to_owned()];
    };
    // What a gap may differ by: blips that nobody calls an outage.
    let slack = drill.hypothesis.tolerated_gap;
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

fn uneven(drill: &Drill, cell: Cell, evidence: &Evidence) -> Option<String> {
    let service = drill.configurations[cell.configuration].services().get(drill.load.entry())?;
    let shares = &evidence.shares_before;
    let even = 1.0 / f64::from(service.cluster.desired_count);
    // Few answers cannot be divided more evenly than to one more or one less.
    let one = 1.0 / evidence.answers_before.max(1) as f64;
    let tolerated = (even * EVENNESS).max(one);
    // Beyond what binary fractions cannot say.
    let off = |share: &f64| (share - even).abs() > tolerated + 1e-9;
    let promised = service.balancing.algorithm == Algorithm::RoundRobin
        && service.sticky_cookie.is_none()
        && !shares.is_empty();
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
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Any => "as the claims say",
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

#[cfg(test)]
mod tests;
