//! The commands.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod down;
pub(crate) mod drain;
pub(crate) mod drill;
pub(crate) mod events;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod logs;
mod number;
pub(crate) mod part;
pub(crate) mod plan;
pub(crate) mod ps;
pub(crate) mod revisions;
pub(crate) mod rollback;
mod running;
pub(crate) mod say;
pub(crate) mod scale;
pub(crate) mod schema;
pub(crate) mod sim;
pub(crate) mod stop;
pub(crate) mod store;
mod table;
pub(crate) mod up;
pub(crate) mod upgrade;
mod wait;
