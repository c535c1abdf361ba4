//! `seaworthy store serve`, `customers`, `orders` and `carts`: the services that call nobody.

use std::env;
use std::time::Duration;

use clap::ValueEnum;
use seaworthy_store::faults::Faults as Possible;
use seaworthy_store::index::Index;
use seaworthy_store::service::{self, Task, carts, customers, orders, products};
use seaworthy_store::{carts as kept, database};

use super::Database;

/// The name of a task that nobody named.
const UNNAMED: &str = "local";

/// Answers searches on 127.0.0.1 until SIGTERM or Ctrl-C: the service Products
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
pub(super) struct Products {
    #[command(flatten)]
    database: Database,
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8080, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    capacity: Capacity,
    #[command(flatten)]
    faults: Faults,
    /// With --faults: a search for this word aborts the process
    #[arg(long, value_name = "WORD", requires = "faults")]
    query_of_death: Option<String>,
    /// With --faults: every request but /health is answered with 500
    #[arg(long, requires = "faults")]
    broken: bool,
    /// With --faults: the process aborts so long after its start
    #[arg(long, value_name = "DURATION", requires = "faults", value_parser = humantime::parse_duration)]
    dies_after: Option<Duration>,
}

/// Says who customers are, on 127.0.0.1 until SIGTERM or Ctrl-C
///
/// Reads the database once and writes nothing, so any number of tasks may serve the same file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests:
  GET /customers/ID   id, name, city and since when they are a customer
  GET /health         200 as soon as it can answer")]
pub(super) struct Customers {
    #[command(flatten)]
    database: Database,
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8081, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    faults: Faults,
}

/// Says what customers have bought, on 127.0.0.1 until SIGTERM or Ctrl-C
///
/// Reads the database once and writes nothing, so any number of tasks may serve the same file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests:
  GET /orders/CUSTOMER   a list of id, product, price (cents) and date; empty if there are none
  GET /health            200 as soon as it can answer")]
pub(super) struct Orders {
    #[command(flatten)]
    database: Database,
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8082, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    faults: Faults,
}

/// Keeps what customers are about to buy, on 127.0.0.1 until SIGTERM or Ctrl-C
///
/// In memory the carts are lost with the task, and no other task knows them: the worse way, kept for
/// comparison. In the database they outlive every task, and all tasks share them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests:
  PUT /carts/CUSTOMER/PRODUCT?quantity=N   from now on so many (0 to 1000; 1 if it is left out)
  GET /carts/CUSTOMER                      the cart; 404 if none was ever put
  GET /health                              200 as soon as it can answer")]
pub(super) struct Carts {
    /// Where carts are kept
    #[arg(long, env = "STORE_CART", value_enum, default_value_t = Place::Database)]
    cart: Place,
    #[command(flatten)]
    database: Database,
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8083, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    faults: Faults,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Place {
    /// In the task's memory; the database is not touched
    Memory,
    /// In the database, which is made if it is not there
    Database,
}

#[derive(Debug, clap::Args)]
struct Capacity {
    /// For drills: so many requests at once; as many more wait unless --waiting says otherwise, and
    /// others are refused with 503
    #[arg(long, value_name = "N", requires = "takes", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    at_once: Option<u32>,
    /// For drills: each request takes so long
    #[arg(long, value_name = "DURATION", requires = "at_once", value_parser = humantime::parse_duration)]
    takes: Option<Duration>,
    /// For drills: so many requests wait
    #[arg(long, value_name = "N", requires = "at_once", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    waiting: Option<u32>,
    /// For drills: what this task has not answered yet takes so long instead
    #[arg(long, value_name = "DURATION", requires = "at_once", value_parser = humantime::parse_duration)]
    cold: Option<Duration>,
    /// For drills: what is not answered within this is refused with 503
    #[arg(long, value_name = "DURATION", requires = "at_once", value_parser = humantime::parse_duration)]
    gives_up: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct Faults {
    // Not a doc comment: clippy wants backticks within the path, users do not.
    #[arg(
        long,
        help = "For drills: POST /faults/leak?bytes_per_second=N&limit=BYTES leaks memory and slows \
                every request, until the process aborts at the limit (256 MiB unless it is said)"
    )]
    faults: bool,
}

/// The task that this process is, by its environment.
pub(super) fn task(port: u16) -> anyhow::Result<Task> {
    let name = env::var("SEAWORTHY_TASK").unwrap_or_else(|_| UNNAMED.to_owned());
    Ok(Task::new(&name, port)?)
}

// === impl Products ===

impl Products {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { database: Database { path }, port, capacity, faults, .. } = self;
        let Self { query_of_death, broken, dies_after, .. } = self;
        let task = task(port)?;
        let index = Index::build(database::read(&path)?)?;
        let what =
            format!("{} products from {}", index.catalogue().products().len(), path.display());
        let faults = faults.meant(Possible { query_of_death, broken, dies_after });
        let router = products::router(index, faults.as_ref(), task.name.clone());
        let bound = match capacity.meant() {
            Some(capacity) => capacity.bound(router),
            None => router,
        };
        Ok(service::run(&task, &what, bound)?)
    }
}

// === impl Customers ===

impl Customers {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { database: Database { path }, port, faults } = self;
        let task = task(port)?;
        let people = database::read_people(&path)?;
        let what = format!("{} customers from {}", people.customers.len(), path.display());
        let faults = faults.meant(Possible::default());
        Ok(service::run(
            &task,
            &what,
            customers::router(people, faults.as_ref(), task.name.clone()),
        )?)
    }
}

// === impl Orders ===

impl Orders {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { database: Database { path }, port, faults } = self;
        let task = task(port)?;
        let people = database::read_people(&path)?;
        let what = format!("{} orders from {}", people.orders.len(), path.display());
        let faults = faults.meant(Possible::default());
        Ok(service::run(&task, &what, orders::router(people, faults.as_ref(), task.name.clone()))?)
    }
}

// === impl Carts ===

impl Carts {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { cart, database: Database { path }, port, faults } = self;
        let task = task(port)?;
        let (carts, what) = match cart {
            Place::Memory => (kept::Carts::in_memory(), "carts in memory".to_owned()),
            Place::Database => {
                (kept::Carts::in_database(&path)?, format!("carts in {}", path.display()))
            }
        };
        let faults = faults.meant(Possible::default());
        Ok(service::run(&task, &what, carts::router(carts, faults.as_ref(), task.name.clone()))?)
    }
}

// === impl Capacity ===

impl Capacity {
    fn meant(&self) -> Option<service::Capacity> {
        let (at_once, takes) = self.at_once.zip(self.takes)?;
        let waiting = self.waiting.unwrap_or(at_once);
        let Self { cold, gives_up, .. } = *self;
        Some(service::Capacity { at_once, takes, waiting, cold, gives_up })
    }
}

// === impl Faults ===

impl Faults {
    fn meant(&self, possible: Possible) -> Option<Possible> {
        self.faults.then_some(possible)
    }
}
