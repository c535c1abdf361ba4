//! The API over real sockets, with a fleet behind it that is only made up.

mod api;
mod fake;
mod tcp;
