//! What was predicted, held against what was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::experiment::claim::middle;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::reading::{Figure, Place, Unit};
use seaworthy_core::experiment::{Cell, Findings};
use seaworthy_sim::machine::Calibration;
use serde::Serialize;

use super::figures::{Figures, Runs};
use super::interval::{WITHIN, beyond, interval, is_narrow, of_medians};
use super::table::{Entry, Table};
use super::{Results, Row};
use crate::job::Job;
use crate::recorded::Reading;
use crate::style::{BAD, FAINT, GOOD, HEAD, PLAIN, paint};
use crate::words::{exact, percent, span, wrap};

/// What is compared of a cell, in words.
const OF_A_CELL: [(&str, Figure); 19] = [
    ("failed share", Figure::FailedShare),
    ("degraded share", Figure::DegradedShare),
    ("unanswered", Figure::Unanswered),
    ("below target", Figure::Below),
    ("longest gap", Figure::Gap),
    ("longest silence", Figure::Silence),
    ("recovery", Figure::Recovery),
    ("whole after", Figure::Whole),
    ("latency, p50", Figure::P50),
    ("latency, p99", Figure::P99),
    ("tasks gone", Figure::Gone),
    ("longest window", Figure::Window),
    ("fewest in rotation", Figure::Fewest),
    ("most at once", Figure::Most),
    ("all new", Figure::Rollout),
    ("back", Figure::Back),
    ("old ones kept", Figure::Kept),
    ("calls", Figure::Calls),
    ("first call", Figure::FirstCall),
];

/// What is compared of each flow, if there are several.
const OF_A_FLOW: [(&str, Figure); 5] = [
    ("failed share", Figure::FailedShare),
    ("degraded share", Figure::DegradedShare),
    ("longest gap", Figure::Gap),
    ("latency, p50", Figure::P50),
    ("latency, p99", Figure::P99),
];

/// Said of a report that does not say what the drill file was.
const IS_OLDER: &str = " Whether the drill file has changed since, what was measured does not say: it is older than that.";

/// A figure of a cell. Times are in seconds as measured; null is never.
#[derive(Serialize)]
pub(super) struct Compared {
    cell: String,
    flow: Option<String>,
    figure: &'static str,
    #[serde(skip)]
    unit: Unit,
    /// In which 95 % of all runs should be; none if none of them has the figure.
    predicted: Option<[f64; 2]>,
    /// Each run that has it.
    measured: Vec<f64>,
    /// So many runs do not have it, of those predicted and of those measured.
    without: [usize; 2],
    /// How many of those measured are as predicted: a run without it, too, where that is no exception.
    inside: usize,
    /// Whether the interval is no wider than a quarter of its middle.
    narrow: bool,
    /// What a run comes to on the whole; none if no run has it, of those predicted or of those measured.
    median: Option<Median>,
}

/// The median of all runs that have a figure.
#[derive(Serialize)]
struct Median {
    /// In which that of so many runs should be, in 95 of 100 comparisons.
    predicted: [f64; 2],
    measured: f64,
    inside: bool,
    /// Whether the interval is no wider than a quarter of its middle.
    narrow: bool,
}

/// Every figure of every cell that was both predicted and measured.
pub(super) fn compare(job: &Job, results: &Results) -> Vec<Compared> {
    // What measured nothing is not to be held against anything.
    let valid = |row: &&Row| row.findings.verdict != Verdict::Invalid;
    let mut measured: Vec<Reading> = results.rows.iter().filter(valid).map(Reading::of).collect();
    measured.extend(results.recorded.iter().flat_map(|recorded| recorded.readings(job)));
    // What no run of an earlier report has, nobody asked for then.
    let asked = |(what, place): &(&'static str, Place)| {
        let has =
            |run: &Reading| run.figures(place.flow).is_some_and(|all| all.contains_key(*what));
        results.recorded.is_none() || measured.iter().any(has)
    };
    let known = results.calibration.as_ref().map(Calibration::runs);
    let predicted = Figures::of(job, &results.predicted);
    let mut all = Vec::new();
    for (cell, predicted) in predicted.cells() {
        let measured: Vec<&Reading> = measured.iter().filter(|run| run.cell == cell).collect();
        if !measured.is_empty() {
            let one = |(what, place)| Compared::of(what, place, predicted, &measured, known);
            all.extend(places(job, cell).into_iter().filter(asked).filter_map(one));
        }
    }
    all
}

