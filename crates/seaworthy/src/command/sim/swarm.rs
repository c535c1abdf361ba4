//! `seaworthy sim swarm`: random fleets with random fates.

use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use seaworthy_sim::swarm::{self, Outcome, Planted, Scenario, Tally, Violation};

use super::super::number::whole;
use super::super::say::{even_if_unread, note, say};
use super::super::table::{BAD, PLAIN, Table, cell};

/// Lets random things happen to random fleets, and says what did not hold
///
/// Each seed is a fleet that could be written, what its programs are like, and what happens to it. First
/// everything goes wrong that can, then all is mended, and the fleet must be as desired again. What
/// breaks a rule is made small, and told in words and as a script for `sim replay`; the same seed always
/// tells the same story.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  every rule held
  1  one did not
  2  the command line is wrong, or the same seed told two stories")]
pub(super) struct Args {
    /// So many scenarios
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    seeds: u32,
    /// The seed of the first one; the others follow
    #[arg(long, value_name = "SEED", default_value_t = 1, allow_negative_numbers = true, value_parser = whole(0..=LAST_SEED))]
    from: u64,
    /// So many threads [default: one for each processor]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1..=1024_u16))]
    threads: Option<u16>,
    /// Let each one happen twice, and compare everything that came of it
    #[arg(long)]
    twice: bool,
    /// Write the script of each violation to this directory, which is made: as soon as it is found, and once more
    /// if it is made small
    #[arg(long, value_name = "DIRECTORY")]
    save: Option<PathBuf>,
    /// Plant a bug in the simulated Seaworthy, to see that it is found
    #[arg(long, value_name = "BUG", value_parser = bug())]
    plant: Option<Planted>,
    /// Print what was found, as JSON
    #[arg(long)]
    json: bool,
}

/// A fleet file knows no higher number.
const LAST_SEED: u64 = i64::MAX as u64;
/// So many violations are made small: that takes a while, and the first ones tell enough.
const SHRUNK: usize = 5;
/// The share in percent in which each state is to be reached.
const ENOUGH: f64 = 1.0;

/// A violation, and the scenario in which it was found, or a smaller one.
struct Found {
    seed: u64,
    scenario: Scenario,
    violation: Violation,
}

/// Named as in a script.
fn bug() -> impl TypedValueParser<Value = Planted> {
    let possible = |bug: &Planted| {
        let name: Result<String, _> = serde_json::from_value(serde_json::json!(bug));
        PossibleValue::new(name.expect("a bug has a name")).help(bug.to_string())
    };
    let all = PossibleValuesParser::new(Planted::ALL.iter().map(possible));
    all.try_map(|name| serde_json::from_value(name.into()))
}

