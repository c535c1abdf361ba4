//! `seaworthy events`: what was decided, and why.

use std::process::ExitCode;
use std::time::Duration;

use seaworthy_agent::api::client::{Answer, Client};
use seaworthy_agent::api::types::{EventView, EventsQuery};
use seaworthy_core::endpoints::TaskId;

use super::running::{Running, must_be_there, must_have_been};
use super::say::{note, say};

/// An agent that has ended is asked again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// Tells what was decided in a running fleet, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy events
  seaworthy events --follow --service store
  seaworthy events --task task-3 --json | jq '.[].cause'

With --json: an array of events; with --follow: one event on each line.")]
pub(crate) struct Args {
    /// Go on with what is decided from now on, until the fleet ends
    #[arg(long, short)]
    follow: bool,
    /// Only what is about this service and its tasks
    #[arg(long)]
    service: Option<String>,
    /// Only what is about this task, such as task-3
    #[arg(long)]
    task: Option<TaskId>,
    #[command(flatten)]
    running: Running,
}

/// Tells the events that `args` ask for.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { follow, service, task, running } = args;
    let query = EventsQuery { after: None, service, task, follow };
    running.talk(async |client| {
        must_be_there(&client, query.service.as_deref()).await?;
        must_have_been(&client, query.task).await?;
        if follow {
            return self::follow(&running, &client, query).await;
        }
        let events = client.events(&query).await?;
        running.tell_all(&events, line)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// An agent that is started again is asked for what came after the last event.
async fn follow(
    running: &Running,
    client: &Client,
    mut query: EventsQuery,
) -> anyhow::Result<ExitCode> {
    let mut events = client.follow_events(&query).await?;
    loop {
        while let Some(event) = events.next().await? {
            query.after = Some(event.value.ordinal);
            tell(running, &event)?;
        }
        tokio::time::sleep(PAUSE).await;
        events = match client.follow_events(&query).await {
            Ok(events) => events,
            Err(error) if error.is_absence() => return Ok(ended()),
            Err(error) => return Err(error.into()),
        };
    }
}

/// Whoever follows a fleet is told of its end.
pub(crate) fn ended() -> ExitCode {
    note("seaworthy: the fleet has ended");
    ExitCode::SUCCESS
}

fn tell(running: &Running, event: &Answer<EventView>) -> anyhow::Result<()> {
    say(if running.json { event.json.clone() } else { line(&event.value) })
}

/// Columns of one width, so that what comes later stands below what came before.
fn line(event: &EventView) -> String {
    let task = event.task.map_or_else(|| "-".to_owned(), |task| task.to_string());
    format!("{}  {:10}  {task:9}  {}", event.at, event.service, event.text)
}
