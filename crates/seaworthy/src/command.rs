//! The commands.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod drill;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod part;
pub(crate) mod schema;
pub(crate) mod store;
