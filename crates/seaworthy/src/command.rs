//! The commands.

pub(crate) mod check;
pub(crate) mod drill;
pub(crate) mod gateway;
pub(crate) mod part;
pub(crate) mod store;
