//! `seaworthy store`: the example application.

mod data;
mod services;
mod storefront;

use std::path::PathBuf;
use std::process::ExitCode;

/// The example application: an online shop of a few services over one database file
#[derive(Debug, clap::Args)]
#[command(after_help = "Try the search:
  seaworthy store generate
  seaworthy store serve
  curl 'http://127.0.0.1:8080/products?q=wireless+headphones&limit=3'

Or all of it: `seaworthy store storefront --help`.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(services::Products),
    Customers(services::Customers),
    Orders(services::Orders),
    Carts(services::Carts),
    Storefront(storefront::Storefront),
    Generate(data::Generate),
    Import(data::Import),
}

#[derive(Debug, clap::Args)]
struct Database {
    // Not a doc comment: clippy wants backticks around a name with two capitals, users do not.
    #[arg(
        long = "database",
        env = "STORE_DATABASE",
        default_value = "store.db",
        value_name = "FILE",
        help = "The SQLite file with the data"
    )]
    path: PathBuf,
}

/// Does what `args` say.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Serve(args) => args.run(),
        Command::Customers(args) => args.run(),
        Command::Orders(args) => args.run(),
        Command::Carts(args) => args.run(),
        Command::Storefront(args) => args.run(),
        Command::Generate(args) => args.run(),
        Command::Import(args) => args.run(),
    }?;
    Ok(ExitCode::SUCCESS)
}
