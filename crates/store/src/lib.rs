//! The example application: an online shop of a few services, each of which runs in any number of
//! tasks.
//!
//! ```text
//!                    +------------+ ---> products    search over the catalogue
//!  GET /page/17 ---> | storefront | ---> customers   who they are
//!                    +------------+ ---> orders      what they have bought
//!
//!  PUT /carts/17/4 ---> carts                        what they are about to buy
//! ```
//!
//! [`generate`] or [`import`] make a [`Catalogue`](product::Catalogue), [`database`] keeps it in an
//! `SQLite` file. Each task reads that file once, Products builds its own [`index`] in memory, and
//! only then listens ([`service`]): a passing health check means that it can answer. Tasks share
//! nothing but the file and, carts aside, write nothing at all, so any of them may be stopped at
//! any moment, and new data reaches the tasks that start after it.
//!
//! The [`storefront`] calls the others and degrades piece by piece when it cannot.

pub mod carts;
pub mod database;
mod error;
pub mod faults;
pub mod generate;
pub mod import;
pub mod index;
pub mod people;
pub mod problem;
pub mod product;
pub mod query;
pub mod service;
pub mod storefront;

pub use error::Error;
