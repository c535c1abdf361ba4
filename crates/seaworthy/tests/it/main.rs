//! The whole of it: real processes, real sockets.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod check;
mod client;
mod dependencies;
mod drill;
mod exec;
mod gateway;
mod gray;
mod services;
mod target;
mod world;
