//! Random fleets with random fates, watched for what must hold whatever happens.
//!
//! A seed stands for a [`Scenario`]: a fleet that a user could write, and what happens to it. First
//! everything goes wrong that can (*safety*: limits must hold), then all is mended (*liveness*: the
//! fleet must be as desired again, and serve). What it proves depends on what it reached, so that is
//! counted: [`Sometimes`].
//!
//! Source of the two phases: the VOPR of `TigerBeetle`; of the states that must be reached: `CODE_PROBE`
//! of `FoundationDB`.

mod bounds;
mod breakers;
mod bulkheads;
mod by_slot;
mod calling;
mod clients;
mod counts;
mod draw;
mod ends;
mod fair;
mod fate;
mod gates;
mod leavings;
mod ledger;
mod load;
mod outcomes;
mod panics;
mod purse;
mod rule;
mod run;
mod scenario;
mod script;
mod shares;
mod shrink;
mod sometimes;
mod tally;
#[cfg(test)]
mod tests;
mod trials;
mod turns;
mod verdicts;
mod watch;
mod words;
mod zones;

pub use draw::scenario;
pub use rule::{Rule, Violation};
pub use run::{Outcome, run, traced};
pub use scenario::{Flaw, Happening, Insistence, Member, Scenario, Settings, ToService, ToTask};
pub use shrink::shrink;
pub use sometimes::{Reached, Sometimes};
pub use tally::Tally;

pub use crate::world::planted::Planted;
