//! `seaworthy logs`: what tasks wrote.

mod told;

use std::process::ExitCode;
use std::time::Duration;

use seaworthy_agent::api::client::{Answer, Client};
use seaworthy_agent::api::types::{LogLine, LogsQuery};

use super::events::ended;
use super::running::{Running, must_be_there, must_have_been};
use super::say::say;
use super::table::{FAINT, paint};
use told::{KEPT, Told};

/// An agent that has ended is asked again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// Tells what the tasks of a running fleet wrote to their standard output and standard error
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy logs
  seaworthy logs store --follow
  seaworthy logs task-3 --lines 500

With --json: an array of lines; with --follow: one on each line.")]
pub(crate) struct Args {
    /// Only of this task, such as task-3, or of the tasks of this service
    #[arg(value_name = "TASK|SERVICE")]
    of: Option<String>,
    /// Go on with what is written from now on, until the fleet ends
    #[arg(long, short)]
    follow: bool,
    /// So many lines of each task, the last ones
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(LogsQuery::MOST))
    )]
    lines: u32,
    #[command(flatten)]
    running: Running,
}

/// Tells the lines that `args` ask for.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { of, follow, lines, running } = args;
    // What can be a task is one: no service of people who want to see its log is called task-1.
    let task = of.as_ref().and_then(|of| of.parse().ok());
    let service = of.filter(|_| task.is_none());
    let query = LogsQuery { service, task, lines: Some(lines), follow };
    running.talk(async |client| {
        must_be_there(&client, query.service.as_deref()).await?;
        must_have_been(&client, query.task).await?;
        if follow {
            return self::follow(&running, &client, query).await;
        }
        let logs = client.logs(&query).await?;
        running.tell_all(&logs, line)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// An agent that is started again does not know what was told, and lines have no numbers: it tells its last
/// ones, and those that are known are left out.
async fn follow(
    running: &Running,
    client: &Client,
    mut query: LogsQuery,
) -> anyhow::Result<ExitCode> {
    let tell = |line: &Answer<LogLine>| {
        say(if running.json { line.json.clone() } else { self::line(&line.value) })
    };
    let wanted = query.lines();
    query.lines = Some(wanted.max(KEPT) as u32);
    let mut told = Told::default();
    let mut is_first = true;
    let mut lines = client.follow_logs(&query).await?;
    loop {
        let mut past = Vec::new();
        while past.len() < lines.past()
            && let Some(line) = lines.next().await?
        {
            past.push(line);
        }
        for of_task in past.chunk_by(|one, other| one.value.task == other.value.task) {
            let new = told.new_of(of_task.iter().map(|line| &line.value));
            let shown = if is_first { new.min(wanted) } else { new };
            of_task[of_task.len() - shown..].iter().try_for_each(tell)?;
        }
        is_first = false;
        while let Some(line) = lines.next().await? {
            told.add(&line.value);
            tell(&line)?;
        }
        tokio::time::sleep(PAUSE).await;
        lines = match client.follow_logs(&query).await {
            Ok(lines) => lines,
            Err(error) if error.is_absence() => return Ok(ended()),
            Err(error) => return Err(error.into()),
        };
    }
}

fn line(line: &LogLine) -> String {
    let who = format!("{} {} |", line.service, line.task);
    format!("{} {}", paint(FAINT, &who), line.line)
}
