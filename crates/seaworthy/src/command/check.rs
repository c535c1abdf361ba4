//! `seaworthy check`: says what cannot work in a fleet, or is likely not what was meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_agent::environment::{About, Environment};
use seaworthy_agent::keeper::find_program;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Finding, Fleet, RawFleet, Service, check};
use seaworthy_core::policy::guard::Severity;

use super::say::say;

/// Says what cannot work in a fleet file or a gateway file, or is likely not what was meant, with the
/// numbers
///
/// Starts nothing, and warns of programs and files that are not where tasks look for them. What makes no sense by itself, such as a breaker that can never open, is refused
/// when the file is read, with exit code 2, as every other command does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  nothing is wrong; there may be warnings and notes
  1  something cannot work
  2  the command line or the file is wrong, or a value of it makes no sense")]
pub(crate) struct Args {
    /// The fleet file, or the file of a gateway alone
    file: PathBuf,
    /// Calls a second that one service gets; with it, more can be said about breakers and bulkheads
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Print what is found, as JSON
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "allowed is a number above 0".to_owned())
}

/// What a task of `service` needs for its start and does not find, here and now.
fn missing(service: &Service, ourselves: &Path) -> Vec<Finding> {
    let Some(program) = service.command.first() else { return Vec::new() };
    let directory = service.directory.as_deref();
    let found = find_program(program, ourselves, directory).map(drop);
    let about = About { task: TaskId(1), revision: 1, port: 0, location: None };
    let here = directory.unwrap_or(Path::new("."));
    let read = Environment::of(service, &BTreeMap::new(), about, here).map(drop);
    let read = read.map_err(|error| error.to_string());
    let finding = |(key, found): (&str, Result<(), String>)| {
        let text = format!("no task can start: {}", found.err()?);
        let key = format!("service.{}.{key}", service.name);
        Some(Finding { key, severity: Severity::Warning, text })
    };
    [("command", found), ("environment", read)].into_iter().filter_map(finding).collect()
}

/// Checks the fleet file that `args` name.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{file}"))?;
    let raw: RawFleet = toml::from_str(&text).with_context(|| format!("{file}"))?;
    let others = raw.is_of_others();
    let fleet = if others { Fleet::of_others(raw) } else { Fleet::try_from(raw) };
    let fleet = fleet.with_context(|| format!("{file}"))?;
    let mut fleet = fleet;
    fleet.start_in(absolute(&args.file)?.parent().unwrap_or(Path::new("/")));
    let ourselves = std::env::current_exe().context("this program cannot be found")?;
    let mut findings = check(&fleet, args.rate);
    findings.extend(fleet.services.iter().flat_map(|service| missing(service, &ourselves)));
    findings.sort_by_key(|finding| finding.severity);
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let broken = count(Severity::Refused);
    let code = if broken > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS };
    if args.json {
        say(serde_json::to_string(&findings)?)?;
        return Ok(code);
    }
    for Finding { key, severity, text } in &findings {
        let word = match severity {
            Severity::Refused => "cannot work",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        say(format_args!("{word}: {key}: {text}"))?;
    }
    say(format_args!(
        "{file}: {broken} cannot work, {} to look at, {} worth knowing",
        count(Severity::Warning),
        count(Severity::Note)
    ))?;
    Ok(code)
}
