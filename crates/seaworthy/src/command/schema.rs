//! `seaworthy schema`: the fleet file as a JSON schema.

use std::process::ExitCode;

use seaworthy_core::fleet::RawFleet;

use super::say::say;

/// Prints the JSON schema of the fleet file, so that editors complete it
///
/// Ranges, and what goes together, only `seaworthy check` knows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Beside the fleet file, once for each version:
  seaworthy schema > fleet.schema.json

and as the first line of the fleet file, for editors with Taplo (Even Better TOML, Helix, …):
  #:schema ./fleet.schema.json")]
pub(crate) struct Args {}

/// Prints it.
pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let schema = serde_json::to_string_pretty(&RawFleet::schema())?;
    say(schema)?;
    Ok(ExitCode::SUCCESS)
}
