//! `seaworthy check`: says what cannot work in a fleet, or is likely not what was meant.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_core::fleet::{Finding, Fleet, RawFleet, check};
use seaworthy_core::policy::guard::Severity;

use super::say::say;

/// Says what cannot work in a fleet file or a gateway file, or is likely not what was meant, with the
/// numbers
///
/// Starts nothing. What makes no sense by itself, such as a breaker that can never open, is refused
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

/// Checks the fleet file that `args` name.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{file}"))?;
    let raw: RawFleet = toml::from_str(&text).with_context(|| format!("{file}"))?;
    let others = raw.is_of_others();
    let fleet = if others { Fleet::of_others(raw) } else { Fleet::try_from(raw) };
    let fleet = fleet.with_context(|| format!("{file}"))?;
    let findings = check(&fleet, args.rate);
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
