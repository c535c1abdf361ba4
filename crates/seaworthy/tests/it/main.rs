//! The whole of it: real processes, real sockets.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod drill;
mod world;
