//! Thirteen scenarios in which a balancer can fail, under a few strategies: the table of
//! docs/performance/scenarios.md. The same number of seeds always gives the same table.
//!
//! `cargo run --release -p seaworthy-sim --example scenarios [-- SEEDS]`

use seaworthy_sim::availability::Interval;
use seaworthy_sim::scenarios::{self, Figures, Scenario, Strategy};

/// From fewer there is no interval.
const SEEDS: u64 = 30;

fn main() {
    let seeds = std::env::args().nth(1).map_or(SEEDS, |n| n.parse().expect("SEEDS is a number"));
    println!("| scenario | strategy | success % | goodput % | deadline s | mean s | sent |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    for scenario in scenarios::all() {
        for strategy in Strategy::ALL.into_iter().filter(|one| one.is_for(&scenario)) {
            let run = |seed| scenarios::run(&scenario, strategy, seed);
            let runs: Vec<Figures> = (1..=seeds).map(run).collect();
            println!("{}", row(&scenario, strategy, &runs));
        }
    }
}

fn row(scenario: &Scenario, strategy: Strategy, runs: &[Figures]) -> String {
    let of = |what: &dyn Fn(&Figures) -> Option<f64>| -> Vec<f64> {
        runs.iter().filter_map(what).collect()
    };
    let share = |part: u64, run: &Figures| Some(100.0 * part as f64 / run.requests as f64);
    format!(
        "| {} | {strategy} | {} | {} | {} | {} | {} |",
        scenario.name,
        mean(&of(&|run| share(run.succeeded, run)), 2),
        mean(&of(&|run| share(run.good, run)), 2),
        scenario.deadline.as_secs_f64(),
        mean(&of(&|run| run.mean), 3),
        mean(&of(&|run| Some(run.sent as f64 / run.requests as f64)), 3),
    )
}

/// `98.94 ± 0.08`, or a dash if there is nothing.
fn mean(values: &[f64], digits: usize) -> String {
    if values.is_empty() {
        return "–".to_owned();
    }
    let Interval { value, half_width } = Interval::of_mean(values);
    let half_width = half_width.map(|half| format!(" ± {half:.digits$}"));
    format!("{value:.digits$}{}", half_width.unwrap_or_default())
}
