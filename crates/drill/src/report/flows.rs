//! Tables that only some drills have: each flow of the load by itself, the calls to services that
//! were disturbed, and deployments.

use std::time::Duration;

use seaworthy_core::experiment::Findings;
use seaworthy_core::experiment::course::Rollout;
use seaworthy_core::experiment::numbers::Numbers;

use super::figures::{Figures, Runs};
use super::table::{Entry, Table};
use crate::style::{FAINT, HEAD, paint};
use crate::words::{count, exact, percent, wrap};

/// Every cell, flow by flow; nothing if there is just one flow and no answer was degraded.
pub(super) fn render(figures: &Figures, width: usize) -> String {
    let flows = &figures.job.drill.load.flows;
    let degraded = |f: &&Findings| f.numbers.degraded > 0;
    let any_degraded = figures.cells().any(|(_, runs)| runs.all.iter().any(degraded));
    if flows.len() == 1 && !any_degraded {
        return String::new();
    }
    let mut table = Table::default();
    for (cell, runs) in figures.cells() {
        for (n, flow) in flows.iter().enumerate() {
            let name = if n == 0 { cell.name(&figures.job.drill) } else { String::new() };
            let entries = [name, flow.name.clone()].into_iter().chain(row(runs, n));
            table.row(entries.map(Entry::plain).collect());
        }
    }
    let head =
        ["", "", "requests", "failed", "degraded", "oldest", "latency, p50", "p99", "longest gap"];
    let lines = table.lines_below(head.map(|word| Entry::styled(FAINT, word)).into());
    let title = "Flow by flow; a degraded answer is right and says what it lacks";
    let title = wrap(title, width).into_iter().map(|line| paint(HEAD, &line));
    title.chain(lines).map(|line| line + "\n").collect()
}

fn row(runs: Runs, flow: usize) -> [String; 7] {
    let of = move |f: &Findings| -> Numbers { f.flows[flow].clone() };
    let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    [
        runs.span(|f| of(f).requests, count),
        runs.span(|f| of(f).failed_share(), percent),
        runs.span(|f| share(of(f).degraded, of(f).requests), percent),
        runs.span(|f| of(f).oldest, age),
        runs.if_ever(|f| of(f).latency_p50),
        runs.if_ever(|f| of(f).latency_p99),
        runs.span(|f| of(f).longest_gap, exact),
    ]
}

fn age(oldest: Duration) -> String {
    if oldest.is_zero() { "-".to_owned() } else { exact(oldest) }
}

/// What became of the calls to services that were disturbed; nothing if none was.
pub(super) fn calls(figures: &Figures, width: usize) -> String {
    let mut table = Table::default();
    for (cell, runs) in figures.cells() {
        let Some(first) = runs.all.first() else { continue };
        for (n, calls) in first.calls.iter().enumerate() {
            let (begin, end) = (exact(calls.fault.at), exact(calls.fault.end()));
            let what = format!("{}, {begin} to {end}", calls.fault.kind);
            let after = |f: &Findings| f.calls[n].first_after;
            let say = |after: Option<_>| after.map_or("none".to_owned(), exact);
            let entries = [
                cell.name(&figures.job.drill),
                what,
                runs.span(|f| f.calls[n].during, count),
                runs.span(|f| f.calls[n].longest_silence, exact),
                runs.span(after, say),
            ];
            table.row(entries.map(Entry::plain).into());
        }
    }
    let head = ["", "", "calls meanwhile", "longest pause", "next call after its end"];
    let lines = table.lines_below(head.map(|word| Entry::styled(FAINT, word)).into());
    if lines.is_empty() {
        return String::new();
    }
    let title = "Calls that reached a service while the way to it was disturbed";
    let title = wrap(title, width).into_iter().map(|line| paint(HEAD, &line));
    title.chain(lines).map(|line| line + "\n").collect()
}

/// How deployments went; nothing if there was none.
pub(super) fn rollouts(figures: &Figures, width: usize) -> String {
    let mut table = Table::default();
    for (cell, runs) in figures.cells() {
        let Some(first) = runs.all.first() else { continue };
        for (n, rollout) in first.rollouts.iter().enumerate() {
            let of = |f: &Findings, part: fn(&Rollout) -> Option<Duration>| {
                f.rollouts.get(n).and_then(part).unwrap_or(Duration::MAX)
            };
            let say = |at| if at == Duration::MAX { "never".to_owned() } else { exact(at) };
            let entries = [
                cell.name(&figures.job.drill),
                rollout.fault.to_string(),
                runs.span(|f| of(f, |rollout| rollout.started), say),
                runs.span(|f| of(f, |rollout| rollout.done), say),
                runs.span(|f| of(f, |rollout| rollout.back), say),
                runs.span(|f| f.fewest, |tasks| tasks.to_string()),
                runs.span(|f| f.most, |tasks| tasks.to_string()),
            ];
            table.row(entries.map(Entry::plain).into());
        }
    }
    let head = ["", "", "first new task", "all new", "back", "fewest in rotation", "most at once"];
    let lines = table.lines_below(head.map(|word| Entry::styled(FAINT, word)).into());
    if lines.is_empty() {
        return String::new();
    }
    let title = "Deployments: from their beginning to the first start, and to the end, or back";
    let title = wrap(title, width).into_iter().map(|line| paint(HEAD, &line));
    title.chain(lines).map(|line| line + "\n").collect()
}
