//! The way of data, live: a request comes in, core says which task gets it, the answer goes out.
//!
//! ```text
//! acceptor ---> worker: connection: exchange --- upload ----> task
//!                                    |   ^------ download <---'
//!                                    v   asks and outcomes
//!            driver ------------> service (core's target group behind a mutex)
//!            time, checks, agent
//! ```
//!
//! A client comes in by a `door` and stays with it; who serves behind it may change. [`run`](fn@run) is
//! the gateway of a fleet, [`alone`](fn@alone) that of a file, and both have what listens and is driven
//! as `running`. `admin`, `metrics` and `access` watch.
//!
//! The data path is our own, on one current-thread runtime per worker, because what it costs per
//! request is a promise of the project. What HTTP means stands in `http`, without any I/O; what is
//! decided stands in `seaworthy_core`. Nothing here ever asks the agent: without it the gateway
//! goes on with what it knows.

mod acceptor;
mod access;
mod account;
mod admin;
mod alone;
mod checks;
mod clock;
mod connection;
mod door;
mod download;
mod driver;
mod error;
mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gateway;
mod handover;
mod http;
mod link;
mod metrics;
mod run;
mod running;
mod say;
mod service;
mod signals;
mod stale;
mod tunnel;
mod upload;
mod worker;

pub use alone::{Ended, alone};
pub use error::Error;
pub use run::{run, serve};
