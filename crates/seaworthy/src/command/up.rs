//! `seaworthy up`: starts a fleet, or takes up one that runs, and shows what happens.

mod example;
mod keepers;
mod progress;
mod systemd;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{Deploy, Deployed, FleetView};
use seaworthy_agent::directory::Directory;
use seaworthy_agent::owner;
use seaworthy_core::fleet::{Fleet, RawFleet};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::deploy;
use super::running::Running;
use super::say::{note, say};
use super::wait::{begun, goes_on, patiently, still_under_way, until_ended};
use keepers::Keepers;
use progress::Progress;

/// Starts a fleet, or takes up one that runs, and shows what happens until Ctrl-C ends it
///
/// Without a file, what runs in the state directory goes on; where there is nothing, the example store
/// is started: a product search with three tasks behind its gateway.
///
/// However this command is killed, the fleet goes on without it: `seaworthy up` takes it up again and shows
/// what happens from then on, `seaworthy down` ends it. A file that says otherwise than what runs is
/// deployed. As long as this command stays, it has a keeper that is killed followed by another one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy up                      the example store
  seaworthy up fleet.toml           your own (`seaworthy init` writes one)
  seaworthy up fleet.toml --detach  the same in the background; then `seaworthy ps`

Ctrl-C drains and ends the fleet, also one that ran before; a second one ends it at once.

Exit codes:
  0  the fleet runs (--detach), or it was ended as asked for
  1  the fleet runs (--detach), but a deployment failed, or not all is healthy after --wait
  2  the command line, the file or the surroundings are wrong")]
pub(crate) struct Args {
    /// The fleet file
    file: Option<PathBuf>,
    #[command(flatten)]
    running: Running,
    /// Leave as soon as everything is healthy; the fleet runs on
    #[arg(long, short)]
    detach: bool,
    /// Wait so long until everything is healthy
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    wait: Duration,
}

/// Starts what `args` say, or takes it up.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.as_deref().map(deploy::read).transpose()?;
    let meant = file.as_ref().map(fleet_of).transpose()?;
    let directory = Directory::at(&args.running.directory.path)?;
    let mut keepers = Keepers::new(&directory, &args.running, meant)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(directory.path());
        let mut progress = Progress::new(client.clone(), args.running.json);
        let place = directory.path().display();
        match client.fleet().await {
            Ok(view) if view.value.parts.iter().any(|part| part.name == "keeper") => {
                args.running.remark(&format!("a fleet runs in {place} already"))?;
                progress.begin_now().await?;
            }
            Ok(_) => {
                args.running.remark(&format!("a fleet runs in {place} without its keeper"))?;
                progress.begin_now().await?;
                keepers.start().await?;
            }
            // Nobody listens: there was no fleet, all of its own processes were killed at once, or somebody
            // else is just starting it.
            Err(ClientError::Nothing(_) | ClientError::Stale(_) | ClientError::Unheard { .. }) => {
                if !keepers.start().await? {
                    args.running.remark(&format!("a fleet is being started in {place} already"))?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        attend(&client, args, file.as_ref(), progress, keepers).await
    })
}

fn fleet_of(file: &Deploy) -> anyhow::Result<Fleet> {
    let raw: RawFleet = serde_json::from_value(file.fleet.clone())?;
    let mut fleet = Fleet::try_from(raw)?;
    fleet.start_in(&file.directory);
    Ok(fleet)
}

/// Has the file done and shows what happens until the fleet has ended, or somebody ends it; a keeper that
/// is killed meanwhile is followed by another one.
async fn attend(
    client: &Client,
    args: &Args,
    file: Option<&Deploy>,
    progress: Progress,
    mut keepers: Keepers<'_>,
) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::watch()?;
    let watched = async {
        // What ran before goes on as it was; the file may say otherwise by now.
        let open = put_into_force(client, args, file).await?;
        watch(client, args, progress, &open).await
    };
    tokio::select! {
        left = watched => return left,
        ended = keepers.follow() => {
            ended?;
            args.running.remark("the fleet has ended")?;
            return Ok(ExitCode::SUCCESS);
        }
        () = stop.said() => {}
    }
    end(client, &args.running, keepers, stop).await
}

