//! `seaworthy drain`: retires a task.

use std::process::ExitCode;

use seaworthy_core::endpoints::TaskId;

use super::running::Running;

/// Retires a task of a running fleet: no new requests, those under way finish, then it ends
///
/// The service replaces it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seaworthy drain task-3")]
pub(crate) struct Args {
    /// Which task, such as task-3
    task: TaskId,
    #[command(flatten)]
    running: Running,
}

/// Drains the task.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.running.talk(async |client| {
        let drained = client.drain(args.task).await?;
        args.running.tell(&drained, |task| {
            format!(
                "{} of {} gets no new requests and ends when it has none",
                task.task, task.service
            )
        })?;
        Ok(ExitCode::SUCCESS)
    })
}
