//! `seaworthy up`: starts a fleet, or takes up one that runs, and shows what happens.

mod example;
mod progress;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{Deploy, FleetView};
use seaworthy_agent::directory::Directory;
use seaworthy_agent::owner;
use seaworthy_core::fleet::{Fleet, RawFleet};
use tokio::signal::unix::{SignalKind, signal};

use super::deploy;
use super::running::Running;
use progress::Progress;

/// Starts a fleet, or takes up one that runs, and shows what happens until Ctrl-C ends it
///
/// Without a file, what runs in the state directory goes on; where there is nothing, the example store
/// is started: a product search with three tasks behind its gateway.
///
/// However this command is killed, the fleet goes on without it: `seaworthy up` takes it up again,
/// `seaworthy down` ends it. A file that says otherwise than what runs is deployed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy up                      the example store
  seaworthy up fleet.toml           your own (`seaworthy init` writes one)
  seaworthy up fleet.toml --detach  the same in the background; then `seaworthy ps`

Ctrl-C drains and ends the fleet; a second one ends it at once.

Exit codes:
  0  the fleet runs (--detach), or it was ended as asked for
  1  the fleet is up, but not all of it is healthy after --wait
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
    let sockets = systemd::sockets()?;
    let file = args.file.as_deref().map(deploy::read).transpose()?;
    let directory = Directory::at(&args.running.directory.path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(directory.path());
        match client.fleet().await {
            Ok(view) if view.value.parts.iter().any(|part| part.name == "keeper") => {
                println!("a fleet runs in {} already", directory.path().display());
            }
            Ok(_) => {
                println!("a fleet runs in {} without its keeper", directory.path().display());
                start(&directory, file.as_ref(), sockets)?;
            }
            // All that is left of one that was killed may be a socket where nobody listens.
            Err(ClientError::Nothing(_) | ClientError::Stale(_)) => {
                start(&directory, file.as_ref(), sockets)?;
            }
            Err(error) => return Err(error.into()),
        }
        // What ran before goes on as it was; the file may say otherwise by now.
        put_into_force(&client, file.as_ref()).await?;
        attend(&client, args).await
    })
}

/// Starts a keeper; it adopts what still runs of an earlier one.
fn start(
    directory: &Directory,
    file: Option<&Deploy>,
    sockets: Vec<(Option<String>, std::net::TcpListener)>,
) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    let meant = file.map(fleet_of).transpose()?;
    let sockets = match &meant {
        Some(fleet) => systemd::assign(sockets, fleet)?,
        None => Vec::new(),
    };
    let fleet = match meant {
        // What runs goes on first; then it is made as the file says.
        _ if directory.holds_a_fleet() => None,
        None => Some(example::fleet(directory)?),
        file => file,
    };
    let log = directory.log();
    let before = fs::metadata(&log).map_or(0, |meta| meta.len());
    let launched = owner::launch(&program, directory, fleet, sockets);
    launched.map(drop).map_err(|error| because(error.into(), &log, before))
}

/// The error with what parts of the fleet wrote to their log since it had so many bytes: only they know
/// why they ended.
fn because(error: anyhow::Error, log: &Path, before: u64) -> anyhow::Error {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(before as usize..).unwrap_or(&text);
    let words = error.to_string();
    let new = String::from_utf8_lossy(new);
    let said: Vec<&str> = new.lines().filter(|line| !line.contains(&words)).collect();
    if said.is_empty() { error } else { error.context(said.join("\n")) }
}

fn fleet_of(file: &Deploy) -> anyhow::Result<Fleet> {
    let raw: RawFleet = serde_json::from_value(file.fleet.clone())?;
    let mut fleet = Fleet::try_from(raw)?;
    fleet.start_in(&file.directory);
    Ok(fleet)
}

/// Has the file done, as far as it says otherwise.
async fn put_into_force(client: &Client, file: Option<&Deploy>) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let reply = client.deploy(file).await?.value;
    for deployed in &reply.deployed {
        println!("{}: revision {} is deployed", deployed.service, deployed.revision);
    }
    for change in &reply.changes {
        println!("{change}");
    }
    Ok(())
}

/// Waits until all is healthy, and then shows what happens until somebody ends it.
async fn attend(client: &Client, args: &Args) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::watch()?;
    let mut progress = Progress::new(client.clone(), args.running.json);
    let healthy = tokio::select! {
        healthy = progress.until_healthy(args.wait) => healthy?,
        () = stop.said() => return end(client, stop).await,
    };
    let view = client.fleet().await?.value;
    introduce(&view, args)?;
    systemd::ready(&view);
    if args.detach {
        return Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    tokio::select! {
        ended = progress.follow() => {
            ended?;
            println!("the fleet has ended");
            Ok(ExitCode::SUCCESS)
        }
        () = stop.said() => end(client, stop).await,
    }
}

/// Says where everything is.
fn introduce(view: &FleetView, args: &Args) -> anyhow::Result<()> {
    if args.running.json {
        println!("{}", serde_json::to_string(view)?);
        return Ok(());
    }
    for service in &view.services {
        println!(
            "{:<12} {}  {} of {} tasks in rotation, revision {}",
            service.name, service.url, service.in_rotation, service.desired, service.revision
        );
    }
    if let Some(dashboard) = &view.dashboard {
        let token = std::fs::read_to_string(view.state_directory.join("token")).unwrap_or_default();
        println!("{:<12} {dashboard}#{}", "dashboard", token.trim());
    }
    let state = match args.running.directory.path.to_str() {
        Some(".seaworthy") | None => String::new(),
        Some(path) => format!(" --state {path}"),
    };
    println!("state        {}", view.state_directory.display());
    if args.detach {
        println!("it runs in the background: `seaworthy ps{state}`, `seaworthy down{state}`");
    } else {
        println!(
            "Ctrl-C ends it; in another terminal: `seaworthy ps{state}`, `seaworthy logs{state}`"
        );
    }
    Ok(())
}

/// Ends the fleet gently; at once if that is said again.
async fn end(client: &Client, mut stop: Stop) -> anyhow::Result<ExitCode> {
    eprintln!("draining; once more ends everything at once");
    let down = async {
        let view = client.fleet().await?;
        client.down().await?;
        loop {
            match client.fleet().await {
                Err(error) if error.is_absence() => return Ok::<_, ClientError>(view.value),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::select! {
        ended = down => match ended {
            Ok(_) => println!("the fleet has ended"),
            Err(error) if error.is_absence() => println!("the fleet has ended already"),
            Err(error) => return Err(error.into()),
        },
        () = stop.said() => {
            let view = client.fleet().await?.value;
            owner::end_at_once(&view.state_directory);
            println!("the fleet was ended at once");
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
