//! The example application: product search, stateless, any number of tasks.
//!
//! [`generate`] or [`import`] make a [`Catalogue`](product::Catalogue), [`database`] keeps it in an
//! `SQLite` file. Each task reads that file once, builds its own [`index`] in memory, and only then
//! listens ([`serve`]): a passing health check means that it can search. Tasks share nothing but
//! the file and write nothing at all, so any of them may be stopped at any moment, and a new
//! catalogue reaches the tasks that start after it.

pub mod database;
mod error;
pub mod generate;
pub mod import;
pub mod index;
pub mod problem;
pub mod product;
pub mod query;
pub mod serve;

pub use error::Error;
