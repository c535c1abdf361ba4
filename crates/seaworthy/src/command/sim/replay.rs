//! `seaworthy sim replay`: one scenario that was written down.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_sim::swarm::{self, Scenario};

use super::super::say::{even_if_unread, say};

/// Lets one scenario happen again that `sim swarm` has written down, or somebody else
///
/// The file is TOML: the fleet, its programs and networks, and what happens to them, each so long after
/// the fleet was whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  every rule held
  1  one did not
  2  the command line or the file is wrong")]
pub(super) struct Args {
    /// The scenario
    file: PathBuf,
    /// Print everything that comes of it: nanoseconds, and what
    #[arg(long)]
    trace: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{file}"))?;
    let scenario = Scenario::read(&text).with_context(|| format!("{file}"))?;
    let (outcome, told) = if args.trace {
        let (outcome, trace) = swarm::traced(&scenario);
        (outcome, say(trace.trim_end()))
    } else {
        let told = say(format_args!("{scenario}\n"));
        (swarm::run(&scenario), told)
    };
    let (code, told) = match outcome.violation {
        None => {
            let held = format_args!("{} requests, every rule held", outcome.requests);
            (ExitCode::SUCCESS, told.and_then(|()| say(held)))
        }
        Some(violation) => (ExitCode::from(1), told.and_then(|()| say(violation))),
    };
    even_if_unread(told)?;
    Ok(code)
}
