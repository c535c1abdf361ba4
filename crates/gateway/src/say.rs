//! What is said on standard error.
//!
//! Whoever started us may be gone, and with it whoever listened. `eprintln!` panics then, so it is
//! not used here (`clippy.toml` refuses it): what nobody hears is lost, and requests go on.

use std::fmt;
use std::io::{self, Write};

/// Says one line. For [`say!`](crate::say::say).
pub(crate) fn line(words: fmt::Arguments<'_>) {
    // As one write, so that lines of several threads stay whole.
    let line = format!("gateway: {words}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Says something on standard error, if anybody listens.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

pub(crate) use say;
