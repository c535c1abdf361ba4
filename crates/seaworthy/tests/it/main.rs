//! The whole of it: real processes, real sockets.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod bad_revisions;
mod check;
mod client;
mod completions;
mod control;
mod dependencies;
mod drill;
mod exec;
#[path = "../../../agent/tests/it/fake.rs"]
mod fake;
mod fleet;
mod gateway;
mod gray;
mod init;
mod plan;
mod schema;
mod services;
mod sim;
mod target;
mod unread;
mod world;
