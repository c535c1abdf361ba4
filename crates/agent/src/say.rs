//! What our own processes have to say on standard error, if anybody listens.

use std::fmt;
use std::io::{self, Write};

/// Says a line. That nobody reads it any more, or that the disk is full, ends nothing: `eprintln!`
/// would panic.
pub(crate) fn say(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}
