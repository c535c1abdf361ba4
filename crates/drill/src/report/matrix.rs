//! The first table: every configuration against every schedule, at life size.

use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::expectation::{Outcome, Verdict};

use super::figures::{Figures, Runs};
use super::table::{Entry, Table};
use crate::job::Job;
use crate::style::{FAINT, GOOD, HEAD, PLAIN, of};
use crate::words::{exact, percent, rough, span, wrap};

/// A column's head is broken into lines of this.
const HEAD_WIDTH: usize = 14;

/// The matrix and what must be known to read it.
pub(super) fn render(figures: &Figures, width: usize) -> String {
    let table = table(figures);
    let fits = table.width() <= width;
    let lines = if fits { table.lines() } else { list(figures) };
    let notes = notes(figures).into_iter().flat_map(|note| wrap(&note, width));
    lines.into_iter().chain(notes).map(|line| line + "\n").collect()
}

fn table(figures: &Figures) -> Table {
    let job = figures.job;
    let mut table = Table::default();
    let mut head = vec![Entry::default(); columns_before(job)];
    let titles = job.drill.schedules.iter().map(|schedule| wrap(&schedule.title, HEAD_WIDTH));
    head.extend(titles.map(|title| Entry::lines(HEAD, title)));
    table.row(head);
    for (n, configuration) in job.drill.configurations.iter().enumerate() {
        let mut row = vec![Entry::plain((n + 1).to_string()), Entry::plain(&configuration.title)];
        row.extend(price(job, n).map(Entry::plain));
        row.extend((0..job.drill.schedules.len()).map(|schedule| {
            figures.runs(Cell { configuration: n, schedule }).map(entry).unwrap_or_default()
        }));
        table.row(row);
    }
    table
}

/// For a screen that is too narrow: a line for each cell.
fn list(figures: &Figures) -> Vec<String> {
    let name = |cell: Cell| cell.name(&figures.job.drill);
    let line = |(cell, runs): (Cell, Runs)| format!("{}: {}", name(cell), entry(runs).words());
    figures.cells().map(line).collect()
}

/// Number, title and perhaps price.
fn columns_before(job: &Job) -> usize {
    2 + usize::from(job.drill.monthly_price_per_task.is_some())
}

fn price(job: &Job, configuration: usize) -> Option<String> {
    let count = job.drill.configurations[configuration].desired_count();
    job.drill.monthly_price_per_task.map(|price| format!("${} a month", price * count))
}

/// `up`, or how long it was down and for how long it should be. A run that is INVALID has no
/// outcome.
fn entry(runs: Runs) -> Entry {
    let verdict = runs.verdict();
    let style = if verdict == Verdict::AsExpected { PLAIN } else { of(verdict) };
    if verdict == Verdict::Invalid {
        let invalid = runs.all.iter().filter(|f| f.verdict == Verdict::Invalid).count();
        return Entry::styled(style, in_some(&verdict.to_string(), "", invalid, runs));
    }
    let (down, degraded) = (runs.seen(Outcome::Down), runs.seen(Outcome::Degraded));
    let entry = if down > 0 {
        let gap = runs.life(|findings| findings.numbers.longest_gap);
        Entry::styled(style, in_some("down", &gap, down, runs))
    } else if degraded > 0 {
        let failed = runs.span(|f| f.numbers.failed_share(), percent) + " failed";
        Entry::styled(style, in_some("degraded", &failed, degraded, runs))
    } else {
        Entry::styled(if style == PLAIN { GOOD } else { style }, "up")
    };
    let range = runs.range(|duration| rough(duration * runs.job.scale));
    let entry = match range {
        Some(range) => entry.and(FAINT, format!("({range})")),
        None => entry,
    };
    if verdict == Verdict::AsExpected { entry } else { entry.and(style, verdict.to_string()) }
}

/// `down 40 s` if it was so in all runs, otherwise `down in 1 of 3`.
fn in_some(what: &str, figure: &str, count: usize, runs: Runs) -> String {
    match runs.all.len() {
        all if count < all => format!("{what} in {count} of {all}"),
        _ if figure.is_empty() => what.to_owned(),
        _ => format!("{what} {figure}"),
    }
}

/// What must be known to read the matrix.
fn notes(figures: &Figures) -> Vec<String> {
    let job = figures.job;
    let spacing = job.drill.load.spacing();
    let mut notes = Vec::new();
    if figures.cells().any(|(_, runs)| runs.range(exact).is_some()) {
        notes.push(
            "In parentheses: the outage by arithmetic, over all draws of provisioning.".to_owned(),
        );
    }
    if job.scale == 1 {
        notes.push(format!("A gap is known to ± {}.", exact(spacing)));
        return notes;
    }
    let all = || figures.cells().flat_map(|(_, runs)| runs.all);
    let starts = || all().flat_map(|findings| findings.starts.values());
    let low = starts().map(|starts| *starts.all.start()).min().unwrap_or_default();
    let high = starts().map(|starts| *starts.all.end()).max().unwrap_or_default();
    notes.push(format!(
        "Life size is {} times what was measured; a gap is known to ± {}. A task's own start ({}) is \
         real and not scaled, so that what it is part of shows up to {} too long.",
        job.scale,
        rough(spacing * job.scale),
        span(low, high, exact),
        rough(high * (job.scale - 1)),
    ));
    notes
}
