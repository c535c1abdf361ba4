//! From a target to the cheapest fleet: how many tasks, and which settings, keep the failed share of
//! requests below what is tolerated.
//!
//! Candidates are made of core's own settings around those of a fleet file ([`Candidate`]). Each is
//! either refused, because it cannot work, or reckoned with: by the closed forms of
//! [`availability`](crate::availability), cause by cause ([`Causes`]), and beside them by the reduced
//! simulation. [`ask`] puts them in order, and holds what it chooses against one of each event in the full
//! simulation ([`Rehearsed`]).
//!
//! It is a planner of tasks that die, hang, are sick, are replaced and deployed, and of what comes of that
//! for requests: they wait, are tried again, are turned away, or go to a bad task until that is found out.
//! What a whole service does under more load than it was planned for, or with a broken dependency, it does
//! not know.

mod answer;
mod candidate;
mod chosen;
mod event;
mod evidence;
#[cfg(test)]
mod example;
mod expected;
mod harm;
mod overload;
mod places;
mod question;
mod refusal;
mod rehearsal;
mod shut;
mod sick;
mod simulated;
mod staircase;
mod timing;

pub use answer::{Answer, Assessed, Eased, Rarer, Refused, ask};
pub use candidate::Candidate;
pub use event::Event;
pub use evidence::{Evidence, Measured, Report};
pub use expected::{Causes, Expected};
pub use places::{Tenants, tenants};
pub use question::{Question, World, check_share, rounded};
pub use rehearsal::{Outcome, Rehearsed};
pub use timing::Timing;

/// A difference below this is one of rounding.
const ROUNDED: f64 = 1e-9;
