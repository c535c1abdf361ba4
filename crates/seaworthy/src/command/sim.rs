//! `seaworthy sim`: the decisions of Seaworthy in virtual time.

use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use seaworthy_sim::swarm::{self, Outcome, Scenario, Tally, Violation};

use super::say::{note, say};
use super::table::{BAD, PLAIN, Table, cell};

/// Lets the decisions of Seaworthy happen in virtual time
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Swarm(Swarm),
}

/// Lets random things happen to random fleets, and says what did not hold
///
/// Each seed is a fleet that could be written, what its programs are like, and what happens to it. First
/// everything goes wrong that can, then all is mended, and the fleet must be as desired again. What
/// breaks a rule is made small and told in words; the same seed always tells the same story.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  every rule held
  1  one did not
  2  the command line is wrong, or the same seed told two stories")]
struct Swarm {
    /// So many scenarios
    #[arg(long, value_name = "N", default_value = "1000")]
    seeds: NonZero<u64>,
    /// The seed of the first one; the others follow
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// Let each one happen twice, and compare everything that came of it
    #[arg(long)]
    twice: bool,
    /// Print what was found, as JSON
    #[arg(long)]
    json: bool,
}

/// So many violations are made small: that takes a while, and the first ones tell enough.
const SHRUNK: usize = 5;
/// The share in percent in which each state is to be reached.
const ENOUGH: f64 = 1.0;

/// Runs what `args` name.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let What::Swarm(args) = &args.what;
    let begun = Instant::now();
    let tally = args.run()?;
    if args.json {
        say(args.json(&tally))?;
    } else {
        args.tell(&tally, begun.elapsed())?;
    }
    Ok(if tally.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

// === impl Swarm ===

impl Swarm {
    /// On every processor.
    fn run(&self) -> anyhow::Result<Tally> {
        let next = AtomicU64::new(0);
        let (report, reports) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
                let (next, report) = (&next, report.clone());
                scope.spawn(move || {
                    let mut take = || next.fetch_add(1, Ordering::Relaxed);
                    let ordinals = std::iter::repeat_with(&mut take);
                    for ordinal in ordinals.take_while(|ordinal| *ordinal < self.seeds.get()) {
                        let seed = self.from.wrapping_add(ordinal);
                        // Whoever receives has gone only if it has failed.
                        let _ = report.send((seed, examine(seed, self.twice)));
                    }
                });
            }
            drop(report);
            let result = self.collect(&reports);
            // Nobody needs the rest.
            next.store(self.seeds.get(), Ordering::Relaxed);
            result
        })
    }

    fn collect(
        &self,
        reports: &mpsc::Receiver<(u64, anyhow::Result<Outcome>)>,
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let seen = std::io::stderr().is_terminal();
        let mut shown = Instant::now();
        for (seed, outcome) in reports {
            tally.add(seed, outcome?);
            if seen && shown.elapsed() >= Duration::from_millis(200) {
                shown = Instant::now();
                let (seeds, found) = (tally.seeds, tally.violations.len());
                let line = format!("\r{seeds} of {} seeds, {found} violations", self.seeds);
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
        }
        if seen {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
        tally.violations.sort_by_key(|(seed, _)| *seed);
        Ok(tally)
    }

    fn tell(&self, tally: &Tally, took: Duration) -> anyhow::Result<()> {
        for (seed, violation) in tally.violations.iter().take(SHRUNK) {
            note(format_args!("seed {seed} breaks a rule; it is made small"));
            let (small, how) = shrunken(*seed, violation);
            say(format_args!("{small}\n{how}\n"))?;
        }
        let mut table = Table::new(&["SEEDS", "STATE"]);
        for (what, share) in tally.shares() {
            let style = if share < ENOUGH { BAD } else { PLAIN };
            table.row([cell(style, format_args!("{share:>6.2} %")), cell(PLAIN, what)]);
        }
        say(table.render())?;
        let seeds: Vec<String> =
            tally.violations.iter().map(|(seed, _)| seed.to_string()).collect();
        if !seeds.is_empty() {
            say(format_args!("seeds that break a rule: {}", seeds.join(" ")))?;
        }
        say(format_args!(
            "{} seeds from {}, {} requests, {} violations, in {:.1} s",
            tally.seeds,
            self.from,
            tally.requests,
            seeds.len(),
            took.as_secs_f64()
        ))
    }

    fn json(&self, tally: &Tally) -> serde_json::Value {
        let shares: Vec<_> = tally.shares().collect();
        let reached = shares.iter().map(
            |(what, share)| serde_json::json!({ "state": what.to_string(), "percent": share }),
        );
        let violations = tally.violations.iter().map(|(seed, violation)| {
            serde_json::json!({
                "seed": seed,
                "rule": format!("{:?}", violation.rule),
                "violation": violation.to_string(),
            })
        });
        serde_json::json!({
            "from": self.from,
            "seeds": tally.seeds,
            "requests": tally.requests,
            "reached": reached.collect::<Vec<_>>(),
            "violations": violations.collect::<Vec<_>>(),
        })
    }
}

/// What comes of a seed.
fn examine(seed: u64, twice: bool) -> anyhow::Result<Outcome> {
    let scenario = swarm::scenario(seed);
    if !twice {
        return Ok(swarm::run(&scenario));
    }
    let ((outcome, one), (_, other)) = (swarm::traced(&scenario), swarm::traced(&scenario));
    ensure!(one == other, "seed {seed} told two stories; that is a bug in the simulation");
    Ok(outcome)
}

/// A small scenario that breaks the same rule, and how.
fn shrunken(seed: u64, violation: &Violation) -> (Scenario, Violation) {
    let scenario = swarm::scenario(seed);
    swarm::shrink(&scenario).unwrap_or_else(|| (scenario, violation.clone()))
}
