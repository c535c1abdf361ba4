//! What was predicted, held against what was measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seaworthy_core::experiment::comparison::{Comparison, Count, Median, Predicting};
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::reading::{Figure, Place, Unit};
use seaworthy_core::experiment::{Cell, Findings};
use seaworthy_sim::machine::Calibration;
use serde::Serialize;

use super::figures::{Figures, Runs};
use super::table::{Entry, Table};
use super::{Results, Row};
use crate::job::Job;
use crate::recorded::Reading;
use crate::simulation::Day;
use crate::style::{BAD, FAINT, GOOD, HEAD, PLAIN, paint};
use crate::words::{exact, percent, span, wrap};

/// What is compared of a cell, in words.
const OF_A_CELL: [(&str, Figure); 20] = [
    ("failed share", Figure::FailedShare),
    ("degraded share", Figure::DegradedShare),
    ("oldest", Figure::Oldest),
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
const OF_A_FLOW: [(&str, Figure); 8] = [
    ("failed share", Figure::FailedShare),
    ("degraded share", Figure::DegradedShare),
    ("oldest", Figure::Oldest),
    ("unanswered", Figure::Unanswered),
    ("longest gap", Figure::Gap),
    ("recovery", Figure::Recovery),
    ("latency, p50", Figure::P50),
    ("latency, p99", Figure::P99),
];

/// Said of a report that does not say what the drill file was.
const IS_OLDER: &str = " Whether the drill file has changed since, what was measured does not say: it is older than that.";

/// Between what is said of one day and of the next.
const ON_ANOTHER_DAY: &str = " On another day: ";

/// A figure of a cell. Times are in seconds as measured; null is never.
#[derive(Serialize)]
pub(super) struct Compared {
    cell: String,
    flow: Option<String>,
    figure: &'static str,
    #[serde(skip)]
    unit: Unit,
    #[serde(flatten)]
    values: Comparison,
}

/// Every figure of every cell that was both predicted and measured.
pub(super) fn compare(job: &Job, results: &Results) -> Vec<Compared> {
    // What measured nothing is not to be held against anything.
    let valid = |row: &&Row| row.findings.verdict != Verdict::Invalid;
    let own: Vec<Reading> = results.rows.iter().filter(valid).map(Reading::of).collect();
    let recorded: Vec<_> = results.recorded.iter().map(|day| day.readings(job)).collect();
    // What no run of an earlier report has, nobody asked for on that day.
    let asked = |(what, place): (&'static str, Place)| {
        let has =
            move |run: &Reading| run.figures(place.flow).is_some_and(|all| all.contains_key(what));
        let of_the_cell = move |run: &&Reading| run.cell == place.cell;
        let days: Vec<_> = recorded.iter().filter(|day| day.iter().any(has)).collect();
        let is_asked = recorded.is_empty() || !days.is_empty();
        let runs = own.iter().chain(days.into_iter().flatten()).filter(of_the_cell);
        is_asked.then(|| (what, place, runs.collect()))
    };
    let days = results.days(job);
    let predicted = Figures::of(job, &results.predicted);
    let mut all = Vec::new();
    for (cell, predicted) in predicted.cells() {
        let predicting = predicting(cell, &days);
        let one = |(what, place, runs): (_, _, Vec<&Reading>)| {
            Compared::of(what, place, predicted, &runs, predicting)
        };
        all.extend(places(job, cell).into_iter().filter_map(asked).filter_map(one));
    }
    all
}

/// How this cell is predicted.
fn predicting(cell: Cell, days: &[Day]) -> Predicting {
    let of_a_day = |day: &Day| {
        let runs = day.runs.iter().filter(|(of, _)| *of == cell).count();
        (runs, day.calibration.as_ref().map(Calibration::runs))
    };
    Predicting::by(&days.iter().map(of_a_day).collect::<Vec<_>>())
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

fn count(all: &[Compared]) -> Count {
    Count::of(all.iter().map(|one| &one.values))
}

/// What a comparison makes of a drill, if there is one.
pub(super) fn verdict(job: &Job, results: &Results) -> Verdict {
    if results.predicted.is_empty() {
        return Verdict::AsExpected;
    }
    count(&compare(job, results)).verdict()
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
    let cells = all.iter().map(|one| &one.cell).collect::<BTreeSet<_>>().len();
    let runs = results.predicted.len() / cells.max(1);
    let title =
        format!("Predicted by {runs} simulated runs of each cell, 95 % of them, and measured");
    let title = wrap(&title, width).into_iter().map(|line| paint(HEAD, &line));
    let days = results.days(job);
    let mut told = days.iter().map(told).collect::<Vec<_>>().join(ON_ANOTHER_DAY);
    if results.recorded.iter().any(|day| day.digest.is_none()) {
        told += IS_OLDER;
    }
    let told = wrap(&told, width);
    title.chain(told).chain(lines).chain([summary(&all)]).map(|line| line + "\n").collect()
}

/// What this machine was like on one day.
fn told(Day { calibration, .. }: &Day) -> String {
    let Some(known) = calibration else {
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
    let counted = count(all);
    if counted.verdict() == Verdict::Invalid {
        return paint(BAD, "Nothing was measured that could be compared");
    }
    let good = counted.verdict() == Verdict::AsExpected;
    let Count { all: values, inside } = counted;
    let share = percent(inside as f64 / values as f64);
    let told = format!("{inside} of {values} measured values are inside, {share}");
    let meaning = if good { "" } else { ": the model or the code is wrong" };
    let narrow = all.iter().filter(|one| one.values.narrow).count();
    let widths =
        format!("{narrow} of {} intervals are no wider than a quarter of their middle", all.len());
    let judged = paint(if good { GOOD } else { BAD }, &(told + meaning));
    [judged, widths, of_the_medians(all)].join("\n")
}

fn of_the_medians(all: &[Compared]) -> String {
    let medians: Vec<Median> = all.iter().filter_map(|one| one.values.median).collect();
    let inside = medians.iter().filter(|median| median.inside).count();
    let narrow = medians.iter().filter(|median| median.narrow).count();
    let (all, share) = (medians.len(), percent(inside as f64 / medians.len().max(1) as f64));
    format!(
        "{inside} of {all} medians are inside, {share}; {narrow} of their intervals are as narrow"
    )
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

// === impl Compared ===

impl Compared {
    /// None if no run has the figure.
    fn of(
        what: &'static str,
        place: Place,
        predicted: Runs,
        measured: &[&Reading],
        predicting: Predicting,
    ) -> Option<Self> {
        let (job, unit) = (predicted.job, place.figure.unit());
        let value = |f: &&Findings| Some(f.figure(place.flow, place.figure)?[1]);
        let read = |run: &&Reading| run.figures(place.flow)?.get(what).copied();
        let predicted: Vec<_> = predicted.all.iter().map(value).collect();
        let measured: Vec<_> = measured.iter().map(read).collect();
        Some(Self {
            cell: place.cell.name(&job.drill),
            flow: place.flow.map(|flow| job.drill.load.flows[flow].name.clone()),
            figure: what,
            unit,
            values: Comparison::of(&predicted, &measured, predicting, unit)?,
        })
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
        let of = &self.values;
        let style = if of.inside == of.runs() { PLAIN } else { BAD };
        let inside = format!("{} of {}", of.inside, of.runs());
        let [never, without] = of.without;
        let predicted = ends(of.predicted.as_ref().map_or(&[][..], |ends| &ends[..]), never);
        let words = [name, self.figure.to_owned(), predicted];
        let judged = [ends(&of.measured, without), inside].map(|word| Entry::styled(style, word));
        let median = of.median.as_ref().map(|median| {
            let ([low, high], told) = (median.predicted, say(median.measured));
            let instead = || format!("{told}, not {}", span(low, high, say));
            if median.inside { Entry::plain(told) } else { Entry::styled(BAD, instead()) }
        });
        words.map(Entry::plain).into_iter().chain(judged).chain(median).collect()
    }
}
