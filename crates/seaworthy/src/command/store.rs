//! `seaworthy store`: the example service.

use std::process::ExitCode;

/// The example service: product search
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Does what `args` say.
pub(crate) fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("the store comes with the next commit")
}
