//! The API over real sockets, with a fleet behind it that is only made up.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod api;
mod fake;
mod tcp;
