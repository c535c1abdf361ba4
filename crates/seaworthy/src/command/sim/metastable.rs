//! `seaworthy sim metastable`: how large a trigger may be before the service stays down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use seaworthy_core::experiment::FaultKind;
use seaworthy_sim::metastable::{Boundary, Search, Size};

use super::super::say::say;
use super::super::table::{BAD, GOOD, PLAIN, Table, cell};

/// Searches how large a trigger may be before a service stays down when it is gone
///
/// The trigger is the fault of the drill's first schedule that has only one: one that lasts and is over before
/// the load is (a spike, or tasks that hang or are slow for a while), or tasks that are stopped or killed. How
/// long it lasts, or how many tasks it meets, is bisected for each configuration, load and seed. A service
/// stays down if the objective never holds again in all the time that the schedule leaves after the trigger.
///
/// Without a file: clients who ask again, retries of the gateway without a budget, and tasks that come back
/// with a cold cache.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seaworthy sim metastable
  seaworthy sim metastable drill.toml --load 50,100,150 --longest 30s

Exit codes:
  0  the boundaries are shown
  2  the command line or the drill file is wrong")]
pub(super) struct Args {
    /// Drill files, or the names of those that come with Seaworthy
    #[arg(value_name = "FILE", default_values = ["metastable", "metastable-retries", "metastable-cold"])]
    files: Vec<PathBuf>,
    /// How much load, in percent of what the file says; several with commas
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "100", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    load: Vec<u32>,
    /// The longest trigger that is tried, if it is one that lasts
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    longest: Duration,
    /// So many seeds
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
}

/// Longer ones are no triggers, but another load.
const LONGEST: Duration = Duration::from_secs(3600);

fn time(text: &str) -> Result<Duration, String> {
    let allowed = "allowed is a time from 1ms to 1h, such as 10s";
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}; {allowed}"))?;
    let within = (Duration::from_millis(1)..=LONGEST).contains(&time);
    if within { Ok(time) } else { Err(allowed.to_owned()) }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    for file in &args.files {
        search(args, file)?;
    }
    say(format_args!(
        "STAYS DOWN AFTER: the trigger that half of {} seeds do not recover from, or none, if the load \
         alone is too much; beside it those of the first and the last of them",
        args.seeds
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn search(args: &Args, file: &Path) -> anyhow::Result<()> {
    let drill = seaworthy_drill::life_size(file)?;
    let title = drill.title.clone();
    let search = Search::new(drill).with_context(|| {
        let file = file.display();
        format!(
            "{file}: no schedule has just one fault, which ends tasks, or lasts and is over before \
             the load is"
        )
    })?;
    let trigger = &search.trigger().kind;
    let (calm, longest) = (Size::Lasts(search.calm()), Size::Lasts(args.longest));
    let trigger = match trigger {
        FaultKind::End { how, .. } => format!("{how} of any number of tasks"),
        _ => format!("{trigger}, of any length up to {longest}"),
    };
    say(format_args!("{title}\n{trigger}; it stays down if it has not recovered {calm} later\n"))?;
    let mut table =
        Table::new(&["LOAD", "A SECOND", "STAYS DOWN AFTER", "SMALLEST TO LARGEST", "SETTING"]);
    for percent in &args.load {
        let search = search.with_load(*percent);
        let drill = search.drill();
        for (n, configuration) in drill.configurations.iter().enumerate() {
            let boundary = search.boundary(n, args.longest, args.seeds)?;
            let style = if boundary.smallest.is_some() { BAD } else { GOOD };
            table.row([
                cell(PLAIN, format_args!("{percent} %")),
                cell(PLAIN, search.rate()),
                cell(style, size(boundary.median)),
                cell(PLAIN, span(&boundary)),
                cell(PLAIN, &configuration.title),
            ]);
        }
    }
    say(table.render())
}

fn span(Boundary { smallest, largest, .. }: &Boundary) -> String {
    match smallest {
        Some(_) => format!("{} to {}", size(*smallest), size(*largest)),
        None => "never".to_owned(),
    }
}

fn size(boundary: Option<Size>) -> String {
    boundary.map_or_else(|| "never".to_owned(), |size| size.to_string())
}
