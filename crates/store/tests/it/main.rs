//! The store as its users see it: real files, real servers.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod any_request;
mod carts;
mod database;
mod dependency;
mod faults;
mod generate;
mod import;
mod patterns;
mod people;
mod requests;
mod search;
mod server;
mod stop;
mod storefront;
