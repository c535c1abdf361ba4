//! The commands.

pub(crate) mod part;
pub(crate) mod store;
