//! `seaworthy sim`: the decisions of Seaworthy in virtual time.

mod metastable;
mod replay;
mod swarm;

use std::process::ExitCode;

/// Lets the decisions of Seaworthy happen in virtual time
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Swarm(swarm::Args),
    Replay(replay::Args),
    Metastable(metastable::Args),
}

/// Runs what `args` name.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Swarm(args) => swarm::run(args),
        What::Replay(args) => replay::run(args),
        What::Metastable(args) => metastable::run(args),
    }
}
