//! `seaworthy sim metastable`: how large a trigger may be before the service stays down.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use seaworthy_core::experiment::FaultKind;
use seaworthy_sim::metastable::{Boundary, Search, Size};
use serde_json::{Value, json};

use super::super::number::whole;
use super::super::say::say;
use super::super::table::{BAD, GOOD, PLAIN, Table, cell};

/// Searches how large a trigger may be before a service stays down when it is gone
///
/// The trigger is the fault of the drill's first schedule that has only one: one that lasts and is over before
/// the load is (a spike, or tasks that hang or are slow for a while), or one that stops or kills a number of
/// tasks. How long it lasts, or how many tasks it meets, is bisected for each configuration, load and seed. A
/// service stays down if the objective never holds again in all the time that the schedule leaves after the
/// trigger.
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
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "100", allow_negative_numbers = true, value_parser = whole(1..=1000_u32))]
    load: Vec<u32>,
    /// The longest trigger that is tried, if it is one that lasts
    #[arg(long, value_name = "TIME", default_value = "10s", allow_hyphen_values = true, value_parser = time)]
    longest: Duration,
    /// So many seeds
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = whole(1..=1000_u32))]
    seeds: u32,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

/// What was searched in one file.
struct Found {
    search: Search,
    rows: Vec<Row>,
}

/// One configuration with one load.
struct Row {
    percent: u32,
    rate: u32,
    setting: String,
    boundary: Boundary,
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
    if args.json {
        let found = args.files.iter().map(|file| Ok(search(args, file)?.json(args, file)));
        let files = found.collect::<anyhow::Result<Vec<_>>>()?;
        let all = json!({ "schema": 1, "seeds": args.seeds, "files": files });
        say(format_args!("{all:#}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    for file in &args.files {
        say(search(args, file)?.words(args))?;
    }
    say(format_args!(
        "STAYS DOWN AFTER: the trigger that half of {} seeds do not recover from, or none, if the load \
         alone is too much; beside it those of the first and the last of them",
        args.seeds
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn search(args: &Args, file: &Path) -> anyhow::Result<Found> {
    let search = Search::new(seaworthy_drill::life_size(file)?).with_context(|| {
        let file = file.display();
        format!(
            "{file}: no schedule has just one fault that can be larger or smaller; allowed is one that lasts \
             and is over before the load is, and a `stop` or `kill` of a number of tasks or of \"all\", not of one \
             task by its name nor of a zone or machine"
        )
    })?;
    for percent in &args.load {
        let checked = search.with_load(*percent).check(args.longest);
        checked.with_context(|| {
            let longest = humantime::format_duration(args.longest);
            format!("{}: with --load {percent} and --longest {longest}", file.display())
        })?;
    }
    let mut rows = Vec::new();
    for percent in &args.load {
        let search = search.with_load(*percent);
        for (n, configuration) in search.drill().configurations.iter().enumerate() {
            let boundary = search.boundary(n, args.longest, args.seeds)?;
            let setting = configuration.title.clone();
            rows.push(Row { percent: *percent, rate: search.rate(), setting, boundary });
        }
    }
    Ok(Found { search, rows })
}

// === impl Found ===

impl Found {
    fn words(&self, args: &Args) -> String {
        let trigger = self.search.trigger();
        let (calm, longest) = (Size::Lasts(self.search.calm()), Size::Lasts(args.longest));
        let trigger = match &trigger.kind {
            FaultKind::End { how, .. } => format!("{how} of any number of tasks"),
            kind => format!("{kind}, of any length up to {longest}"),
        };
        let mut table =
            Table::new(&["LOAD", "A SECOND", "STAYS DOWN AFTER", "SMALLEST TO LARGEST", "SETTING"]);
        for Row { percent, rate, setting, boundary } in &self.rows {
            let style = if boundary.smallest.is_some() { BAD } else { GOOD };
            table.row([
                cell(PLAIN, format_args!("{percent} %")),
                cell(PLAIN, rate),
                cell(style, size(boundary.median)),
                cell(PLAIN, span(boundary)),
                cell(PLAIN, setting),
            ]);
        }
        let title = &self.search.drill().title;
        format!(
            "{title}\n{trigger}; it stays down if it has not recovered {calm} later\n\n{}",
            table.render()
        )
    }

    /// A trigger is as large as it lasts in seconds, or in tasks; null if none is large enough.
    fn json(&self, args: &Args, file: &Path) -> Value {
        let trigger = self.search.trigger();
        let rows = self.rows.iter().map(|Row { percent, rate, setting, boundary }| {
            json!({
                "load_percent": percent,
                "load_per_second": rate,
                "setting": setting,
                "stays_down_after": boundary.median.map(number),
                "smallest": boundary.smallest.map(number),
                "largest": boundary.largest.map(number),
            })
        });
        json!({
            "file": file.display().to_string(),
            "title": self.search.drill().title,
            "trigger": trigger.kind.to_string(),
            "unit": if trigger.lasts.is_zero() { "tasks" } else { "seconds" },
            "longest_seconds": args.longest.as_secs_f64(),
            "recovers_within_seconds": self.search.calm().as_secs_f64(),
            "boundaries": rows.collect::<Vec<_>>(),
        })
    }
}

fn number(size: Size) -> f64 {
    match size {
        Size::Nothing => 0.0,
        Size::Lasts(time) => time.as_secs_f64(),
        Size::Tasks(count) => count.into(),
    }
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
