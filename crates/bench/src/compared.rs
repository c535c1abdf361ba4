//! Adds up what `seaworthy drill --compare --json` has written, of as many drills as there are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::output::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `seaworthy drill DRILL --compare --json FILE` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Name each median that is not where it should be, in seconds, shares or numbers
    #[arg(long)]
    outside: bool,
}

/// What is needed of a drill's figures.
#[derive(Deserialize)]
struct Report {
    comparison: Vec<Compared>,
    #[serde(flatten)]
    own: Day,
    #[serde(default)]
    others: Vec<Day>,
}

/// What was measured on one day.
#[derive(Deserialize)]
struct Day {
    runs_planned: usize,
    calibration: Option<Calibration>,
    cells: Vec<Cell>,
}

/// How many times slower the machine was than the model says.
#[derive(Deserialize)]
struct Calibration {
    median: f64,
    p99: f64,
}

#[derive(Deserialize)]
struct Compared {
    #[serde(default)]
    cell: String,
    flow: Option<String>,
    figure: String,
    /// Null is never, and none if no run was predicted to have the figure.
    predicted: Option<[Option<f64>; 2]>,
    measured: Vec<Option<f64>>,
    /// Runs without the figure, of those predicted and of those measured.
    #[serde(default)]
    without: [usize; 2],
    inside: usize,
    narrow: bool,
    median: Option<Median>,
}

/// Null is never.
#[derive(Deserialize)]
struct Median {
    predicted: [Option<f64>; 2],
    measured: Option<f64>,
    inside: bool,
    narrow: bool,
}

#[derive(Deserialize)]
struct Cell {
    verdict: String,
}

/// How many of how many.
#[derive(Clone, Copy, Default)]
struct Share {
    of: usize,
    all: usize,
}

/// What a row says: how many values are inside, and how many intervals are narrow; and the same of medians.
#[derive(Clone, Copy, Default)]
struct Sums {
    latencies: Share,
    others: Share,
    narrow: Share,
    medians: Share,
    narrow_medians: Share,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let columns = [
        "drill",
        "runs",
        "slowness",
        "inside",
        "",
        "latencies",
        "others",
        "narrow intervals",
        "medians inside",
        "",
        "narrow intervals",
    ];
    let mut table = Table::new(&columns, 1);
    let mut outside = Table::new(&["drill", "cell", "figure", "predicted", "measured"], 3);
    let mut totals = [Sums::default(); 2];
    for file in &args.files {
        let report = Report::read(file)?;
        let [sums, differing] = report.sums();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        report
            .comparison
            .iter()
            .filter_map(|one| one.outside(&name))
            .for_each(|row| outside.row(&row));
        table.row(&sums.row([name, report.valid_runs(), report.slowness()]));
        totals = [totals[0].and(sums), totals[1].and(differing)];
    }
    for (name, sums) in ["all", "those that differ from run to run"].into_iter().zip(totals) {
        table.row(&sums.row([name.to_owned(), String::new(), String::new()]));
    }
    print!("{}", if args.outside { outside } else { table }.into_text());
    Ok(())
}

// === impl Report ===

impl Report {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        let report: Self = serde_json::from_str(&text).with_context(|| {
            format!("{}: not what `seaworthy drill --compare --json` writes", file.display())
        })?;
        anyhow::ensure!(!report.comparison.is_empty(), "{}: nothing is compared", file.display());
        Ok(report)
    }

    /// Of all figures, and of those that do not have to be just one number: who predicts that is narrow, and mostly right.
    fn sums(&self) -> [Sums; 2] {
        let differs = |one: &&Compared| one.predicted.is_none_or(|[low, high]| low != high);
        let of = |all: &mut dyn Iterator<Item = &Compared>| {
            all.map(Compared::sums).fold(Sums::default(), Sums::and)
        };
        let all = || self.comparison.iter();
        [of(&mut all()), of(&mut all().filter(differs))]
    }

    /// `118 of 120`: those that are not INVALID, of all that were planned.
    fn valid_runs(&self) -> String {
        let is_valid = |cell: &&Cell| cell.verdict != "invalid";
        let valid = self.days().flat_map(|day| &day.cells).filter(is_valid).count();
        let planned: usize = self.days().map(|day| day.runs_planned).sum();
        format!("{valid} of {planned}")
    }

    /// Of each day.
    fn slowness(&self) -> String {
        let told = |known: &Calibration| format!("{:.2}, {:.2}", known.median, known.p99);
        let of_a_day = |day: &Day| day.calibration.as_ref().map_or("–".to_owned(), told);
        self.days().map(of_a_day).collect::<Vec<_>>().join("; ")
    }

    fn days(&self) -> impl Iterator<Item = &Day> {
        self.others.iter().chain([&self.own])
    }
}

// === impl Compared ===

