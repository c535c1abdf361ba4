//! The agent's HTTP API: what people, scripts and the dashboard see of a fleet and have it do.
//!
//! [`server`] turns each request into an [`Ask`] and each reply into JSON; whoever runs the fleet takes
//! the asks out of a channel, one by one, between everything else it does. So the API decides nothing,
//! and can be tested without a fleet. Over the Unix socket whoever may open it may do all; over TCP a
//! token is asked for. Every route stands in one table, from which the router and its OpenAPI document
//! are both made.

mod ask;
pub mod client;
mod dashboard;
mod error;
mod guard;
mod input;
pub mod journal;
pub mod lines;
mod openapi;
mod reply;
mod routes;
pub mod server;
pub mod socket;
pub mod token;
pub mod types;

pub use ask::{Ask, Events, Handle, Logs, Reply};
pub use error::ApiError;
pub use journal::{Journal, Wall};
pub use openapi::document;