/// Runs the swarm that `args` describe.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let last = args.from + u64::from(args.seeds) - 1;
    ensure!(last <= LAST_SEED, "--from, --seeds: the last seed is at most {LAST_SEED}");
    if let Some(directory) = &args.save {
        std::fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    }
    let tally = args.run()?;
    let took = begun.elapsed();
    let mut shrunk = Vec::new();
    for (seed, how) in tally.violations.iter().take(SHRUNK) {
        let small = args.shrink(*seed, how);
        args.save(&small)?;
        shrunk.push(small);
    }
    let told =
        if args.json { say(args.json(&tally, &shrunk)) } else { args.tell(&tally, &shrunk, took) };
    even_if_unread(told)?;
    Ok(if tally.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

// === impl Args ===

impl Args {
    fn run(&self) -> anyhow::Result<Tally> {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or_else(cores, usize::from);
        let next = AtomicU64::new(0);
        let (report, reports) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (next, report) = (&next, report.clone());
                scope.spawn(move || {
                    let mut take = || next.fetch_add(1, Ordering::Relaxed);
                    let ordinals = std::iter::repeat_with(&mut take);
                    for ordinal in ordinals.take_while(|ordinal| *ordinal < u64::from(self.seeds)) {
                        let seed = self.from + ordinal;
                        // Whoever receives has gone only if it has failed.
                        let _ = report.send((seed, self.examine(seed)));
                    }
                });
            }
            drop(report);
            let result = self.collect(&reports);
            // Nobody needs the rest.
            next.store(u64::from(self.seeds), Ordering::Relaxed);
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
        let clear = || {
            if seen {
                let _ = std::io::stderr().write_all(b"\r\x1b[K");
            }
        };
        let all = reports.iter().try_for_each(|(seed, outcome)| {
            let outcome = outcome?;
            if let Some(violation) = &outcome.violation {
                clear();
                self.found(seed, violation)?;
            }
            tally.add(seed, outcome);
            if seen && shown.elapsed() >= Duration::from_millis(200) {
                shown = Instant::now();
                let (seeds, found) = (tally.seeds, tally.violations.len());
                let line = format!("\r{seeds} of {} seeds, violations: {found}", self.seeds);
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            anyhow::Ok(())
        });
        clear();
        all?;
        tally.violations.sort_by_key(|(seed, _)| *seed);
        Ok(tally)
    }

    /// Whoever ends the swarm early, or waits for a seed that never ends, has all that was found until then.
    fn found(&self, seed: u64, violation: &Violation) -> anyhow::Result<()> {
        let all = violation.to_string();
        note(format_args!("seed {seed}: {}", all.lines().next().unwrap_or_default()));
        let (scenario, violation) = (self.scenario(seed), violation.clone());
        self.save(&Found { seed, scenario, violation })
    }

    fn save(&self, found: &Found) -> anyhow::Result<()> {
        let Some(directory) = &self.save else { return Ok(()) };
        let file = directory.join(format!("seed-{}.toml", found.seed));
        std::fs::write(&file, found.script()).with_context(|| format!("{}", file.display()))
    }

    fn tell(&self, tally: &Tally, all: &[Found], took: Duration) -> anyhow::Result<()> {
        for shrunk in all {
            let Found { seed, scenario, violation } = shrunk;
            say(format_args!(
                "Seed {seed} breaks a rule. Made small:\n\n{scenario}\n{violation}\n"
            ))?;
            say(format_args!("For `seaworthy sim replay`:\n\n{}", shrunk.script()))?;
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
            "{} seeds from {}, {} requests, violations: {}, in {:.1} s",
            tally.seeds,
            self.from,
            tally.requests,
            seeds.len(),
            took.as_secs_f64()
        ))
    }

    fn json(&self, tally: &Tally, all: &[Found]) -> serde_json::Value {
        let shares: Vec<_> = tally.shares().collect();
        let reached = shares.iter().map(
            |(what, share)| serde_json::json!({ "state": what.to_string(), "percent": share }),
        );
        let violations = tally.violations.iter().enumerate().map(|(n, (seed, violation))| {
            serde_json::json!({
                "seed": seed,
                "rule": format!("{:?}", violation.rule),
                "violation": violation.to_string(),
                "script": all.get(n).map(Found::script),
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

    fn scenario(&self, seed: u64) -> Scenario {
        Scenario { planted: self.plant, ..swarm::scenario(seed) }
    }

    /// What comes of a seed.
    fn examine(&self, seed: u64) -> anyhow::Result<Outcome> {
        let happen = || {
            let scenario = self.scenario(seed);
            if !self.twice {
                return Ok(swarm::run(&scenario));
            }
            let ((outcome, one), (_, other)) = (swarm::traced(&scenario), swarm::traced(&scenario));
            ensure!(one == other, "seed {seed} told two stories; that is a bug in the simulation");
            Ok(outcome)
        };
        // What panics in a scenario is one of its violations: here is what comes before it.
        let panicked = |_| anyhow!("no scenario comes of seed {seed}; that is a bug");
        panic::catch_unwind(happen).map_err(panicked)?
    }

    /// A small scenario that breaks the same rule, and how.
    fn shrink(&self, seed: u64, violation: &Violation) -> Found {
        note(format_args!("seed {seed} breaks a rule; it is made small"));
        let scenario = self.scenario(seed);
        let shrunk = swarm::shrink(&scenario);
        let (scenario, violation) = shrunk.unwrap_or_else(|| (scenario, violation.clone()));
        Found { seed, scenario, violation }
    }
}

// === impl Found ===

impl Found {
    /// For `sim replay`.
    fn script(&self) -> String {
        let Self { seed, scenario, violation } = self;
        let violation = violation.to_string().replace('\n', "\n# ");
        format!("# Made of seed {seed}. {violation}\n\n{}", scenario.script())
    }
}
