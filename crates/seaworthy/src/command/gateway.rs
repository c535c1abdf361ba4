//! `seaworthy gateway`: balances over tasks that somebody else runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_core::fleet::{Fleet, RawFleet};
use seaworthy_gateway::Ended;

use super::say::note;

/// Balances requests over tasks that you run yourself, at addresses that stand in a file
#[derive(Debug, clap::Args)]
#[command(
    long_about = "\
Balances requests over tasks that you run yourself, at addresses that stand in a file

A file needs no more than this:

  [service.shop]
  listen = \"127.0.0.1:8080\"
  targets = [\"127.0.0.1:8001\", \"127.0.0.1:8002\"]
  health.path = \"/health\"

Once it listens, it says where, on standard output. What it decides, and why, it says on standard error. \
Send it SIGHUP when the file has changed: no connection is dropped, and a file with a mistake in it \
changes nothing. Send it SIGTERM to stop it: requests that are under way are finished. `seaworthy check \
FILE` says what is likely wrong with a file.",
    after_help = "Exit codes:
  0    it was told to stop, and every request was finished
  1    it was told to stop, and the stop timeout was over before all were
  2    the command line, the file or the surroundings are wrong
  130, 143  a second signal ended it at once"
)]
pub(crate) struct Args {
    /// What to balance over, and how
    file: PathBuf,
}

/// Is that gateway until it is told to stop.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let fleet = read(&args.file)?;
    let again = || read(&args.file).map_err(|error| format!("{error:#}"));
    Ok(match seaworthy_gateway::alone(fleet, again)? {
        Ended::Finished => ExitCode::SUCCESS,
        Ended::Cut(connections) => {
            note(format_args!(
                "seaworthy: the stop timeout is over, {connections} connections were cut"
            ));
            ExitCode::from(1)
        }
        // As a shell tells of a program that a signal ended.
        Ended::AtOnce(signal) => ExitCode::from(128 + signal as u8),
    })
}

fn read(path: &Path) -> anyhow::Result<Fleet> {
    let file = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{file}"))?;
    let raw: RawFleet = toml::from_str(&text).with_context(|| format!("{file}"))?;
    Fleet::of_others(raw).with_context(|| format!("{file}"))
}
