//! From a target to the cheapest fleet: how many tasks, and which settings, keep the failed share of
//! requests below what is tolerated.
//!
//! Candidates are made of core's own settings around those of a fleet file ([`Candidate`]). Each is
//! either refused, because it cannot work, or reckoned with: by the closed forms of
//! [`availability`](crate::availability), cause by cause ([`Causes`]), and beside them by the reduced
//! simulation. [`ask`] puts them in order.
//!
//! It is a planner of tasks that die, hang, are replaced and deployed. What a whole service does under
//! too much load, or with a broken dependency, it does not know.

mod answer;
mod candidate;
mod evidence;
mod expected;
mod question;
mod refusal;
mod timing;

pub use answer::{Answer, Assessed, Refused, ask};
pub use candidate::Candidate;
pub use evidence::{Evidence, Report};
pub use expected::{Causes, Expected};
pub use question::{Question, World};