/// What can be compared of a run, or of one flow of it, in the unit of each figure.
pub(super) fn figures(findings: &Findings, flow: Option<usize>) -> BTreeMap<String, f64> {
    let all = if flow.is_some() { &OF_A_FLOW[..] } else { &OF_A_CELL };
    let value = |(what, figure): &(&str, Figure)| {
        Some(((*what).to_owned(), findings.figure(flow, *figure)?[1]))
    };
    all.iter().filter_map(value).collect()
}

/// Every figure with its name.
fn places(job: &Job, cell: Cell) -> Vec<(&'static str, Place)> {
    let place = move |flow| move |(what, figure)| (what, Place { cell, flow, figure });
    let flows = job.drill.load.flows.len();
    let flows = if flows > 1 { 0..flows } else { 0..0 };
    let of_flows = flows.flat_map(|flow| OF_A_FLOW.into_iter().map(place(Some(flow))));
    OF_A_CELL.into_iter().map(place(None)).chain(of_flows).collect()
}

/// How many values were measured, and how many of them are where they should be.
fn count(all: &[Compared]) -> (usize, usize) {
    let inside = all.iter().map(|one| one.inside).sum();
    (all.iter().map(Compared::runs).sum(), inside)
}

fn is_good((all, inside): (usize, usize)) -> bool {
    inside as f64 >= all as f64 * WITHIN
}

/// What a comparison makes of a drill.
pub(super) fn verdict(job: &Job, results: &Results) -> Verdict {
    let counted = count(&compare(job, results));
    match counted {
        (0, _) if !results.predicted.is_empty() => Verdict::Invalid,
        _ if is_good(counted) => Verdict::AsExpected,
        _ => Verdict::Deviates,
    }
}

/// The table, and what it comes to; nothing if nothing was predicted.
pub(super) fn render(job: &Job, results: &Results, width: usize) -> String {
    let all = compare(job, results);
    if results.predicted.is_empty() {
        return String::new();
    }
    let mut table = Table::default();
    let mut before = None;
    for one in &all {
        let place = (&one.cell, &one.flow);
        let name = if before == Some(place) { String::new() } else { one.name() };
        before = Some(place);
        table.row(one.row(name));
    }
    let head = ["", "", "predicted", "measured", "inside", "median"];
    let lines = table.lines_below(head.map(|word| Entry::styled(FAINT, word)).into());
    let runs = results.predicted.len() / job.cells.len();
    let title =
        format!("Predicted by {runs} simulated runs of each cell, 95 % of them, and measured");
    let title = wrap(&title, width).into_iter().map(|line| paint(HEAD, &line));
    let mut told = told(results.calibration.as_ref());
    if results.recorded.as_ref().is_some_and(|recorded| recorded.digest.is_none()) {
        told += IS_OLDER;
    }
    let told = wrap(&told, width);
    title.chain(told).chain(lines).chain([summary(&all)]).map(|line| line + "\n").collect()
}

/// What this machine is like.
fn told(known: Option<&Calibration>) -> String {
    let Some(known) = known else {
        return "No run has shown what this machine is like: it is taken to be as the model says."
            .to_owned();
    };
    let [median, slowest] = known.slowness().map(|spread| spread.middle());
    let runs = known.runs();
    format!(
        "By {runs} runs in which nothing happened, which count for nothing else, the median answer takes {median:.2} times as long here as the model says, and the slowest of a hundred {slowest:.2} times."
    )
}

fn summary(all: &[Compared]) -> String {
    let (values, inside) = count(all);
    if values == 0 {
        return paint(BAD, "Nothing was measured that could be compared");
    }
    let good = is_good((values, inside));
    let share = percent(inside as f64 / values as f64);
    let told = format!("{inside} of {values} measured values are inside, {share}");
    let meaning = if good { "" } else { ": the model or the code is wrong" };
    let narrow = all.iter().filter(|one| one.narrow).count();
    let widths =
        format!("{narrow} of {} intervals are no wider than a quarter of their middle", all.len());
    let judged = paint(if good { GOOD } else { BAD }, &(told + meaning));
    [judged, widths, of_the_medians(all)].join("\n")
}

fn of_the_medians(all: &[Compared]) -> String {
    let medians: Vec<&Median> = all.iter().filter_map(|one| one.median.as_ref()).collect();
    let inside = medians.iter().filter(|median| median.inside).count();
    let narrow = medians.iter().filter(|median| median.narrow).count();
    let (all, share) = (medians.len(), percent(inside as f64 / medians.len().max(1) as f64));
    format!(
        "{inside} of {all} medians are inside, {share}; {narrow} of their intervals are as narrow"
    )
}

/// The values of those that have one, and how many have none.
fn parted(values: impl Iterator<Item = Option<f64>>) -> (Vec<f64>, usize) {
    let all: Vec<Option<f64>> = values.collect();
    let values: Vec<f64> = all.iter().copied().flatten().collect();
    let without = all.len() - values.len();
    (values, without)
}

