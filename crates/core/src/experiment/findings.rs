//! What came of one cell: the samples and the course of its tasks, put together and judged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::course::{Course, Replacement};
use super::expectation::{self, Evidence, Outcome, Verdict, judge};
use super::numbers::{Numbers, Sample, Samples};
use super::{Cell, Drill, outage};
use crate::endpoints::TaskId;

/// Everything that is told about one run of a cell, as measured.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What users saw.
    pub numbers: Numbers,
    /// How long nobody should serve, by arithmetic; none if somebody always should.
    pub range: Option<RangeInclusive<Duration>>,
    /// The share of answers of each task before the first fault.
    pub shares: BTreeMap<TaskId, f64>,
    /// Tasks that faults met.
    pub stopped: u32,
    /// Each task that went and the one that came.
    pub replacements: Vec<Replacement>,
    /// The shortest and the longest time from a process's start to its first right answer.
    pub starts: RangeInclusive<Duration>,
    /// What users saw; it counts only if the verdict is not INVALID.
    pub outcome: Outcome,
    /// Whether it went as expected.
    pub verdict: Verdict,
    /// If not, why.
    pub reasons: Vec<String>,
}

impl Findings {
    /// Concludes from the `samples` of a run of `cell`, in the order of their intended sends, and
    /// from what happened to the tasks meanwhile. `drill` is as fast as the run was.
    pub fn of(drill: &Drill, cell: Cell, samples: &[Sample], course: &Course) -> Self {
        let configuration = &drill.configurations[cell.configuration];
        let schedule = &drill.schedules[cell.schedule];
        let samples = Samples::new(samples, &drill.objective, schedule.duration);
        let last_fault = schedule.faults.last().map(|fault| fault.at);
        let numbers = samples.measure(&drill.hypothesis, last_fault);
        let first_fault = schedule.faults.first().map_or(schedule.duration, |fault| fault.at);
        let tasks = course.at_the_beginning();
        let shares_before = samples.shares(&tasks, Duration::ZERO..first_fault);
        let shares = tasks.into_iter().zip(shares_before.iter().copied()).collect();
        let starts = course.starts();
        let service = &configuration.fleet.services[0];
        let evidence = Evidence {
            starts: starts.clone(),
            unproven: course.unproven(&schedule.faults, service.cluster.stop_timeout),
            strays: course.strays(),
            shares_before,
            answers_before: samples.answers(Duration::ZERO..first_fault).into_values().sum(),
        };
        let (verdict, reasons) = judge(drill, cell, &numbers, &evidence);
        Self {
            range: outage(&configuration.fleet, schedule, &starts),
            shares,
            stopped: course.inflicted().iter().map(|fault| fault.tasks.len() as u32).sum(),
            replacements: course.replacements(),
            starts,
            outcome: expectation::outcome(drill, &numbers),
            numbers,
            verdict,
            reasons,
        }
    }
}
