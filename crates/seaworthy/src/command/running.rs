//! What all commands about a running fleet have in common.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_agent::api::ApiError;
use seaworthy_agent::api::client::{Answer, Client};
use seaworthy_agent::api::types::{EventsQuery, LogsQuery};
use seaworthy_core::endpoints::TaskId;

use super::say::{note, say, shown};

/// Where a fleet is if nothing else is said.
const DEFAULT: &str = ".seaworthy";

/// Which fleet
#[derive(Debug, clap::Args)]
pub(crate) struct StateDirectory {
    /// Where the fleet keeps its state
    #[arg(
        id = "state",
        long = "state",
        env = "SEAWORTHY_STATE",
        default_value = DEFAULT,
        value_name = "DIR"
    )]
    pub(crate) path: PathBuf,
}

/// A fleet that runs, and how to tell of it
#[derive(Debug, clap::Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(crate) directory: StateDirectory,
    /// Print what the fleet's API answers, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

// === impl StateDirectory ===

impl StateDirectory {
    /// How other commands are told of it, for a shell: nothing where they look anyway.
    pub(crate) fn option(&self) -> String {
        if self.path == Path::new(DEFAULT) {
            return String::new();
        }
        format!(" --state {}", shown(&self.path))
    }
}

// === impl Running ===

impl Running {
    /// Does `what` with the fleet.
    pub(crate) fn talk(
        &self,
        what: impl AsyncFnOnce(Client) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("runtime")?;
        runtime.block_on(what(Client::new(&self.directory.path)))
    }

    /// Tells an answer: as it came, or in words.
    pub(crate) fn tell<T>(
        &self,
        answer: &Answer<T>,
        words: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            return say(&answer.json);
        }
        say(words(&answer.value).trim_end_matches('\n'))
    }

    /// Tells what there is of something, a line each; not even an empty line if there is nothing.
    pub(crate) fn tell_all<T>(
        &self,
        answer: &Answer<Vec<T>>,
        line: impl Fn(&T) -> String,
    ) -> anyhow::Result<()> {
        if !self.json && answer.value.is_empty() {
            return Ok(());
        }
        self.tell(answer, |all| all.iter().map(|one| line(one) + "\n").collect())
    }

    /// Tells how something goes on, beside the JSON if that is asked for.
    pub(crate) fn remark(&self, line: &str) -> anyhow::Result<()> {
        if !self.json {
            return say(line);
        }
        note(line);
        Ok(())
    }
}

/// Whether there is such a service, or it is misspelt.
pub(crate) async fn must_be_there(client: &Client, service: Option<&str>) -> anyhow::Result<()> {
    let Some(service) = service else { return Ok(()) };
    let known = client.fleet().await?.value.services;
    if known.iter().any(|known| known.name == service) {
        return Ok(());
    }
    let known = known.iter().map(|service| service.name.as_str());
    Err(ApiError::no_such_service(service, known).into())
}

/// Whether there is such a task, or was one: of those that are gone, events or lines are left.
pub(crate) async fn must_have_been(client: &Client, task: Option<TaskId>) -> anyhow::Result<()> {
    let Some(wanted) = task else { return Ok(()) };
    let tasks = client.tasks().await?.value;
    let events = EventsQuery { task, ..EventsQuery::default() };
    let logs = LogsQuery { task, lines: Some(1), ..LogsQuery::default() };
    if tasks.iter().any(|known| known.task == wanted)
        || !client.events(&events).await?.value.is_empty()
        || !client.logs(&logs).await?.value.is_empty()
    {
        return Ok(());
    }
    Err(ApiError::no_such_task(wanted, tasks.iter().map(|known| known.task)).into())
}
