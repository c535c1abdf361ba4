//! `seaworthy stop`: ends a task at once.

use std::process::ExitCode;

use seaworthy_core::endpoints::TaskId;

use super::running::Running;

/// Ends a task of a running fleet at once, undrained, as a stop by hand does in ECS
///
/// Its requests that are under way are cut when it goes. `seaworthy drain` lets them finish. The service
/// replaces it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seaworthy stop task-3")]
pub(crate) struct Args {
    /// Which task, such as task-3
    task: TaskId,
    #[command(flatten)]
    running: Running,
}

/// Stops the task.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.running.talk(async |client| {
        let stopped = client.stop(args.task).await?;
        args.running
            .tell(&stopped, |task| format!("{} of {} is told to end", task.task, task.service))?;
        Ok(ExitCode::SUCCESS)
    })
}
