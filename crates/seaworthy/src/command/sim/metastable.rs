//! `seaworthy sim metastable`: how long a trigger may last before the service stays down.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use seaworthy_sim::metastable::{Boundary, Search};

use super::super::say::say;
use super::super::table::{BAD, GOOD, PLAIN, Table, cell};

/// Searches how long a trigger may last before a service stays down when it is gone
///
/// The trigger is the fault of the drill's first schedule that has only one, which lasts and is over before
/// the load is: a spike, or tasks that hang or are slow for a while. Its length is bisected, for each
/// configuration, load and seed. A service stays down if the objective never holds again in all the
/// time that the schedule leaves after the trigger.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seaworthy sim metastable
  seaworthy sim metastable drill.toml --load 50,100,150 --longest 30s

Exit codes:
  0  the boundaries are shown
  2  the command line or the drill file is wrong")]
pub(super) struct Args {
    /// The drill file, or the name of one that comes with Seaworthy
    #[arg(default_value = "metastable")]
    file: PathBuf,
    /// How much load, in percent of what the file says; several with commas
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    load: Vec<u32>,
    /// The longest trigger that is tried
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    longest: Duration,
    /// So many seeds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
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
    let drill = seaworthy_drill::life_size(&args.file)?;
    let search = Search::new(drill).with_context(|| {
        let file = args.file.display();
        format!(
            "{file}: no schedule has just one fault, which lasts and is over before the load is"
        )
    })?;
    say(format_args!(
        "{}, of any length up to {}; it stays down if it has not recovered {} later\n",
        search.trigger().kind,
        seconds(args.longest),
        seconds(search.calm())
    ))?;
    let mut table =
        Table::new(&["LOAD", "A SECOND", "STAYS DOWN AFTER", "SHORTEST TO LONGEST", "SETTING"]);
    for percent in &args.load {
        let search = search.with_load(*percent);
        let drill = search.drill();
        for (n, configuration) in drill.configurations.iter().enumerate() {
            let boundary = search.boundary(n, args.longest, args.seeds)?;
            let style = if boundary.shortest.is_some() { BAD } else { GOOD };
            table.row([
                cell(PLAIN, format_args!("{percent} %")),
                cell(PLAIN, drill.load.rate()),
                cell(style, moment(boundary.median)),
                cell(PLAIN, span(&boundary)),
                cell(PLAIN, &configuration.title),
            ]);
        }
    }
    say(table.render())?;
    say(format_args!(
        "STAYS DOWN AFTER: the trigger that half of {} seeds do not recover from; beside it those of \
         the first and the last of them",
        args.seeds
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn span(Boundary { shortest, longest, .. }: &Boundary) -> String {
    match shortest {
        Some(_) => format!("{} to {}", moment(*shortest), moment(*longest)),
        None => "never".to_owned(),
    }
}

fn moment(boundary: Option<Duration>) -> String {
    boundary.map_or_else(|| "never".to_owned(), seconds)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
