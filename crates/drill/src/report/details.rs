//! The second tables: everything about every cell, as measured.

use std::time::Duration;

use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::course::Replacement;

use super::figures::{Figures, Runs};
use super::table::{Entry, Table};
use crate::style::{BAD, FAINT, HEAD, of, paint};
use crate::words::{count, exact, percent, span, tasks, wrap};

/// Shares are told for each of so many tasks.
const SHARES_SHOWN: usize = 4;

/// A table for each configuration, or more if they would not fit `width`.
pub(super) fn render(figures: &Figures, width: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    for configuration in 0..figures.job.drill.configurations.len() {
        let mut rest: Vec<(Cell, Runs)> =
            figures.cells().filter(|(cell, _)| cell.configuration == configuration).collect();
        while !rest.is_empty() {
            let fits = |n: &usize| table(figures, &rest[..*n]).width() <= width;
            let most = (2..=rest.len()).take_while(fits).last().unwrap_or(1);
            let next: Vec<_> = rest.drain(..most).collect();
            let mut lines = table(figures, &next).lines();
            lines.extend(reasons(figures, &next, width));
            parts.push(lines.join("\n") + "\n");
        }
    }
    parts.join("\n")
}

fn table(figures: &Figures, columns: &[(Cell, Runs)]) -> Table {
    let job = figures.job;
    let mut table = Table::default();
    let title = if job.scale == 1 { "measured" } else { "as measured, not life size" };
    let name = |(cell, _): &(Cell, Runs)| Entry::styled(HEAD, cell.name(&job.drill));
    table.row([Entry::styled(FAINT, title)].into_iter().chain(columns.iter().map(name)).collect());
    for (label, figure) in ROWS {
        let entries = columns.iter().map(|(_, runs)| Entry::plain(figure(*runs)));
        table.row([Entry::plain(label)].into_iter().chain(entries).collect());
    }
    let verdict =
        |(_, runs): &(Cell, Runs)| Entry::styled(of(runs.verdict()), runs.verdict().to_string());
    table.row([Entry::plain("verdict")].into_iter().chain(columns.iter().map(verdict)).collect());
    table
}

/// A label and what stands behind it.
type Line = (&'static str, fn(Runs) -> String);

const ROWS: [Line; 11] = [
    ("requests", |runs| runs.span(|f| f.numbers.requests, count)),
    ("failed", |runs| runs.span(|f| f.numbers.failed, count)),
    ("failed share", |runs| runs.span(|f| f.numbers.failed_share(), percent)),
    ("seconds below target", |runs| {
        runs.span(|f| f.numbers.seconds_below_target, |seconds| seconds.to_string())
    }),
    ("longest gap", |runs| {
        let spacing = exact(runs.job.drill.load.spacing());
        format!("{} ± {spacing}", runs.span(|f| f.numbers.longest_gap, exact))
    }),
    ("by arithmetic", |runs| runs.range(exact).unwrap_or_else(|| "no gap".to_owned())),
    ("longest silence", |runs| runs.span(|f| f.numbers.longest_silence, exact)),
    ("recovery", |runs| runs.if_ever(|f| f.numbers.recovery)),
    ("shares before faults", shares),
    ("latency, p99", |runs| runs.if_ever(|f| f.numbers.latency_p99)),
    ("lateness, p99", |runs| runs.span(|f| f.numbers.lateness_p99, exact)),
];

/// The share of each task before the first fault.
fn shares(runs: Runs) -> String {
    let shares = || runs.all.iter().flat_map(|findings| findings.shares.values());
    let say = |share: f64| format!("{:.1} %", share * 100.0);
    match runs.all {
        [one] if one.shares.len() <= SHARES_SHOWN => {
            let each: Vec<String> = shares().map(|share| format!("{:.1}", share * 100.0)).collect();
            format!("{} %", each.join(" "))
        }
        _ => {
            let low = shares().copied().min_by(f64::total_cmp).unwrap_or_default();
            let high = shares().copied().max_by(f64::total_cmp).unwrap_or_default();
            span(low, high, say)
        }
    }
}

/// Why cells are not as expected.
fn reasons(figures: &Figures, columns: &[(Cell, Runs)], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (cell, runs) in columns {
        let name = cell.name(&figures.job.drill);
        let mut reasons: Vec<&String> = runs.all.iter().flat_map(|f| &f.reasons).collect();
        reasons.dedup();
        for reason in reasons {
            lines.extend(wrap(&format!("{name}: {reason}"), width));
        }
    }
    lines.iter().map(|line| paint(BAD, line)).collect()
}

/// How long each replacement took, and what that is made of; nothing if no task went.
pub(super) fn windows(figures: &Figures, width: usize) -> String {
    let (table, missing) = windows_table(figures);
    if table.is_empty() && missing.is_empty() {
        return String::new();
    }
    let scaled =
        if figures.job.scale == 1 { "" } else { ", as measured; a task's own start is not scaled" };
    let title = format!("From out of rotation to replacement in rotation{scaled}");
    let title = wrap(&title, width).into_iter().map(|line| paint(HEAD, &line));
    let lines: Vec<String> = title.chain(table).chain(missing).collect();
    lines.join("\n") + "\n"
}

/// The lines of the table, and a line for each cell in which a task was not replaced.
fn windows_table(figures: &Figures) -> (Vec<String>, Vec<String>) {
    let mut table = Table::default();
    let mut missing = Vec::new();
    for (cell, runs) in figures.cells() {
        let name = cell.name(&figures.job.drill);
        let all = || runs.all.iter().flat_map(|findings| &findings.replacements);
        let done: Vec<Window> = all().filter_map(Window::of).collect();
        match (runs.all, done.as_slice()) {
            (_, []) => {}
            ([_], _) => done.iter().for_each(|window| {
                table.row(window_row(&name, window.who.clone(), std::slice::from_ref(window)));
            }),
            _ => table.row(window_row(&name, format!("{} tasks", done.len()), &done)),
        }
        let lacking = all().count() - done.len();
        if lacking > 0 {
            let lacking = tasks(lacking as u32);
            missing.push(format!("{name}: {lacking} not replaced by the end of the load"));
        }
    }
    let head = ["", "", "window", "= backoff, provisioning", "+ own start", "+ next check"];
    (table.lines_below(head.map(|word| Entry::styled(FAINT, word)).into()), missing)
}

/// What a window is made of; of nothing where the new task came before the old one went.
struct Window {
    who: String,
    whole: Duration,
    /// Backoff included.
    provisioning: Duration,
    start: Duration,
    check: Duration,
}

impl Window {
    /// None if the new task never came into rotation.
    fn of(replacement: &Replacement) -> Option<Self> {
        let (whole, own_start) = (replacement.window()?, replacement.start?);
        let who = format!("{} → {}", replacement.task, replacement.by);
        let part = |part: Duration| if whole.is_zero() { whole } else { part };
        let provisioning = replacement.waited + replacement.provisioning;
        let [provisioning, start] = [provisioning, own_start].map(part);
        let check = whole.saturating_sub(provisioning + start);
        Some(Self { who, whole, provisioning, start, check })
    }
}

fn window_row(name: &str, who: String, windows: &[Window]) -> Vec<Entry> {
    let say = |part: fn(&Window) -> Duration| {
        let low = windows.iter().map(part).min().unwrap_or_default();
        let high = windows.iter().map(part).max().unwrap_or_default();
        Entry::plain(span(low, high, exact))
    };
    let parts = [say(|w| w.whole), say(|w| w.provisioning), say(|w| w.start), say(|w| w.check)];
    [Entry::plain(name), Entry::plain(who)].into_iter().chain(parts).collect()
}