impl Compared {
    /// Where its median should be, and where it is, if it is not there.
    fn outside(&self, drill: &str) -> Option<[String; 5]> {
        let Median { predicted: [low, high], measured, .. } =
            self.median.as_ref().filter(|median| !median.inside)?;
        let cell = [Some(&self.cell), self.flow.as_ref()].into_iter().flatten();
        let cell: Vec<&str> = cell.map(String::as_str).collect();
        let predicted = format!("{} to {}", number(*low), number(*high));
        Some([drill.to_owned(), cell.join(" "), self.figure.clone(), predicted, number(*measured)])
    }

    fn sums(&self) -> Sums {
        let values = Share { of: self.inside, all: self.measured.len() + self.without[1] };
        let one = |is: bool| Share { of: usize::from(is), all: 1 };
        let narrow = one(self.narrow);
        let of_median = |is: fn(&Median) -> bool| self.median.as_ref().map(is).map(one);
        let medians = of_median(|median| median.inside).unwrap_or_default();
        let narrow_medians = of_median(|median| median.narrow).unwrap_or_default();
        let none = Share::default();
        let is_latency = self.figure.starts_with("latency");
        let (latencies, others) = if is_latency { (values, none) } else { (none, values) };
        Sums { latencies, others, narrow, medians, narrow_medians }
    }
}

/// With five digits, as near intervals differ in the fourth.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "never".to_owned() };
    let before_the_point = value.abs().max(1e-9).log10().floor() as i32;
    let after = usize::try_from(4 - before_the_point).unwrap_or_default();
    let text = format!("{value:.after$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

// === impl Sums ===

impl Sums {
    fn and(self, other: Self) -> Self {
        Self {
            latencies: self.latencies.and(other.latencies),
            others: self.others.and(other.others),
            narrow: self.narrow.and(other.narrow),
            medians: self.medians.and(other.medians),
            narrow_medians: self.narrow_medians.and(other.narrow_medians),
        }
    }

    fn row(self, words: [String; 3]) -> Vec<String> {
        let Self { latencies, others, narrow, medians, narrow_medians } = self;
        let values = latencies.and(others);
        let of_runs = [values, latencies, others, narrow].map(Share::percent);
        let of_medians = [medians, narrow_medians].map(Share::percent);
        let runs = [values.count()].into_iter().chain(of_runs);
        words.into_iter().chain(runs).chain([medians.count()]).chain(of_medians).collect()
    }
}

// === impl Share ===

impl Share {
    fn and(self, other: Self) -> Self {
        Self { of: self.of + other.of, all: self.all + other.all }
    }

    fn count(self) -> String {
        format!("{} of {}", self.of, self.all)
    }

    fn percent(self) -> String {
        match self.all {
            0 => "–".to_owned(),
            all => format!("{:.1} %", 100.0 * self.of as f64 / all as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_a_row() {
        let text = r#"{
            "others": [{
                "runs_planned": 1, "calibration": { "median": 1.0, "p99": 1.25 },
                "cells": [{ "verdict": "as_expected" }]
            }],
            "runs_planned": 3, "calibration": null,
            "cells": [{ "verdict": "as_expected" }, { "verdict": "invalid" }, { "verdict": "deviates" }],
            "comparison": [
                { "figure": "recovery", "predicted": [1.0, 1.0], "measured": [1.0, null], "inside": 1, "narrow": true,
                  "median": { "predicted": [1.0, 1.25], "measured": 1.1, "inside": true, "narrow": false } },
                { "figure": "latency, p99", "predicted": [1.0, null], "measured": [1.0], "without": [9, 1], "inside": 2, "narrow": false,
                  "median": null }
            ]
        }"#;
        let report: Report = serde_json::from_str(text).unwrap();
        let row = |sums: Sums| {
            sums.row(["one".to_owned(), report.valid_runs(), report.slowness()]).join(", ")
        };
        let told = [
            "one, 3 of 4, 1.00, 1.25; –, 3 of 4, 75.0 %, 100.0 %, 50.0 %, 50.0 %, 1 of 1, 100.0 %, 0.0 %",
            "one, 3 of 4, 1.00, 1.25; –, 2 of 2, 100.0 %, 100.0 %, –, 0.0 %, 0 of 0, –, –",
        ];
        assert_eq!(report.sums().map(row), told);
    }

    #[test]
    fn a_median_that_is_elsewhere_is_named() {
        let one = |inside, measured| {
            let text = format!(
                r#"{{ "cell": "1/kill", "flow": "users", "figure": "recovery", "predicted": [1.0, 2.0], "measured": [3.0],
                "inside": 0, "narrow": false, "median":
                {{ "predicted": [0.00123456, 12345.6], "measured": {measured}, "inside": {inside}, "narrow": true }} }}"#
            );
            let compared: Compared = serde_json::from_str(&text).unwrap();
            compared.outside("cart").map(|row| row.join(", "))
        };
        let told = "cart, 1/kill users, recovery, 0.0012346 to 12346, ".to_owned();
        assert_eq!(one(true, "2.0"), None);
        assert_eq!(one(false, "20.50"), Some(told.clone() + "20.5"));
        assert_eq!(one(false, "null"), Some(told + "never"));
    }
}
