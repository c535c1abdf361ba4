//! Core's machines, driven in virtual time: golden scripts, and invariants under any input.

mod calls;
mod cluster_properties;
mod files;
mod scripts;
mod world;
