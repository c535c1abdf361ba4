//! `seaworthy store storefront`: the service that calls the others.

use std::time::Duration;

use clap::ValueEnum;
use seaworthy_store::service;
use seaworthy_store::storefront::{self, Settings, Urls};

use super::services::task;
use crate::command::say::note;

/// Calls Products, Customers and Orders and makes pages of them, on 127.0.0.1 until SIGTERM or Ctrl-C
///
/// Timeout, circuit breaker, bulkhead, retry and fallback protect it; each can be switched off, to
/// see what it is good for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Try it, each in a terminal of its own or with & behind:
  seaworthy store generate
  seaworthy store serve
  seaworthy store customers
  seaworthy store orders
  seaworthy store storefront
  curl -i 'http://127.0.0.1:8088/page/17?q=wireless+headphones&limit=3'

Then stop Customers, and ask again.

Requests:
  GET /page/CUSTOMER      customer, orders, and what a search finds: q, limit, .. as Products has them
  GET /products, /customers/ID, /orders/CUSTOMER
                          passed through to the service
  GET /patterns           what breaker, bulkhead and fallback of each dependency see
  GET /health             about the storefront alone

An answer that is not whole names what it lacks in the header X-Seaworthy-Degraded, such as
`products=stale;age=12, orders=missing`: an old answer, 12 s old, and none. A page without any piece
is a 503. Decisions of the breakers are told on stderr.")]
pub(super) struct Storefront {
    /// Where to listen on 127.0.0.1; 0 asks the kernel for a free port
    #[arg(long, env = "PORT", default_value_t = 8088, value_name = "PORT")]
    port: u16,
    /// Where Products is
    #[arg(
        long,
        env = "SEAWORTHY_URL_PRODUCTS",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    products: String,
    /// Where Customers is
    #[arg(
        long,
        env = "SEAWORTHY_URL_CUSTOMERS",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081"
    )]
    customers: String,
    /// Where Orders is
    #[arg(
        long,
        env = "SEAWORTHY_URL_ORDERS",
        value_name = "URL",
        default_value = "http://127.0.0.1:8082"
    )]
    orders: String,
    #[command(flatten)]
    patterns: Patterns,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Patterns")]
struct Patterns {
    /// So many calls may be under way, to all dependencies together
    #[arg(long, env = "STOREFRONT_CONCURRENCY", default_value_t = 100, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// Who may have how many of them
    #[arg(long, env = "STOREFRONT_BULKHEADS", value_enum, default_value_t = Bulkheads::Divided)]
    bulkheads: Bulkheads,
    /// A call may take so long, such as 1s or 250ms, all its tries together; or none
    #[arg(long, env = "STOREFRONT_TIMEOUT", default_value = "1s", value_name = "TIME|none",
        value_parser = timeout)]
    timeout: Timeout,
    /// Whether a dependency that fails is left alone for a while
    #[arg(long, env = "STOREFRONT_BREAKER", value_enum, default_value_t = Switch::On)]
    breaker: Switch,
    /// For how long at the longest
    #[arg(long, env = "STOREFRONT_BREAKER_OPEN", default_value = "5s", value_name = "TIME",
        value_parser = humantime::parse_duration)]
    breaker_open: Duration,
    /// What is given instead of an error
    #[arg(long, env = "STOREFRONT_FALLBACK", value_enum, default_value_t = Fallback::Cached)]
    fallback: Fallback,
    /// Whether a call that failed is tried again, within a budget
    #[arg(long, env = "STOREFRONT_RETRY", value_enum, default_value_t = Switch::On)]
    retry: Switch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bulkheads {
    /// All share them; a call that finds none waits, as for a thread of a pool
    Shared,
    /// Each dependency has a third; a call that finds it used up is refused at once
    Divided,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fallback {
    /// Nothing
    Error,
    /// The last good answer, with its age
    Cached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Not an option of an option, which clap would take for one that may be left out.
#[derive(Clone, Copy, Debug)]
struct Timeout(Option<Duration>);

fn timeout(text: &str) -> Result<Timeout, humantime::DurationError> {
    match text {
        "none" => Ok(Timeout(None)),
        _ => humantime::parse_duration(text).map(|limit| Timeout(Some(limit))),
    }
}

// === impl Storefront ===

impl Storefront {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { port, products, customers, orders, patterns } = self;
        let (task, settings) = (task(port)?, patterns.meant());
        for warning in settings.check()? {
            note(format_args!("storefront: warning: {warning}"));
        }
        let what = format!("storefront of {products}, {customers} and {orders}");
        let urls = Urls { products, customers, orders };
        let router = storefront::router(&urls, &settings, task.name.clone())?;
        Ok(service::run(&task, &what, router)?)
    }
}

// === impl Patterns ===

impl Patterns {
    fn meant(&self) -> Settings {
        Settings {
            concurrency: self.concurrency,
            bulkheads: match self.bulkheads {
                Bulkheads::Shared => storefront::Bulkheads::Shared,
                Bulkheads::Divided => storefront::Bulkheads::Divided,
            },
            timeout: self.timeout.0,
            breaker: (self.breaker == Switch::On).then_some(self.breaker_open),
            fallback: match self.fallback {
                Fallback::Error => storefront::Fallback::Error,
                Fallback::Cached => storefront::Fallback::Cached,
            },
            retry: self.retry == Switch::On,
        }
    }
}
