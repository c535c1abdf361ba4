//! `seaworthy part`: the processes of a fleet. Not for people: the keeper and its owner start them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use seaworthy_agent::exec::{self, Within};

/// A process of a fleet
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Parent of all others; its owner is at the other end of standard input
    Keeper,
    /// The way of control of the fleet in a run directory
    Agent {
        /// The run directory
        directory: PathBuf,
        /// The fleet ends with its owner
        #[arg(long)]
        tied: bool,
    },
    /// The way of data of the fleet in a run directory
    Gateway {
        /// The run directory
        directory: PathBuf,
    },
    /// Stands before a task in a drill that disturbs the way to it
    Relay {
        /// The task's command
        #[arg(last = true, required = true, value_names = ["PROGRAM", "ARGUMENT"])]
        command: Vec<OsString>,
    },
    /// Becomes PROGRAM, which is killed when its parent ends
    Exec {
        /// Process id of the parent
        parent: u32,
        /// Outlives its parent
        #[arg(long)]
        untied: bool,
        /// The `cgroup.procs` of a control group to join first; may be given several times
        #[arg(long, value_name = "FILE")]
        cgroup: Vec<PathBuf>,
        /// Gets no more memory to write to
        #[arg(long, value_name = "BYTES")]
        data: Option<u64>,
        /// Runs on no more processors
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        processors: Option<u32>,
        /// What to become
        #[arg(last = true, required = true, value_names = ["PROGRAM", "ARGUMENT"])]
        command: Vec<OsString>,
    },
}

/// Is that part until its end.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.part {
        Part::Keeper => seaworthy_agent::keeper::run()?,
        Part::Agent { directory, tied } => seaworthy_agent::agent::run(&directory, tied)?,
        Part::Gateway { directory } => seaworthy_gateway::run(&directory)?,
        Part::Relay { command } => return Ok(seaworthy_drill::relay::run(&command)?),
        Part::Exec { parent, untied, cgroup, data, processors, command } => {
            let (program, arguments) = command.split_first().expect("clap requires one");
            let within = Within { cgroups: cgroup, data, processors };
            let tied_to = Some(parent).filter(|_| !untied);
            let error = exec::run(tied_to, &within, program, arguments);
            anyhow::bail!("{}: cannot be started: {error}", program.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
