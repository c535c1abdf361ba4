//! Breaks a fleet under load and measures what its users would have seen.
//!
//! What a drill *is* and what its figures mean is decided in [`seaworthy_core::experiment`]; this
//! crate does it live, or has [`seaworthy_sim`] do it in virtual time. One cell at a time: a fleet of
//! its own, an open-loop load, the faults at their times; then the report.
//!
//! In a drill's commands and environments `{run}` stands for the run's own directory, which is
//! temporary and goes away with the run.

mod calibration;
mod cell;
mod error;
mod exec;
mod faults;
mod gray;
mod job;
mod link;
pub mod load;
mod output;
mod paper;
mod plan;
mod recorded;
pub mod relay;
mod report;
mod run;
mod shipped;
mod simulation;
pub mod standing;
pub mod storm;
mod style;
mod view;
mod watch;
pub mod witness;
mod words;

pub use error::Error;
pub use job::{Mode, Options, life_size};
pub use paper::Paper;
pub use run::{Ending, Interrupt, run};
pub use seaworthy_core::experiment::comparison::FEWEST_PREDICTED;
pub use seaworthy_sim::machine::FEWEST_RUNS as FEWEST_CALIBRATING;
pub use simulation::MOST_REPEATS;
pub use words::wrap;
