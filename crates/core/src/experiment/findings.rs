//! What came of one cell: the samples and the course of its tasks, put together and judged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::course::{Course, Detection, Replacement, Rollout, Starts};
use super::expectation::{self, Evidence, Outcome, Verdict, judge};
use super::numbers::{Numbers, Sample, Samples};
use super::reading::Figure;
use super::{Cell, Drill, Fault, FaultKind, Schedule, outage};
use crate::endpoints::TaskId;

/// Everything that is told about one run of a cell, as measured.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What users saw.
    pub numbers: Numbers,
    /// The same of each flow of the load, in their order.
    pub flows: Vec<Numbers>,
    /// How long nobody should serve, by arithmetic; none if somebody always should.
    pub range: Option<RangeInclusive<Duration>>,
    /// The share of answers of each task of the service by which users come in, before the first
    /// fault.
    pub shares: BTreeMap<TaskId, f64>,
    /// Tasks that faults met.
    pub stopped: u32,
    /// Tasks that went after the load began, whyever.
    pub gone: u32,
    /// Each task that went and the one that came.
    pub replacements: Vec<Replacement>,
    /// How soon tasks that went on badly were found out.
    pub detections: Vec<Detection>,
    /// The deployments.
    pub rollouts: Vec<Rollout>,
    /// The fewest tasks in rotation at any time of the load, of the service by which users come in,
    pub fewest: u32,
    /// and the most that were there at once.
    pub most: u32,
    /// How long processes took to start, by the name of their service.
    pub starts: BTreeMap<String, Starts>,
    /// From the moment when all tasks were in rotation until the load began.
    pub prepared: Duration,
    /// How long the first request took from its intended send to its answer, if it was answered: after a pause of a
    /// second, in a run that is to learn that.
    pub first: Option<Duration>,
    /// From the kill of a task until it was known to be gone, for each that was killed to learn that.
    pub ends: Vec<Duration>,
    /// For how much longer nobody was answered than nobody asked while a process started, for each that did under load in
    /// a run that is to learn that.
    pub lags: Vec<Duration>,
    /// What became of the calls to a service while the way to it was disturbed, fault by fault.
    pub calls: Vec<Calls>,
    /// What users saw; it counts only if the verdict is not INVALID.
    pub outcome: Outcome,
    /// Whether it went as expected.
    pub verdict: Verdict,
    /// If not, why.
    pub reasons: Vec<String>,
}

/// Calls to a service by way of a link while it was disturbed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How.
    pub fault: Fault,
    /// The place of the service.
    pub to: usize,
    /// Calls that arrived while it was disturbed.
    pub during: u64,
    /// The longest time without a call meanwhile.
    pub longest_silence: Duration,
    /// From the end of the disturbance to the next call; none if there was none, or no end.
    pub first_after: Option<Duration>,
}

impl Findings {
    /// Concludes from the `samples` of a run of `cell`, in the order of their intended sends, from
    /// what happened to the tasks meanwhile, and from the `arrivals` at each link, by the place of
    /// its service and from the first moment of the load. `drill` is as fast as the run was.
    pub fn of(
        drill: &Drill,
        cell: Cell,
        samples: &[Sample],
        course: &Course,
        arrivals: &BTreeMap<usize, Vec<Duration>>,
    ) -> Self {
        let configuration = &drill.configurations[cell.configuration];
        let schedule = &drill.schedules[cell.schedule];
        let (entry, duration) = (drill.load.entry(), schedule.duration);
        let last_fault = schedule.last_fault().max(course.last_awaited());
        let flows = flows(drill, schedule, last_fault, samples);
        let took = |sample: &Sample| Some(sample.answer?.completed.saturating_sub(sample.intended));
        let first = samples.first().and_then(took);
        let samples = Samples::new(samples, &drill.objective, Duration::ZERO..duration);
        let numbers = samples.measure(&drill.hypothesis, last_fault);
        let tasks = course.at_the_beginning(entry);
        let evidence = evidence(drill, cell, course, &samples, &tasks);
        let shares = tasks.into_iter().zip(evidence.shares_before.iter().copied()).collect();
        let services = configuration.services();
        let desired: Vec<u32> = services.iter().map(|one| one.cluster.desired_count).collect();
        let (fewest, most) = course.fewest_and_most(entry);
        let (verdict, reasons) = judge(drill, cell, &numbers, &evidence);
        Self {
            range: evidence.range,
            shares,
            stopped: course.inflicted().iter().map(|fault| fault.tasks.len() as u32).sum(),
            gone: course.gone() as u32,
            replacements: course.replacements(),
            detections: course.detections(),
            rollouts: course.rollouts(&desired),
            fewest,
            most,
            starts: course.starts_by_name(services),
            prepared: Duration::ZERO,
            first,
            ends: Vec::new(),
            lags: Vec::new(),
            calls: calls(schedule, arrivals),
            outcome: expectation::outcome(drill, &numbers),
            numbers,
            flows,
            verdict,
            reasons,
        }
    }
}

impl Findings {
    /// Whether tasks were to be replaced and none was, as long as it was looked. That one of several was not may be as it
    /// went shortly before the end.
    fn replaced_none(&self) -> bool {
        let mut windows = self.replacements.iter().map(Replacement::window);
        !self.replacements.is_empty() && windows.all(|window| window.is_none())
    }

