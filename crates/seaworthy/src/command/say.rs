//! What commands say. Nowhere else is anything printed: `println!` panics when nobody reads any more.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use anyhow::Context;

/// Whoever read standard output has seen enough, such as `head`: the command ends quietly.
#[derive(Debug)]
pub(crate) struct Unread;

/// Prints lines, in colours if somebody sees them.
pub(crate) fn say(lines: impl fmt::Display) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{lines}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Unread.into()),
        said => said.context("standard output"),
    }
}

/// Says something beside that, on standard error. That nobody reads it ends nothing.
pub(crate) fn note(lines: impl fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{lines}");
}

// === impl Unread ===

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl Error for Unread {}
