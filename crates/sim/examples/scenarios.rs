//! Thirteen scenarios in which a balancer can fail, under a few strategies: docs/performance/scenarios.md,
//! and with `json` every single run.
//!
//! `cargo run --release -p seaworthy-sim --example scenarios [-- SEEDS [json]]`

use seaworthy_sim::availability::Interval;
use seaworthy_sim::scenarios::{self, Figures, Scenario, Strategy};

/// From fewer there is no interval.
const SEEDS: u64 = 30;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(SEEDS, |text| text.parse().expect("SEEDS is a number"));
    let json = arguments.next().is_some_and(|word| word == "json");
    let mut lines = Vec::new();
    for scenario in scenarios::all() {
        for strategy in Strategy::ALL.into_iter().filter(|one| one.is_for(&scenario)) {
            let runs: Vec<Figures> =
                (1..=seeds).map(|seed| scenarios::run(&scenario, strategy, seed)).collect();
            if json {
                lines.extend(
                    (1..).zip(&runs).map(|(seed, run)| line(&scenario, strategy, seed, run)),
                );
            } else {
                lines.push(row(&scenario, strategy, &runs));
            }
        }
    }
    if json {
        println!("[\n{}\n]", lines.join(",\n"));
    } else {
        println!("| scenario | strategy | success % | goodput % | deadline s | mean s | sent |");
        println!("|---|---|--:|--:|--:|--:|--:|\n{}", lines.join("\n"));
    }
}

fn line(scenario: &Scenario, strategy: Strategy, seed: u64, run: &Figures) -> String {
    let strategy = strategy.to_string();
    serde_json::json!({ "scenario": scenario.name, "strategy": strategy, "seed": seed, "run": run })
        .to_string()
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
