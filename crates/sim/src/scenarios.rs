//! Thirteen scenarios in which a balancer can fail, and how Seaworthy does in them.
//!
//! Source: the simulation of Palantir's `conjure-rust-runtime` (and of its `dialogue` before it), from which
//! the scenarios have their names, servers and loads. It waits for any answer as long as it takes; here
//! each request has a deadline, and *goodput* counts what is answered by then. What else differs:
//!
//! - One gateway is between clients and servers, and there are no clients that balance for themselves.
//! - Requests come at random moments (Poisson), not evenly: seeds differ in that and in what they draw.
//! - Servers pass health checks throughout, of which the source has none: what fails here, fails grayly.

mod run;
mod strategy;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use run::{Figures, run};
pub use strategy::Strategy;
pub use table::all;

use crate::distribution::Distribution;
use crate::world::{Program, Strain};

/// A scenario: what servers do at which time, and what is asked of them.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// As its source names it.
    pub name: &'static str,
    /// What each of them is at first, and becomes at later moments, in order of time.
    pub servers: Vec<Vec<(Duration, Server)>>,
    /// Requests a second.
    pub rate: f64,
    /// How many there are.
    pub requests: u64,
    /// Method and path of each kind of request, all equally frequent.
    pub asks: &'static [(&'static str, &'static str)],
    /// Within this a request should be answered: three times what the slowest server takes that is
    /// well and idle, and a second at least.
    pub deadline: Duration,
    /// From the beginning on, so long an answer is waited for.
    pub patience: Duration,
    /// So many requests at once are no strain for a server, where there is such a number.
    pub room: Option<u32>,
}

/// What a server is like.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// How long it takes for a request.
    pub work: Duration,
    /// It answers with this,
    pub status: u16,
    /// but so many of 100 requests with 500.
    pub failing_percent: u32,
    /// What it does with more than it likes.
    pub strain: Strain,
}

// === impl Server ===

impl Server {
    /// It works at as many requests at once as there are.
    fn program(&self) -> Program {
        Program {
            work: Distribution::Constant(self.work),
            concurrency: u32::MAX,
            status: self.status,
            failing_percent: self.failing_percent,
            ..Program::default()
        }
    }
}