/// Has the file done, as far as it says otherwise; returns the deployments that are under way
/// then. One that takes no other's place and began earlier is none of them: it is there once all is healthy.
async fn put_into_force(
    client: &Client,
    args: &Args,
    file: Option<&Deploy>,
) -> anyhow::Result<Vec<Deployed>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    // What an agent that ends has begun goes on, and the next one has nothing more to change.
    let deploy = async || Ok((client.fleet().await?.value, client.deploy(file).await?.value));
    let (before, reply) = patiently(deploy).await?;
    let mut open = still_under_way(&before, &reply, None);
    open.retain(|deployed| deployed.from.is_some());
    for deployed in &reply.deployed {
        args.running.remark(&begun(deployed))?;
    }
    for deployed in &open {
        args.running.remark(&goes_on(deployed))?;
    }
    for change in &reply.changes {
        args.running.remark(change)?;
    }
    Ok([reply.deployed, open].concat())
}

/// Waits until all is healthy, and then shows what happens until the fleet has ended.
async fn watch(
    client: &Client,
    args: &Args,
    mut progress: Progress,
    open: &[Deployed],
) -> anyhow::Result<ExitCode> {
    let mut deployed = true;
    // Whoever stays sees how they end. Until then, what is healthy is of the revision before.
    if args.detach && !open.is_empty() {
        deployed = until_deployed(client, args, open).await?;
        // The events behind it are not told as well.
        progress.begin_now().await?;
    }
    let healthy = deployed && progress.until_healthy(args.wait).await?;
    let view = patiently(async || client.fleet().await).await?.value;
    introduce(&view, args)?;
    systemd::ready(&view);
    if args.detach {
        return Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    progress.follow().await?;
    args.running.remark("the fleet has ended")?;
    Ok(ExitCode::SUCCESS)
}

/// Waits for deployments as `seaworthy deploy` does; false if one does not end well in time.
async fn until_deployed(client: &Client, args: &Args, open: &[Deployed]) -> anyhow::Result<bool> {
    let ended = timeout(args.wait, until_ended(&args.running, client, open)).await;
    let Ok(ended) = ended else {
        note("the deployment goes on; `seaworthy ps` tells how far it is");
        return Ok(false);
    };
    Ok(ended? == ExitCode::SUCCESS)
}

/// Says where everything is.
fn introduce(view: &FleetView, args: &Args) -> anyhow::Result<()> {
    if args.running.json {
        return say(serde_json::to_string(view)?);
    }
    for service in &view.services {
        say(format_args!(
            "{:<12} {}  {} of {} tasks in rotation, revision {}",
            service.name, service.url, service.in_rotation, service.desired, service.revision
        ))?;
    }
    if let Some(dashboard) = &view.dashboard {
        // Into the journal of systemd, or a file, the token does not belong.
        let file = view.state_directory.join("token");
        let token = if io::stdout().is_terminal() {
            format!("#{}", fs::read_to_string(file).unwrap_or_default().trim())
        } else {
            format!("  (token: {})", file.display())
        };
        say(format_args!("{:<12} {dashboard}{token}", "dashboard"))?;
    }
    let state = args.running.directory.option();
    say(format_args!("state        {}", view.state_directory.display()))?;
    if args.detach {
        say(format_args!(
            "it runs in the background: `seaworthy ps{state}`, `seaworthy down{state}`"
        ))
    } else {
        say(format_args!(
            "Ctrl-C ends it; in another terminal: `seaworthy ps{state}`, `seaworthy logs{state}`"
        ))
    }
}

/// Ends the fleet gently, with a keeper that sees to it; at once if that is said again.
async fn end(
    client: &Client,
    running: &Running,
    mut keepers: Keepers<'_>,
    mut stop: Stop,
) -> anyhow::Result<ExitCode> {
    note("draining; once more ends everything at once");
    let down = async {
        match patiently(async || client.down().await).await {
            Err(error) if !error.is_absence() => Err(error.into()),
            _ => Ok(()),
        }
    };
    tokio::select! {
        ended = async { tokio::try_join!(down, keepers.follow()) } => {
            ended?;
            running.remark("the fleet has ended")?;
        }
        () = stop.said() => {
            owner::end_at_once(client.directory());
            running.remark("the fleet was ended at once")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The signals that say to stop.
struct Stop(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

// === impl Stop ===

impl Stop {
    fn watch() -> anyhow::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn said(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
