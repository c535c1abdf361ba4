//! `seaworthy plan`: from a target to the cheapest fleet.

mod amounts;
mod assumptions;
mod beside;
mod figures;
mod places;
mod prose;
mod rehearsed;
mod routes;
mod verdict;
mod words;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use seaworthy_core::fleet::{Fleet, RawFleet, Service};
use seaworthy_sim::availability::Span;
use seaworthy_sim::planner::{Evidence, Question, Report, World, ask};
use serde_json::{Map, Value};

use super::say::say;
use prose::Width;

/// Says how many tasks, and which settings, keep the failed share of requests below a target, and what
/// each change would buy
///
/// Reckons with tasks that die, hang, are sick, are replaced and deployed, in closed form and by simulation, and
/// with what comes of that for requests, which wait, are tried again or are too many. With --load, one of each
/// event is run through agent and gateway as well, in virtual time, for the file and for what is chosen.
/// Candidates are the settings of the file and what may take their place. Starts nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seaworthy plan fleet.toml --target 99.95%
  seaworthy plan fleet.toml --target 99.99% --load 200 --capacity 120 --mttf 7d
  seaworthy drill --json drills.d/report.json && seaworthy plan fleet.toml --target 99.95% --drills drills.d

Exit codes:
  0  some settings meet the target
  1  none does, or nothing can work; the nearest is shown
  2  the command line or a file is wrong")]
pub(crate) struct Args {
    /// The fleet file, as `seaworthy up` takes it
    file: PathBuf,
    /// The share of requests that must succeed, such as 99.95%
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    target: f64,
    /// Which service, if the file has more than one
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Which of its routes, if they have policies of their own; `default` is what no other is for
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Requests a second that come to the service
    #[arg(long, value_name = "RATE", value_parser = number, allow_hyphen_values = true)]
    load: Option<f64>,
    /// Of all requests, those that come by the route, which are all if left out; or, once for each route, such as
    /// search=20%, to ask for all routes at once: what is left comes by `default`
    #[arg(long, value_name = "[NAME=]PERCENT", value_parser = routes::share, allow_hyphen_values = true)]
    share: Vec<routes::Share>,
    /// Requests a second that one task can bear, if its `most_in_flight` allows as many; without it, what that
    /// allows, or any
    #[arg(long, value_name = "RATE", value_parser = number, allow_hyphen_values = true)]
    capacity: Option<f64>,
    /// Time to the failure of one task, on average
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = mean, allow_hyphen_values = true)]
    mttf: Duration,
    /// What one task costs a month
    #[arg(long, value_name = "PRICE", default_value = "15", value_parser = number, allow_hyphen_values = true)]
    price: f64,
    /// Take starts, and how soon a hang is found, from the reports in this directory, as `seaworthy drill
    /// --json` writes them
    #[arg(long, value_name = "DIR")]
    drills: Option<PathBuf>,
    /// From the start of a process to its readiness, if no drill tells: a time or a span
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = span, allow_hyphen_values = true)]
    start: Span,
    /// How long an answer takes
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = time, allow_hyphen_values = true)]
    latency: Duration,
    /// After so long an answer is too late
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, allow_hyphen_values = true)]
    patience: Duration,
    /// Of all failures, those in which a task hangs instead of dying
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent, allow_hyphen_values = true)]
    hangs: f64,
    /// Of all failures, those in which a task fails its requests and passes its checks
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent, allow_hyphen_values = true)]
    sick: f64,
    /// Until somebody stops such a task, or one that hangs and is checked by TCP, if requests do not show it
    #[arg(long, value_name = "TIME", default_value = "15min", value_parser = time, allow_hyphen_values = true)]
    noticed: Duration,
    /// Of all failures of a task, those that take all tasks at once
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = percent, allow_hyphen_values = true)]
    common_cause: f64,
    /// Time to the failure of one zone, on average, with all tasks that `machines` puts there; without it no
    /// zone fails
    #[arg(long, value_name = "TIME", value_parser = mean, allow_hyphen_values = true)]
    zone_mttf: Option<Duration>,
    /// The same of one machine
    #[arg(long, value_name = "TIME", value_parser = mean, allow_hyphen_values = true)]
    machine_mttf: Option<Duration>,
    /// Of all requests, those that may not be sent twice
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent, allow_hyphen_values = true)]
    writes: f64,
    /// Deployments a month
    #[arg(long, value_name = "N", default_value = "20", value_parser = number, allow_hyphen_values = true)]
    deployments: f64,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    number.parse().map_err(|_| "allowed is a percentage, such as 99.95%".to_owned())
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "allowed is a number, such as 15 or 0.5".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text, "a time, such as 30d, 90s or 100ms")
}

