//! A table of figures for each scenario.

use super::Run;
use crate::figures::Figures;
use crate::output::Table;
use crate::proxy::Kind;
use crate::scenario::Scenario;
use crate::statistics::cell;

/// How it was measured.
const HOW: &str = "\
An open-loop load over backends that are real processes; a client waits 10 s. Latency counts from the intended send, and
what is not answered with 200 failed in its intended second. Seaworthy has its default settings, the peers those in
`crates/bench/peers/failover`. One worker each, nothing pinned, rounds interleaved; medians, with their range in
parentheses. \"Last after s\" is the intended send of the last failure, from the fault. \"Full share\" is the beginning of
the first 250 ms in which the backend gets a quarter of the requests, from its first passing check after the fault is
over (for who makes no checks, from its end). \"Run twice\", \"extra\" (more than there were requests) and \"taken out\" (no
request for 500 ms) are by what backends wrote down before they did it; a killed backend is out once.

";

/// A table for each scenario.
pub(super) fn markdown(runs: &[Run]) -> String {
    let mut scenarios: Vec<Scenario> = runs.iter().map(|run| run.scenario).collect();
    scenarios.dedup();
    let of = |scenario| {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.scenario == scenario).collect();
        format!("## {}\n\n{}.\n\n{}\n", scenario.name(), scenario.says(), table(&runs))
    };
    scenarios.into_iter().fold(HOW.to_owned(), |text, scenario| text + &of(scenario))
}

fn table(runs: &[&Run]) -> String {
    const COLUMNS: [&str; 15] = [
        "proxy",
        "requests",
        "failed",
        "last after s",
        "over 500 ms",
        "over 1 s",
        "longest silence ms",
        "p50 before ms",
        "p99 before",
        "p99 during",
        "p99 after",
        "full share after s",
        "run twice",
        "extra %",
        "taken out",
    ];
    let mut table = Table::new(&COLUMNS, 1);
    let mut kinds: Vec<Kind> = runs.iter().map(|run| run.proxy).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of: Vec<&Figures> =
            runs.iter().filter(|run| run.proxy == kind).map(|run| &run.figures).collect();
        let figure = |figure: fn(&Figures) -> Option<f64>, digits| {
            cell(of.iter().filter_map(|figures| figure(figures)), digits)
        };
        table.row(&[
            kind.to_string(),
            figure(|f| Some(f.requests as f64), 0),
            figure(|f| Some(f.failed as f64), 0),
            figure(|f| f.last_failure_s, 2),
            figure(|f| Some(f.slower_than_500_ms as f64), 0),
            figure(|f| Some(f.slower_than_1_s as f64), 0),
            figure(|f| Some(f.longest_silence_ms), 1),
            figure(|f| f.p50_before_ms, 1),
            figure(|f| f.p99_before_ms, 1),
            figure(|f| f.p99_during_ms, 1),
            figure(|f| f.p99_after_ms, 1),
            or_never(figure(|f| f.full_share_s, 2), &of),
            figure(|f| Some(f.twice as f64), 0),
            figure(|f| Some(f.extra_percent), 2),
            figure(|f| Some(f.taken_out as f64), 0),
        ]);
    }
    table.into_text()
}

/// With the number of rounds in which the full share never came, if it came in some.
fn or_never(cell: String, of: &[&Figures]) -> String {
    let never = of.iter().filter(|figures| figures.full_share_s.is_none()).count();
    if never == 0 || never == of.len() { cell } else { format!("{cell}; {never} × never") }
}
