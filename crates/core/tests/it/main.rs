//! Core's machines, driven in virtual time: golden scripts, and invariants under any input.

#![allow(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod autoscaler;
mod autoscaler_properties;
mod balance;
mod balance_properties;
mod balance_world;
mod call_policies;
mod call_policy_properties;
mod call_properties;
mod call_shell;
mod call_tries;
mod calls;
mod cluster_properties;
mod files;
mod golden;
mod observer;
mod passive;
mod passive_out;
mod passive_properties;
mod passive_shell;
mod passive_simulation;
mod policy_guard;
mod policy_opening;
mod policy_properties;
mod policy_shell;
mod policy_trials;
mod policy_trip;
mod policy_world;
mod reconciler;
mod scripts;
mod target_properties;
mod targets;
mod traffic;
mod weights;
mod world;
