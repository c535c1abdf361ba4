//! Tables of what was measured: medians of each case, and ratios within rounds.

use super::{Case, Run};
use crate::calls;
use crate::output::Table;
use crate::proxy::Kind;
use crate::statistics::cell;

/// How it was measured.
const HOW: &str = "\
`wrk` with one thread and 64 connections; one nginx with three ports is the backend. Pinned: the proxy with one worker
on CPU 0, load and backend on CPU 1. Each round starts each proxy afresh, warms it up for 1 s, measures and ends it; rounds are
interleaved; medians, with their range in parentheses. CPU is the time of the proxy's processes, user and system, divided
by the requests; it holds the work for the loopback, too. Where \"proxy CPU %\" is under about 97, CPU 1 is what limits the
requests a second. System calls are counted by strace in a run of its own. Configurations: `crates/bench/peers/throughput`.

";

/// A table for each case, then the ratios.
pub(super) fn markdown(runs: &[Run]) -> String {
    let mut cases: Vec<Case> = runs.iter().map(|run| run.case).collect();
    cases.dedup();
    let tables = cases.iter().map(|case| format!("## {case}\n\n{}\n", table(runs, *case)));
    let ratios = [ratios(runs, &cases), two_by_one(runs, &cases)];
    [HOW.to_owned()].into_iter().chain(tables).chain(ratios).collect()
}

fn table(runs: &[Run], case: Case) -> String {
    const COLUMNS: [&str; 12] = [
        "proxy",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/request",
        "user",
        "system",
        "proxy CPU %",
        "idle connections",
        "PSS MiB",
        "errors",
        "system calls/request",
    ];
    let mut table = Table::new(&COLUMNS, 1);
    for kind in kinds(runs) {
        let of: Vec<&Run> = of(runs, case, kind).collect();
        let figure =
            |figure: fn(&Run) -> f64, digits| cell(of.iter().map(|run| figure(run)), digits);
        table.row(&[
            kind.to_string(),
            figure(|run| run.requests_a_second, 0),
            figure(|run| run.p50_micros as f64, 0),
            figure(|run| run.p99_micros as f64, 0),
            figure(Run::cpu_micros, 2),
            figure(|run| run.user_micros, 2),
            figure(|run| run.system_micros, 2),
            figure(|run| run.cpu_percent, 0),
            figure(|run| f64::from(run.idle), 0),
            figure(|run| run.pss_mib, 1),
            figure(|run| run.errors as f64, 0),
            calls::cell(of.iter().filter_map(|run| run.calls.as_ref())),
        ]);
    }
    table.into_text()
}

/// CPU a request and p99, divided by those of each peer in the same round.
fn ratios(runs: &[Run], cases: &[Case]) -> String {
    let peers: Vec<Kind> =
        kinds(runs).into_iter().filter(|kind| *kind != Kind::Seaworthy).collect();
    let cpu = peers.iter().map(|kind| format!("CPU ÷ {kind}"));
    let p99 = peers.iter().map(|kind| format!("p99 ÷ {kind}"));
    let columns: Vec<String> = ["case".to_owned()].into_iter().chain(cpu).chain(p99).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(&columns, 1);
    for case in cases {
        let ratio = |peer, figure: fn(&Run) -> f64| {
            cell(within_rounds((runs, *case, Kind::Seaworthy), (runs, *case, peer), figure), 2)
        };
        let cpu = peers.iter().map(|peer| ratio(*peer, Run::cpu_micros));
        let p99 = peers.iter().map(|peer| ratio(*peer, |run| run.p99_micros as f64));
        let cells: Vec<String> = [case.to_string()].into_iter().chain(cpu).chain(p99).collect();
        table.row(&cells);
    }
    format!("## Seaworthy divided by its peers, within each round\n\n{}\n", table.into_text())
}

fn two_by_one(runs: &[Run], cases: &[Case]) -> String {
    if !cases.contains(&Case::Two) {
        return String::new();
    }
    let of = |kind| {
        let (two, one) = ((runs, Case::Two, kind), (runs, Case::One, kind));
        format!("- {kind}: {}\n", cell(within_rounds(two, one, Run::cpu_micros), 2))
    };
    let all: String = kinds(runs).into_iter().map(of).collect();
    format!("## CPU a request of two workers divided by that of one\n\n{all}")
}

type Chosen<'a> = (&'a [Run], Case, Kind);

fn within_rounds(a: Chosen<'_>, b: Chosen<'_>, figure: fn(&Run) -> f64) -> Vec<f64> {
    let pairs = of(a.0, a.1, a.2).zip(of(b.0, b.1, b.2));
    pairs.map(|(a, b)| figure(a) / figure(b)).collect()
}

fn of(runs: &[Run], case: Case, kind: Kind) -> impl Iterator<Item = &Run> {
    runs.iter().filter(move |run| run.case == case && run.proxy == kind)
}

fn kinds(runs: &[Run]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = runs.iter().map(|run| run.proxy).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
