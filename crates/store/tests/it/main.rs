//! The store as its users see it: real files, a real server.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod any_request;
mod database;
mod generate;
mod import;
mod requests;
mod search;
mod server;
mod stop;
