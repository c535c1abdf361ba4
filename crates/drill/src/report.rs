//! What came of a drill, for people and for programs.

mod claims;
mod comparison;
mod details;
mod figures;
mod flows;
pub(crate) mod json;
mod matrix;
mod reading;
mod table;

use seaworthy_core::experiment::expectation::{Outcome, Verdict};
use seaworthy_core::experiment::{Cell, Findings};

use seaworthy_sim::machine::Calibration;

use crate::job::Job;
use crate::plan::title;
use crate::recorded::Recorded;
use crate::simulation::Day;
use crate::style::{FAINT, HEAD, of, paint};
use crate::words::{percent, rough};
use figures::Figures;

/// One run of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Which cell.
    pub(crate) cell: Cell,
    /// Counts its runs: 1, 2, …
    pub(crate) repeat: u32,
    /// What came of it.
    pub(crate) findings: Findings,
}

/// All that has been done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    /// What is known of the machine, if anything is.
    pub(crate) calibration: Option<Calibration>,
    /// Simulated runs, if the others are held against them.
    pub(crate) predicted: Vec<Row>,
    /// What is judged,
    pub(crate) rows: Vec<Row>,
    /// or what was measured on other days, and is only held against what is predicted.
    pub(crate) recorded: Vec<Recorded>,
}

// === impl Results ===

impl Results {
    /// The runs that are held against what is predicted: of other days, or of this one.
    pub(crate) fn days(&self, job: &Job) -> Vec<Day> {
        if !self.recorded.is_empty() {
            return self.recorded.iter().map(|day| day.of(job)).collect();
        }
        let valid = self.rows.iter().filter(|row| row.findings.verdict != Verdict::Invalid);
        let runs = valid.map(|row| (row.cell, row.repeat)).collect();
        vec![Day { seed: job.seed, runs, calibration: self.calibration.clone() }]
    }
}

/// The worst of all verdicts, of what the claims come to, and of what the comparison does.
pub(crate) fn verdict(job: &Job, results: &Results) -> Verdict {
    let claims = claims::verdict(&Figures::of(job, &results.rows));
    let cells = results.rows.iter().map(|row| row.findings.verdict).max();
    cells.unwrap_or(Verdict::AsExpected).max(claims).max(comparison::verdict(job, results))
}

/// One line about one run: `as expected: up, 0.04 % failed`, `INVALID: there was no task-9`.
pub(crate) fn line(job: &Job, row: &Row) -> String {
    let Findings { numbers, verdict, outcome, reasons, .. } = &row.findings;
    let failed = percent(numbers.failed_share());
    let life_size = if job.scale == 1 { "" } else { " at life size" };
    let told = match (verdict, outcome) {
        (Verdict::Invalid, _) => reasons.join("; "),
        (_, Outcome::Up) => format!("up, {failed} failed"),
        (_, Outcome::Degraded) => format!("degraded, {failed} failed"),
        (_, Outcome::Down) => {
            format!("down {}{life_size}, {failed} failed", rough(numbers.longest_gap * job.scale))
        }
    };
    format!("  {}: {told}", paint(of(*verdict), &verdict.to_string()))
}

/// The whole report; no line of prose or of a table is longer than `width`, if it can be helped.
pub(crate) fn text(job: &Job, results: &Results, width: usize) -> String {
    let figures = Figures::of(job, &results.rows);
    let title = paint(HEAD, &title(job)) + "\n";
    if !results.recorded.is_empty() {
        return format!("\n{title}{}", comparison::render(job, results, width));
    }
    let mut parts = vec![
        title + &matrix::render(&figures, width),
        details::render(&figures, width),
        flows::render(&figures, width),
        flows::calls(&figures, width),
        flows::rollouts(&figures, width),
        details::windows(&figures, width),
        comparison::render(job, results, width),
        claims::render(&figures, width),
        reading::render(&figures, width),
    ];
    if job.cells.len() < job.drill.cells().len() {
        parts.push(paint(FAINT, "Only the cells that were asked for were run.") + "\n");
    }
    parts.retain(|part| !part.is_empty());
    "\n".to_owned() + &parts.join("\n")
}

#[cfg(test)]
pub(crate) mod tests;
