//! `seaworthy rollback`: back to what worked.

use std::process::ExitCode;

use super::running::Running;
use super::wait::{Wait, begun, until_ended};

/// Brings a service of a running fleet back to the completed revision before the one it has
///
/// That is a deployment as any other: tasks of that revision take the place of those there are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy revisions store
  seaworthy rollback store

Exit codes:
  0  it is done, or with --no-wait: it has begun
  1  the deployment failed
  2  the command line or the surroundings are wrong")]
pub(crate) struct Args {
    /// Which service
    service: String,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    running: Running,
}

/// Rolls back.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { service, wait, running } = args;
    running.talk(async |client| {
        let deployed = client.rollback(service).await?;
        running.tell(&deployed, begun)?;
        if wait.is_wanted() {
            return until_ended(running, &client, &[deployed.value]).await;
        }
        Ok(ExitCode::SUCCESS)
    })
}
