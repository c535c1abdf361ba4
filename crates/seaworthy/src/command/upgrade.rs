//! `seaworthy upgrade`: the processes of a fleet become those of this program.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use seaworthy_agent::agent::could_take_up;
use seaworthy_agent::api::client::Client;
use seaworthy_agent::api::types::{FleetView, PartView};
use seaworthy_agent::directory::Directory;
use tokio::time::{Instant, sleep};

use super::running::Running;
use super::say::say;

/// Has this program take the place of the one that runs a fleet, under load
///
/// Agent, gateway and keeper are replaced; tasks go on, no connection is refused, and the gateway before
/// finishes the requests it has.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    running: Running,
    /// Give up after so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

/// Upgrades the fleet that `args` name.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    program
        .to_str()
        .with_context(|| format!("{}: allowed is a path in UTF-8", program.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(&args.running.directory.path);
        let before = client.fleet().await?.value;
        // We are the new program: what we cannot read is left to the one that runs.
        let directory = Directory::at(&before.state_directory)?;
        could_take_up(&directory).context("nothing is replaced")?;
        client.upgrade(&program).await?;
        let until = Instant::now() + args.wait;
        loop {
            let now = client.fleet().await.ok().map(|view| view.value);
            if let Some(now) = now.filter(|now| is_new(&before, now)) {
                return tell(args, &now);
            }
            if Instant::now() >= until {
                bail!("the parts of the fleet were not replaced within {:?}", args.wait);
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
}

/// The keeper stays the same process; the others are new ones.
fn is_new(before: &FleetView, now: &FleetView) -> bool {
    let pid = |view: &FleetView, name: &str| {
        view.parts.iter().find(|part| part.name == name).map(|part| part.pid)
    };
    ["agent", "gateway"]
        .iter()
        .all(|part| pid(now, part).is_some() && pid(now, part) != pid(before, part))
}

fn tell(args: &Args, view: &FleetView) -> anyhow::Result<ExitCode> {
    if args.running.json {
        say(serde_json::to_string(view)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for PartView { name, pid, .. } in &view.parts {
        say(format_args!("{name:<8} process {pid}"))?;
    }
    say(format_args!("the fleet runs by seaworthy {}", env!("CARGO_PKG_VERSION")))?;
    Ok(ExitCode::SUCCESS)
}
