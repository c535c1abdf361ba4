//! `seaworthy`: one file per command.
//!
//! Exit codes: 0 all as expected, 1 a drill deviates from what was expected of it, a fleet cannot
//! work or meet its target, a deployment failed, or a gateway that stopped has cut requests, 2 usage, configuration or surroundings, 3 a drill that measured nothing that could be judged.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command::say::{Unread, note};

/// Runs a service as redundant tasks behind its own load balancer, breaks it on purpose, and shows
/// what its users would have seen
#[derive(Debug, Parser)]
#[command(name = "seaworthy", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(command::init::Args),
    Up(command::up::Args),
    Ps(command::ps::Args),
    Events(command::events::Args),
    Logs(command::logs::Args),
    Deploy(command::deploy::Args),
    Rollback(command::rollback::Args),
    Revisions(command::revisions::Args),
    Scale(command::scale::Args),
    Stop(command::stop::Args),
    Drain(command::drain::Args),
    Upgrade(command::upgrade::Args),
    Down(command::down::Args),
    Drill(command::drill::Args),
    Plan(command::plan::Args),
    Sim(command::sim::Args),
    Gateway(command::gateway::Args),
    Check(command::check::Args),
    Store(command::store::Args),
    Schema(command::schema::Args),
    Completions(command::completions::Args),
    #[command(hide = true)]
    Part(command::part::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Init(args) => command::init::run(&args),
        Command::Up(args) => command::up::run(&args),
        Command::Ps(args) => command::ps::run(&args),
        Command::Events(args) => command::events::run(args),
        Command::Logs(args) => command::logs::run(args),
        Command::Deploy(args) => command::deploy::run(&args),
        Command::Rollback(args) => command::rollback::run(&args),
        Command::Revisions(args) => command::revisions::run(&args),
        Command::Scale(args) => command::scale::run(&args),
        Command::Stop(args) => command::stop::run(&args),
        Command::Drain(args) => command::drain::run(&args),
        Command::Upgrade(args) => command::upgrade::run(&args),
        Command::Down(args) => command::down::run(&args),
        Command::Drill(args) => command::drill::run(args),
        Command::Plan(args) => command::plan::run(&args),
        Command::Sim(args) => command::sim::run(&args),
        Command::Gateway(args) => command::gateway::run(&args),
        Command::Check(args) => command::check::run(&args),
        Command::Store(args) => command::store::run(args),
        Command::Schema(args) => command::schema::run(&args),
        Command::Completions(args) => command::completions::run(&args),
        Command::Part(args) => command::part::run(args),
    };
    result.unwrap_or_else(|error| {
        if error.is::<Unread>() {
            return ExitCode::SUCCESS;
        }
        note(format_args!("seaworthy: {error:#}"));
        ExitCode::from(2)
    })
}
