//! `seaworthy drill`: breaks a fleet under load and shows what its users would have seen.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_core::experiment::Selection;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_drill::{Ending, FEWEST_CALIBRATING, FEWEST_PREDICTED, MOST_REPEATS, Mode, Options};

use super::number::whole;
use super::say::note;

/// More simulations say nothing more.
const MOST_PREDICTED: u32 = 100_000;
/// More runs say little more of how they differ.
const MOST_CALIBRATING: usize = 100;

/// Breaks a fleet under load, and shows what its users would have seen
///
/// Starts the drill's fleets as real processes behind a load balancer of their own, sends them
/// requests on a fixed schedule, stops or kills tasks, and measures. However it ends, nothing is
/// left running. With --sim nothing is started at all: the same decisions are taken in virtual time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  every cell went as expected
  1  some cell deviates from what the drill file expects of it; or, with --compare, fewer than
     95 % of the measured values are inside the predicted intervals
  2  the command line, the drill file or the surroundings are wrong
  3  some cell is INVALID: it measured nothing that could be judged")]
pub(crate) struct Args {
    /// The drill file, or the name of one that comes with Seaworthy, such as report, which is the one
    /// without FILE
    file: Option<PathBuf>,
    /// Simulate it: start nothing, and be done at once
    #[arg(long, conflicts_with = "compare")]
    sim: bool,
    /// Simulate each cell many times, then run it, and hold what is measured against what is predicted
    #[arg(long)]
    compare: bool,
    /// With --compare, how often each cell is simulated
    #[arg(long, value_name = "N", default_value_t = 200, requires = "compare", conflicts_with = "sim", allow_negative_numbers = true, value_parser = whole(FEWEST_PREDICTED..=MOST_PREDICTED))]
    predict: u32,
    /// With --compare, how many runs in which nothing happens, among the others, show how slow this machine is;
    /// 0: it is as the drill's model says
    #[arg(long, value_name = "N", default_value_t = 5, requires = "compare", conflicts_with = "sim", allow_negative_numbers = true, value_parser = calibrating_runs)]
    calibrate: u32,
    /// With --compare, run nothing: hold what an earlier comparison wrote to FILE with --json against what is
    /// predicted now; may be repeated, for all of them together
    #[arg(long, value_name = "FILE", requires = "compare", conflicts_with_all = ["sim", "calibrate", "repeat", "dry_run"])]
    measured: Vec<PathBuf>,
    /// How many times faster than life, as far as the drill allows; without it, what the file says
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = scale)]
    scale: Option<u32>,
    /// How often each cell is run; the report then shows ranges
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = whole(1..=MOST_REPEATS))]
    repeat: u32,
    /// From which all draws come; without it, what the file says
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,
    /// Run only this cell, such as 1/one, or this configuration, such as 2; may be repeated
    #[arg(long = "cell", value_name = "CELL")]
    cells: Vec<Selection>,
    /// Write the figures to OUT as JSON, after each cell that is run live; - is standard output, at the end
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Say what will be started and stopped and how long it takes; start nothing
    #[arg(long)]
    dry_run: bool,
}

/// Does the drill that `args` describe.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        file,
        sim,
        compare,
        predict,
        calibrate,
        measured,
        scale,
        repeat,
        seed,
        cells,
        json,
        dry_run,
    } = args;
    let mode = match (sim, compare) {
        (true, _) => Mode::Simulated,
        (false, true) => Mode::Compared { calibrate, predict },
        (false, false) => Mode::Live,
    };
    let program = std::env::current_exe().context("this program cannot be found")?;
    let options =
        Options { file, mode, scale, repeat, seed, cells, measured, json, dry_run, program };
    Ok(match seaworthy_drill::run(&options)? {
        Ending::Described | Ending::Judged(Verdict::AsExpected) => ExitCode::SUCCESS,
        Ending::Judged(Verdict::Deviates) => ExitCode::from(1),
        Ending::Judged(Verdict::Invalid) => ExitCode::from(3),
        Ending::Interrupted(signal) => {
            note("seaworthy: interrupted; everything that was started has been ended");
            // As a shell tells of a program that a signal ended.
            ExitCode::from(128 + signal as u8)
        }
    })
}

/// How high it may be is a matter of the drill.
fn scale(written: &str) -> Result<u32, String> {
    written.parse().map_err(|_| "allowed is a whole number, as high as the drill allows".to_owned())
}

fn calibrating_runs(written: &str) -> Result<u32, String> {
    let allowed = FEWEST_CALIBRATING..=MOST_CALIBRATING;
    match written.parse() {
        Ok(runs) if runs == 0 || allowed.contains(&(runs as usize)) => Ok(runs),
        _ => Err(format!("allowed is 0, or {FEWEST_CALIBRATING} to {MOST_CALIBRATING}")),
    }
}
