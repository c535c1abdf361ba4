//! The simulation beside the closed form: truth, estimate, half-width, and how often the interval of
//! a repeat covers the truth. Fleet-years are per minute of one core, as the kernel counts it. All rows,
//! or those with so many TASKS; repeats from the FIRST seed on, so that several cores can share them.
//!
//! `cargo run --release -p seaworthy-sim --example availability [-- REPEATS [TASKS [FIRST]]]`

use std::ops::Range;

use seaworthy_sim::availability::chain::{Estimate, Method, Until};
use seaworthy_sim::availability::{DAY, Group, Loss, Model, Repair, YEAR};

/// Days to failure, tasks, needed. Each repair takes 120 s on average.
const ROWS: [(f64, u32, u32); 12] = [
    (30.0, 1, 1),
    (30.0, 2, 1),
    (30.0, 3, 2),
    (30.0, 4, 3),
    (30.0, 6, 5),
    (30.0, 6, 4),
    (1.0, 1, 1),
    (1.0, 2, 1),
    (1.0, 3, 2),
    (1.0, 6, 5),
    (1.0, 6, 4),
    (1.0, 12, 10),
];
/// Where outages are rarer, nobody waits for them.
const CRUDE_FROM: f64 = 0.1 / YEAR;
const REPAIR: f64 = 120.0;

fn main() {
    let number = |place, name| {
        let text = std::env::args().nth(place)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not {text}")))
    };
    let repeats = number(1, "REPEATS").unwrap_or(200);
    let only = number(2, "TASKS");
    let first = number(3, "FIRST").unwrap_or(1);
    println!(
        "MTTF  n,k    crews  method  truth      estimate               cycles    fleet-years/min  covered"
    );
    for (days, tasks, needed) in
        ROWS.into_iter().filter(|row| only.is_none_or(|only| only == u64::from(row.1)))
    {
        for crews in if tasks == 1 { vec![1] } else { vec![tasks, 1] } {
            for method in [Method::Crude, Method::Biased] {
                row(days, tasks, needed, crews, method, first..first + repeats);
            }
        }
    }
}

fn row(days: f64, tasks: u32, needed: u32, crews: u32, method: Method, seeds: Range<u64>) {
    let failure_rate = 1.0 / (days * DAY);
    let group = Group { tasks, needed, failure_rate, repair_rate: 1.0 / REPAIR, crews };
    if method == Method::Crude && group.outage_rate() < CRUDE_FROM {
        return;
    }
    let repair = Repair::Exponential { mean: REPAIR };
    let (deployments, loss) = (None, Loss::ALL);
    let model =
        Model { tasks, needed, failure_rate, causes: Vec::new(), repair, crews, deployments, loss };
    let truth = group.unavailability();
    let begin = processor_seconds();
    let until = Until::HalfWidth { share: 0.05, most: 1_000_000_000 };
    let first = model.estimate(method, 1, until);
    let again = |seed| model.estimate(method, seed, Until::Cycles(first.cycles));
    let estimates: Vec<Estimate> = seeds.map(again).collect();
    let took = processor_seconds() - begin;
    let covered = estimates.iter().filter(|e| e.unavailability.covers(truth)).count();
    let years: f64 = estimates.iter().map(|estimate| estimate.years).sum();
    println!(
        "{days:>2} d  {tasks:>2},{needed:<2}  {crews:>5}  {:<6}  {truth:.3e}  {:<21}  {:<9} {:>15.2e}  {:.1} %",
        format!("{method:?}").to_lowercase(),
        first.unavailability.to_string(),
        first.cycles,
        years / took * 60.0,
        100.0 * covered as f64 / estimates.len() as f64,
    );
}

/// What this program has used: on a machine with other work, a clock would count that, too.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("it is the first number") / 1e9
}
