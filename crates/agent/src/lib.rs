//! The way of control, live.
//!
//! Three parts, in three processes: the [`keeper`] is the parent of everything and decides nothing;
//! the [`agent`] asks core what should start and stop, and has the keeper do it; the [`owner`] is
//! whoever wants the fleet, such as a drill, and holds its lifeline. Every process of a fleet is
//! started through [`exec`], so that none outlives its keeper.
//!
//! No descriptor is passed by number: a process finds its sockets as standard input and output.

pub mod agent;
pub mod api;
pub mod cgroup;
mod clients;
pub mod clock;
pub mod descriptors;
pub mod directory;
pub mod environment;
mod error;
pub mod exec;
pub mod handover;
pub mod keeper;
pub mod messages;
mod output;
pub mod owner;
mod ports;
pub mod processes;
mod say;
pub mod usage;

pub use error::Error;