    /// A figure of the whole load or of one of its flows, as measured: its least and its most, in
    /// seconds, shares or numbers. What never happened took infinitely long; none if there is no
    /// such figure.
    pub fn figure(&self, flow: Option<usize>, figure: Figure) -> Option<[f64; 2]> {
        let numbers = flow.map_or(&self.numbers, |flow| &self.flows[flow]);
        let seconds = |duration: Duration| duration.as_secs_f64();
        let if_ever = |duration: Option<Duration>| duration.map_or(f64::INFINITY, seconds);
        let one = match figure {
            Figure::Gap => seconds(numbers.longest_gap),
            Figure::Silence => seconds(numbers.longest_silence),
            Figure::Failed => numbers.failed as f64,
            Figure::FailedShare => numbers.failed_share(),
            Figure::Unanswered => numbers.unanswered as f64,
            Figure::Degraded => numbers.degraded as f64,
            Figure::DegradedShare => numbers.degraded as f64 / numbers.requests.max(1) as f64,
            Figure::Oldest => seconds(numbers.oldest),
            Figure::Requests => numbers.requests as f64,
            Figure::Below => f64::from(numbers.seconds_below_target),
            Figure::Recovery => if_ever(numbers.recovery),
            Figure::Whole => seconds(numbers.whole),
            Figure::P50 => if_ever(numbers.latency_p50),
            Figure::P99 => if_ever(numbers.latency_p99),
            Figure::Calls => self.calls.last()?.during as f64,
            Figure::FirstCall => if_ever(self.calls.last()?.first_after),
            Figure::Gone => f64::from(self.gone),
            Figure::Fewest => f64::from(self.fewest),
            Figure::Most => f64::from(self.most),
            Figure::Rollout => if_ever(self.rollouts.last()?.done),
            Figure::Back => if_ever(self.rollouts.last()?.back),
            Figure::Kept => f64::from(self.rollouts.last()?.kept),
            Figure::Range => {
                let ends = self.range.as_ref().map(|range| [*range.start(), *range.end()]);
                return Some(ends.unwrap_or_default().map(seconds));
            }
            Figure::Window if self.replaced_none() => f64::INFINITY,
            Figure::Window => {
                let windows = || self.replacements.iter().filter_map(Replacement::window);
                let [low, high] = [windows().min(), windows().max()];
                return Some([low, high].map(|window| seconds(window.unwrap_or_default())));
            }
        };
        Some([one; 2])
    }
}

/// What the verdict is by, beside the numbers.
fn evidence(
    drill: &Drill,
    cell: Cell,
    course: &Course,
    samples: &Samples<'_>,
    tasks: &[TaskId],
) -> Evidence {
    let configuration = &drill.configurations[cell.configuration];
    let schedule = &drill.schedules[cell.schedule];
    let entry = drill.load.entry();
    let first_fault = schedule.faults.first().map_or(schedule.duration, |fault| fault.at);
    let own_start = course.starts(entry).map_or(Duration::ZERO..=Duration::ZERO, |it| it.all);
    let services = configuration.services().iter().enumerate();
    let scaled = services.filter(|(_, service)| service.cluster.autoscaling.is_some());
    let scaled: Vec<usize> = scaled.map(|(place, _)| place).collect();
    Evidence {
        range: outage(configuration, entry, schedule, &own_start),
        unproven: course.unproven(&schedule.faults, configuration.longest_stop_timeout()),
        strays: course.strays(&scaled),
        shares_before: samples.shares(tasks, Duration::ZERO..first_fault),
        answers_before: samples.answers(Duration::ZERO..first_fault).into_values().sum(),
    }
}

/// The numbers of each flow by itself.
fn flows(
    drill: &Drill,
    schedule: &Schedule,
    last_fault: Option<Duration>,
    samples: &[Sample],
) -> Vec<Numbers> {
    let measure = |(n, flow): (usize, &super::load::Flow)| {
        let own: Vec<Sample> = samples.iter().filter(|sample| sample.flow == n).copied().collect();
        let period = flow.period(schedule.duration);
        let samples = Samples::new(&own, &drill.objective, period);
        samples.measure(&drill.hypothesis, last_fault)
    };
    drill.load.flows.iter().enumerate().map(measure).collect()
}

/// While each disturbance of a link lasted, in their order.
fn calls(schedule: &Schedule, arrivals: &BTreeMap<usize, Vec<Duration>>) -> Vec<Calls> {
    let of = |fault: &Fault| {
        let FaultKind::Link { to, .. } = fault.kind else { return None };
        let (begin, end) = (fault.at, fault.end());
        let arrivals = arrivals.get(&to)?;
        let during: Vec<Duration> =
            arrivals.iter().copied().filter(|at| (begin..end).contains(at)).collect();
        let ends = std::iter::once(begin).chain(during.iter().copied());
        let silences =
            ends.zip(during.iter().copied().chain([end])).map(|(from, to)| to.saturating_sub(from));
        let next = arrivals.iter().find(|at| **at >= end);
        Some(Calls {
            fault: fault.clone(),
            to,
            during: during.len() as u64,
            longest_silence: silences.max().unwrap_or_default(),
            first_after: next.map(|at| at.saturating_sub(end)),
        })
    };
    schedule.faults.iter().filter_map(of).collect()
}