fn mean(text: &str) -> Result<Duration, String> {
    let allowed = "the time on average, such as 30d; it is exponential, as a failure is at any moment as \
                   likely, and no other distribution is known";
    duration(text, allowed)
}

fn span(text: &str) -> Result<Span, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let allowed = "a time, or a span in which any time is as likely, such as 2s..5s; no other distribution \
                   is known";
    let one = |text| duration(text, allowed).map(|time| time.as_secs_f64());
    Ok((one(low)?, one(high)?))
}

fn duration(text: &str, allowed: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no time; allowed is {allowed}"))
}

/// Answers what `args` ask.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let fleet = read(&args.file)?;
    let service = choose(&fleet, args)?;
    let mut shares = routes::asked(service, args)?;
    let (route, percent) = shares.remove(0);
    let question = Question {
        service,
        route,
        target: args.target,
        load: args.load,
        route_percent: (!args.share.is_empty()).then_some(percent),
        along: shares,
        capacity: args.capacity,
        price: args.price,
        world: World {
            mttf: args.mttf.as_secs_f64(),
            common_percent: args.common_cause,
            zone_mttf: args.zone_mttf.as_ref().map(Duration::as_secs_f64),
            machine_mttf: args.machine_mttf.as_ref().map(Duration::as_secs_f64),
            hangs_percent: args.hangs,
            sick_percent: args.sick,
            noticed: args.noticed.as_secs_f64(),
            writes_percent: args.writes,
            latency: args.latency.as_secs_f64(),
            patience: args.patience.as_secs_f64(),
            start: args.start,
            deployments: args.deployments,
        },
        evidence: args.drills.as_deref().map(|drills| evidence(drills, service)).transpose()?,
        seed: fleet.seed,
    };
    let answer = shown_as_working(|| ask(&question)).map_err(|error| {
        let of_file = error.key.starts_with("service.");
        if of_file { anyhow!("{}: {error}", args.file.display()) } else { error.into() }
    })?;
    let text = if args.json {
        serde_json::to_string_pretty(&figures::figures(&question, &answer))?
    } else {
        words::words(&question, &answer, Width::of_output())
    };
    say(text.trim_end())?;
    Ok(if answer.cheapest.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Does `work`; on a terminal a line says so meanwhile, as many tasks under a high load take half a minute.
fn shown_as_working<T>(work: impl FnOnce() -> T) -> T {
    let tell = |text: &str| {
        if io::stderr().is_terminal() {
            // Whoever does not see it misses nothing.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    };
    tell("reckoning ...");
    let done = work();
    tell("\r\x1b[K");
    done
}

fn read(file: &Path) -> anyhow::Result<Fleet> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("{name}"))?;
    let raw: RawFleet = toml::from_str(&text).with_context(|| format!("{name}"))?;
    if raw.is_of_others() {
        bail!("{name}: somebody else runs its tasks; allowed is a fleet that seaworthy runs");
    }
    Fleet::try_from(raw).with_context(|| format!("{name}"))
}

fn choose<'a>(fleet: &'a Fleet, args: &Args) -> anyhow::Result<&'a Service> {
    let only = fleet.services.first().filter(|_| fleet.services.len() == 1);
    let names = fleet.services.iter().map(|service| &service.name[..]);
    let chosen = args.service.as_ref().map_or(only, |name| fleet.service(name));
    chosen.with_context(|| missing(args, "--service", args.service.as_deref(), names))
}

fn missing<'a>(
    args: &Args,
    option: &str,
    given: Option<&str>,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let given = given.map_or("is missing".to_owned(), |name| format!("`{name}` is not there"));
    let names = names.collect::<Vec<_>>().join(", ");
    format!("{}: {option} {given}; allowed is one of {names}", args.file.display())
}

/// What the reports in `directory` tell of a service.
fn evidence(directory: &Path, service: &Service) -> anyhow::Result<Evidence> {
    let place = directory.display();
    let entries = fs::read_dir(directory).with_context(|| format!("--drills {place}"))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.with_context(|| format!("--drills {place}"))?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut evidence = Evidence::of(service);
    for file in &files {
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("{name}"))?;
        // Read as a list, its fields would be taken in their order.
        let report = serde_json::from_str::<Map<String, Value>>(&text)
            .and_then(|fields| serde_json::from_value::<Report>(Value::Object(fields)))
            .with_context(|| format!("{name}: is no report of `seaworthy drill --json`, and --drills takes no other *.json"))?;
        evidence.add(&report).map_err(|problem| anyhow::anyhow!("{name}: {problem}"))?;
    }
    if evidence.is_empty() {
        bail!(
            "--drills {place}: none of {} tells of a task of `{}` that was replaced or hung; allowed are *.json files \
             that `seaworthy drill --json` wrote, of drills that stop, kill or hang tasks",
            amounts::many(files.len(), "report"),
            service.name,
        );
    }
    Ok(evidence)
}
