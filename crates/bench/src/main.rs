//! `seaworthy-bench`: the gateway side by side with HAProxy, nginx and Envoy where they are installed.
//!
//! Everything runs on this machine, on 127.0.0.1, in rounds: each proxy has its turn in each round, so that what the
//! machine does meanwhile meets them all. Figures go to a Markdown table, the raw runs to JSON beside it.

mod backend;
mod calls;
mod child;
mod client;
mod compared;
mod failover;
mod figures;
mod fleet;
mod idle;
mod journal;
mod machine;
mod output;
mod proxy;
mod scenario;
mod statistics;
mod throughput;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use proxy::Programs;

/// Measures `seaworthy gateway` side by side with the proxies that are installed
#[derive(Debug, Parser)]
#[command(name = "seaworthy-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Requests a second, latency, CPU and system calls a request, memory with idle connections
    Throughput {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        args: throughput::Args,
    },
    /// What users see when a backend dies, hangs, fails or slows down, and what it costs when none does
    Failover {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        args: failover::Args,
    },
    /// What users see while processes of a fleet are killed, one after the other
    Storm {
        #[command(flatten)]
        common: fleet::Common,
        #[command(flatten)]
        args: fleet::storm::Args,
    },
    /// What users see while a fleet is deployed again and again
    Rollouts {
        #[command(flatten)]
        common: fleet::Common,
        #[command(flatten)]
        args: fleet::rollouts::Args,
    },
    /// What a fleet costs that nobody asks for anything
    Idle {
        #[command(flatten)]
        common: fleet::Common,
        #[command(flatten)]
        args: fleet::idle::Args,
    },
    /// Adds up how well drills were predicted: a row of a table for each
    Compared(compared::Args),
    /// The backend of `failover` and of fleets
    #[command(hide = true)]
    Backend(backend::Args),
}

/// What every measurement is told.
#[derive(Debug, clap::Args)]
struct Common {
    /// How often each proxy has its turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where the table and the raw runs are written
    #[arg(long, value_name = "DIRECTORY", default_value = "docs/performance")]
    out: PathBuf,
    #[command(flatten)]
    programs: Programs,
}

/// Ends everything that was started, also on a panic.
struct EndAll;

impl Drop for EndAll {
    fn drop(&mut self) {
        // Nothing is started from here on.
        let _no_more = child::stop_starting();
        seaworthy_agent::processes::end_descendants();
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Backend(args) => backend::run(&args),
        Command::Compared(args) => compared::run(&args),
        command => supervise(move |directory| match command {
            Command::Throughput { common, args } => throughput::run(&common, &args, directory),
            Command::Failover { common, args } => failover::run(&common, &args, directory),
            Command::Storm { common, args } => fleet::storm::run(&common, &args, directory),
            Command::Rollouts { common, args } => fleet::rollouts::run(&common, &args, directory),
            Command::Idle { common, args } => fleet::idle::run(&common, &args, directory),
            Command::Backend(_) | Command::Compared(_) => unreachable!("it has been run"),
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seaworthy-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Lets `work` measure in a temporary directory, until it is done or somebody ends it.
fn supervise(
    work: impl FnOnce(&std::path::Path) -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    seaworthy_agent::processes::adopt_orphans();
    let directory = tempfile::Builder::new().prefix("seaworthy-bench-").tempdir()?;
    let _end_all = EndAll;
    raise_open_files()?;
    let (tell, told) = mpsc::channel();
    let interrupted = tell.clone();
    std::thread::spawn(move || interrupted.send(until_interrupted()));
    let path = directory.path().to_owned();
    // If it panics, it tells nothing, and its panic has already said why.
    let worker = std::thread::spawn(move || tell.send(work(&path)));
    loop {
        match told.recv_timeout(std::time::Duration::from_millis(100)) {
            Ok(done) => return done,
            Err(_) if worker.is_finished() => match told.try_recv() {
                Ok(done) => return done,
                Err(_) => anyhow::bail!("the measurement has panicked"),
            },
            Err(_) => {}
        }
    }
}

/// Returns, with an error, when a signal asks for the end.
fn until_interrupted() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        anyhow::bail!("interrupted; everything that was started has been ended")
    })
}

/// As many open files as the system allows: for us, and for every proxy that we start.
fn raise_open_files() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("the limit of open files cannot be raised")
}
