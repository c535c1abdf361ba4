//! The runs of a drill, by cell, and what is said of several runs at once.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::experiment::expectation::{Outcome, Verdict};
use seaworthy_core::experiment::reading::{Figure, Place, Unit};
use seaworthy_core::experiment::{Cell, Findings};

use super::Row;
use crate::job::Job;
use crate::words::{exact, rough, span};

/// Every run, by cell.
pub(crate) struct Figures<'a> {
    pub(crate) job: &'a Job,
    cells: BTreeMap<Cell, Vec<&'a Findings>>,
}

/// All runs of one cell. There is at least one.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a> {
    pub(crate) job: &'a Job,
    pub(crate) all: &'a [&'a Findings],
}

// === impl Figures ===

impl<'a> Figures<'a> {
    /// Sorts the rows.
    pub(crate) fn of(job: &'a Job, rows: &'a [Row]) -> Self {
        let mut cells: BTreeMap<Cell, Vec<&Findings>> = BTreeMap::new();
        for row in rows {
            cells.entry(row.cell).or_default().push(&row.findings);
        }
        Self { job, cells }
    }

    /// The cells that were run, in order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (Cell, Runs<'_>)> {
        self.cells.keys().filter_map(|cell| Some((*cell, self.runs(*cell)?)))
    }

    /// The runs of a cell, if it was run.
    pub(crate) fn runs(&self, cell: Cell) -> Option<Runs<'_>> {
        self.cells.get(&cell).map(|all| Runs { job: self.job, all })
    }
}

// === impl Runs ===

impl Runs<'_> {
    /// The smallest and the largest of a figure, in words.
    pub(crate) fn span<T: PartialOrd + Copy>(
        self,
        figure: impl Fn(&Findings) -> T,
        say: impl Fn(T) -> String,
    ) -> String {
        let figures = || self.all.iter().map(|findings| figure(findings));
        let pick = |best: fn(&T, &T) -> bool| {
            figures().reduce(|a, b| if best(&b, &a) { b } else { a }).expect("there is one run")
        };
        span(pick(T::lt), pick(T::gt), say)
    }

    /// What may never come.
    pub(crate) fn if_ever(self, figure: impl Fn(&Findings) -> Option<Duration>) -> String {
        let say = |time| if time == Duration::MAX { "never".to_owned() } else { exact(time) };
        self.span(|findings| figure(findings).unwrap_or(Duration::MAX), say)
    }

    /// A duration at life size.
    pub(crate) fn life(self, figure: impl Fn(&Findings) -> Duration) -> String {
        self.span(figure, |duration| rough(duration * self.job.scale))
    }

    /// The least and the most of a figure over all runs, durations at life size.
    pub(crate) fn figure(self, place: &Place) -> Option<[f64; 2]> {
        let all = self.all.iter().filter_map(|f| f.figure(place.flow, place.figure));
        let ends = all.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])?;
        Some(ends.map(|value| value * self.factor(place.figure)))
    }

    /// The most of a figure in one run, durations at life size.
    pub(crate) fn one(self, repetition: usize, place: &Place) -> Option<f64> {
        let [_, most] = self.all.get(repetition)?.figure(place.flow, place.figure)?;
        Some(most * self.factor(place.figure))
    }

    fn factor(self, figure: Figure) -> f64 {
        if figure.unit() == Unit::Time { f64::from(self.job.scale) } else { 1.0 }
    }

    /// The outage by arithmetic, in words; none if there should be none.
    pub(crate) fn range(self, say: impl Fn(Duration) -> String) -> Option<String> {
        let ranges = || self.all.iter().filter_map(|findings| findings.range.as_ref());
        let low = ranges().map(|range| *range.start()).min()?;
        let high = ranges().map(|range| *range.end()).max()?;
        Some(span(low, high, say))
    }

    /// The worst verdict.
    pub(crate) fn verdict(self) -> Verdict {
        self.all.iter().map(|findings| findings.verdict).max().unwrap_or(Verdict::AsExpected)
    }

    /// In how many runs users saw this, of those that count.
    pub(crate) fn seen(self, outcome: Outcome) -> usize {
        let counts = |f: &&&Findings| f.verdict != Verdict::Invalid && f.outcome == outcome;
        self.all.iter().filter(counts).count()
    }
}
