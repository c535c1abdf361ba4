//! `seaworthy down`: the end of a fleet.

use std::process::ExitCode;
use std::time::Duration;

use seaworthy_agent::api::client::Client;

use super::running::Running;
use super::wait::{Patience, Wait};

/// How often it is looked whether it has ended.
const EVERY: Duration = Duration::from_millis(250);

/// Drains and ends a running fleet: requests that are under way finish, new ones are refused
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy down
  seaworthy down --no-wait")]
pub(crate) struct Args {
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    running: Running,
}

/// Ends the fleet.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { wait, running } = args;
    running.talk(async |client| {
        let down = client.down().await?;
        running.tell(&down, |down| {
            format!("the fleet ends; tasks that are drained: {}", down.tasks)
        })?;
        if wait.is_wanted() {
            until_ended(running, &client).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn until_ended(running: &Running, client: &Client) -> anyhow::Result<()> {
    let mut told = usize::MAX;
    let mut patience = Patience::new();
    loop {
        match client.tasks().await {
            Ok(tasks) => {
                patience = Patience::new();
                if tasks.value.len() < told {
                    told = tasks.value.len();
                    running.remark(&format!("tasks left: {told}"))?;
                }
            }
            Err(error) if error.is_absence() => return running.remark("the fleet has ended"),
            Err(error) if patience.bears(&error) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(EVERY).await;
    }
}
