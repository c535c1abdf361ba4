//! `seaworthy store`: the example service.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use seaworthy_store::import::{self, Source};
use seaworthy_store::{database, generate, serve};

/// The name of a task that nobody named.
const UNNAMED: &str = "local";

/// The example service: product search over a database file
#[derive(Debug, clap::Args)]
#[command(after_help = "Try it:
  seaworthy store generate
  seaworthy store serve
  curl 'http://127.0.0.1:8080/products?q=wireless+headphones&limit=3'")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(Serve),
    Generate(Generate),
    Import(Import),
}

/// Answers searches on 127.0.0.1 until SIGTERM or Ctrl-C
///
/// Reads the database once, builds its index in memory, and only then listens. It writes nothing,
/// so any number of tasks may serve the same file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests:
  GET /products      q, category, max_price (cents), limit (1 to 100), offset; all may be left out
  GET /products/ID   one product
  GET /health        200 as soon as it can search

Every answer names its task in the header X-Seaworthy-Task: what SEAWORTHY_TASK in the environment
says, or `local`. A wrong request is answered with a problem document (RFC 9457).")]
struct Serve {
    #[command(flatten)]
    database: Database,
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8080, value_name = "PORT")]
    port: u16,
}

/// Fills the database with made-up products, in place of those it holds
///
/// The same seed makes the same products on any machine. Tasks that are serving go on with what they
/// have read; those that start later get the new products.
#[derive(Debug, clap::Args)]
struct Generate {
    #[command(flatten)]
    database: Database,
    /// How many products
    #[arg(long, default_value_t = 2000, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    products: u32,
    /// All draws come from it
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
}

/// Fills the database from a file, in place of the products it holds
///
/// All of the file is taken, or nothing where a line of it is wrong.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Fields or columns; the first that is there and not empty counts, others are passed over:
  id           id, unique
  title        title, name
  brand        brand, supplier (may be missing)
  category     category, attr_t_product_type, attr_t_type (may be missing)
  description  description, short_description (may be missing)
  price        price, in whole cents such as 1299; or see --prices

JSON lines hold one object a line. CSV has commas between, quotes around values that need them, and
a first line that names the columns. Both are in UTF-8."
)]
struct Import {
    /// JSON lines (.jsonl, .ndjson, .json-lines) or CSV (.csv); - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: Database,
    /// What the file holds [default: as its ending says]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// How its prices are written
    #[arg(long, value_enum, default_value_t = Prices::Cents)]
    prices: Prices,
}

#[derive(Debug, clap::Args)]
struct Database {
    // Not a doc comment: clippy wants backticks around a name with two capitals, users do not.
    #[arg(
        long = "database",
        env = "STORE_DATABASE",
        default_value = "store.db",
        value_name = "FILE",
        help = "The SQLite file with the products"
    )]
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Prices {
    /// Whole cents: 1299
    Cents,
    /// Units of money: 12.99 or 12
    Units,
}

/// Does what `args` say.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Serve(Serve { database, port }) => {
            let task = env::var("SEAWORTHY_TASK").unwrap_or_else(|_| UNNAMED.to_owned());
            serve::run(&database.path, port, &task)?;
        }
        Command::Generate(Generate { database, products, seed }) => {
            database::write(&database.path, &generate::generate(products as usize, seed))?;
            println!("generated {products} products into {}", database.path.display());
        }
        Command::Import(args) => {
            let source = Source::read(&args.file, args.format.map(Format::meant))?;
            let catalogue = import::import(&source, args.prices.meant())?;
            database::write(&args.database.path, &catalogue)?;
            let products = catalogue.products().len();
            println!("imported {products} products into {}", args.database.path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

// === impl Format ===

impl Format {
    fn meant(self) -> import::Format {
        match self {
            Self::Jsonl => import::Format::JsonLines,
            Self::Csv => import::Format::Csv,
        }
    }
}

// === impl Prices ===

impl Prices {
    fn meant(self) -> import::Prices {
        match self {
            Self::Cents => import::Prices::Cents,
            Self::Units => import::Prices::Units,
        }
    }
}
