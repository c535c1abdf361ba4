//! `seaworthy store generate` and `import`: where the data comes from.

use std::path::PathBuf;

use clap::ValueEnum;
use seaworthy_store::import::{self, Source};
use seaworthy_store::{database, generate};

use super::Database;
use crate::command::say::say;

/// Fills the database with made-up products, customers and orders, in place of those it holds
///
/// The same seed makes the same data on any machine. Tasks that are serving go on with what they
/// have read; those that start later get the new data. Carts stay as they are.
#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    #[command(flatten)]
    database: Database,
    /// How many products
    #[arg(long, default_value_t = 2000, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    products: u32,
    /// How many customers
    #[arg(long, default_value_t = 1000, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    customers: u32,
    /// The most orders of a customer; the fewest are none
    #[arg(long, default_value_t = 5, value_name = "N",
        value_parser = clap::value_parser!(u32).range(0..=100))]
    orders: u32,
    /// All draws come from it
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
}

/// Fills the database from a file, in place of the products it holds
///
/// All of the file is taken, or nothing where a line of it is wrong. Customers and orders stay as
/// they are.
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
pub(super) struct Import {
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

// === impl Generate ===

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { database: Database { path }, products, customers, orders, seed } = self;
        let catalogue = generate::generate(products as usize, seed);
        let people = generate::people(&catalogue, customers as usize, orders as usize, seed);
        database::write_all(&path, &catalogue, &people)?;
        say(format_args!(
            "generated {products} products, {customers} customers and {} orders into {}",
            people.orders.len(),
            path.display()
        ))
    }
}

// === impl Import ===

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let source = Source::read(&self.file, self.format.map(Format::meant))?;
        let catalogue = import::import(&source, self.prices.meant())?;
        database::write(&self.database.path, &catalogue)?;
        let products = catalogue.products().len();
        say(format_args!("imported {products} products into {}", self.database.path.display()))
    }
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
