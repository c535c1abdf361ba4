//! `seaworthy revisions`: what a service has been, and could be again.

use std::process::ExitCode;

use seaworthy_agent::api::types::{RevisionState, RevisionView};

use super::running::Running;
use super::table::{BAD, COMING, Cell, FAINT, GOOD, PLAIN, Table, cell};

/// Shows the revisions of a service of a running fleet, and how the deployment of each went
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  seaworthy revisions store

The revision that the service is to have is marked with a *.")]
pub(crate) struct Args {
    /// Of which service
    service: String,
    #[command(flatten)]
    running: Running,
}

/// Shows the revisions that `args` ask for.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.running.talk(async |client| {
        let revisions = client.revisions(&args.service).await?;
        args.running.tell(&revisions, |revisions| render(revisions))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn render(revisions: &[RevisionView]) -> String {
    let mut table = Table::new(&["REVISION", "STATE", "DEPLOYED", "COMMAND", "REASON"]);
    for revision in revisions {
        let mark = if revision.current { " *" } else { "" };
        table.row([
            cell(PLAIN, format!("{}{mark}", revision.revision)),
            state(revision.state),
            cell(PLAIN, &revision.deployed_at),
            cell(PLAIN, revision.command.join(" ")),
            cell(PLAIN, revision.reason.as_deref().unwrap_or("-")),
        ]);
    }
    table.render()
}

fn state(state: RevisionState) -> Cell {
    match state {
        RevisionState::InProgress => cell(COMING, "in progress"),
        RevisionState::RollingBack => cell(COMING, "rolling back"),
        RevisionState::Completed => cell(GOOD, "completed"),
        RevisionState::Failed => cell(BAD, "failed"),
        RevisionState::RolledBack => cell(BAD, "rolled back"),
        RevisionState::Replaced => cell(FAINT, "replaced"),
    }
}