// === impl Reading ===

impl Reading {
    fn of(row: &Row) -> Self {
        let Row { cell, findings, .. } = row;
        let flows = (0..findings.flows.len()).map(|flow| figures(findings, Some(flow))).collect();
        Self { cell: *cell, whole: figures(findings, None), flows }
    }

    fn figures(&self, flow: Option<usize>) -> Option<&BTreeMap<String, f64>> {
        flow.map_or(Some(&self.whole), |flow| self.flows.get(flow))
    }
}

// === impl Median ===

impl Median {
    /// See [`of_medians`].
    fn of(
        values: Vec<f64>,
        pairs: &[[f64; 2]],
        measured: &[f64],
        known: Option<usize>,
    ) -> Option<Self> {
        let predicted @ [low, high] = of_medians(values, pairs, measured.len(), known)?;
        let measured = middle(measured.to_vec())?;
        let inside = (low..=high).contains(&measured);
        Some(Self { predicted, measured, inside, narrow: is_narrow(predicted) })
    }
}

// === impl Compared ===

impl Compared {
    /// None if no run has the figure.
    fn of(
        what: &'static str,
        place: Place,
        predicted: Runs,
        measured: &[&Reading],
        known: Option<usize>,
    ) -> Option<Self> {
        let job = predicted.job;
        let value = |f: &&Findings| Some(f.figure(place.flow, place.figure)?[1]);
        let (values, never) = parted(predicted.all.iter().map(value));
        let pair = |two: &[&Findings]| Some([value(two.first()?)?, value(two.get(1)?)?]);
        let pairs: Vec<[f64; 2]> = predicted.all.chunks(2).filter_map(pair).collect();
        let read = |run: &&Reading| run.figures(place.flow)?.get(what).copied();
        let (measured, without) = parted(measured.iter().map(read));
        if values.is_empty() && measured.is_empty() {
            return None;
        }
        // Runs without it are among those that are left out, unless they are too many for that.
        let left_out = 2 * beyond(predicted.all.len());
        let is_exception = never <= left_out;
        let at_each_end = if is_exception { (left_out - never) / 2 } else { beyond(values.len()) };
        let predicted = interval(values.clone(), at_each_end);
        let is_inside =
            |value: &&f64| predicted.is_some_and(|[low, high]| (low..=high).contains(*value));
        let as_predicted = if is_exception { 0 } else { without };
        Some(Self {
            cell: place.cell.name(&job.drill),
            flow: place.flow.map(|flow| job.drill.load.flows[flow].name.clone()),
            figure: what,
            unit: place.figure.unit(),
            inside: measured.iter().filter(is_inside).count() + as_predicted,
            narrow: predicted.is_some_and(is_narrow),
            median: Median::of(values, &pairs, &measured, known),
            predicted,
            measured,
            without: [never, without],
        })
    }

    /// How many were measured, with and without it.
    fn runs(&self) -> usize {
        self.measured.len() + self.without[1]
    }

    fn name(&self) -> String {
        let flow = self.flow.iter().map(|flow| format!(" {flow}"));
        std::iter::once(self.cell.clone()).chain(flow).collect()
    }

    fn row(&self, name: String) -> Vec<Entry> {
        let say = |value: f64| match self.unit {
            _ if value.is_infinite() => "never".to_owned(),
            Unit::Time => exact(Duration::from_secs_f64(value)),
            Unit::Share => percent(value),
            Unit::Count => value.to_string(),
        };
        let ends = |values: &[f64], without: usize| {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(0.0, f64::max);
            let values = (!values.is_empty()).then(|| span(low, high, say));
            let without = (without > 0).then(|| format!("{without} without"));
            values.into_iter().chain(without).collect::<Vec<_>>().join(", ")
        };
        let all = self.runs();
        let style = if self.inside == all { PLAIN } else { BAD };
        let inside = format!("{} of {all}", self.inside);
        let [never, without] = self.without;
        let predicted = ends(self.predicted.as_ref().map_or(&[][..], |ends| &ends[..]), never);
        let words = [name, self.figure.to_owned(), predicted];
        let judged = [ends(&self.measured, without), inside].map(|word| Entry::styled(style, word));
        let median = self.median.as_ref().map(|median| {
            let ([low, high], told) = (median.predicted, say(median.measured));
            let instead = || format!("{told}, not {}", span(low, high, say));
            if median.inside { Entry::plain(told) } else { Entry::styled(BAD, instead()) }
        });
        words.map(Entry::plain).into_iter().chain(judged).chain(median).collect()
    }
}
