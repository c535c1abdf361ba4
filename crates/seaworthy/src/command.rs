//! The commands.

pub(crate) mod drill;
pub(crate) mod part;
pub(crate) mod store;
