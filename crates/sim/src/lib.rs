//! The decisions of [`seaworthy_core`] in virtual time, and the planner on top of them.
//!
//! A simulation models only physics: links, tasks, loads, machines. Whatever is *decided* in it is
//! decided by the very structs that the gateway and the agent drive, so that it cannot disagree with
//! them about anything else.

mod agenda;
pub mod availability;
pub mod cell;
pub mod distribution;
mod in_words;
pub mod machine;
pub mod metastable;
pub mod planner;
pub mod scenarios;
pub mod swarm;
pub mod world;
