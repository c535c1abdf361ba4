//! What commands say. Nowhere else is anything printed: `println!` panics when nobody reads any more.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

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

/// What was said, or was not as nobody reads it any more: what a command comes to is the same.
pub(crate) fn even_if_unread(said: anyhow::Result<()>) -> anyhow::Result<()> {
    said.or_else(|error| if error.is::<Unread>() { Ok(()) } else { Err(error) })
}

/// Says something beside that, on standard error. That nobody reads it ends nothing.
pub(crate) fn note(lines: impl fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{lines}");
}

/// A path as it can be given to a shell, on one line.
pub(crate) fn shown(file: &Path) -> String {
    let path = file.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path;
    }
    let within_quotes = |c: char| match c {
        '\'' => r"'\''".to_owned(),
        c if c.is_control() => c.escape_debug().to_string(),
        c => c.to_string(),
    };
    format!("'{}'", path.chars().map(within_quotes).collect::<String>())
}

// === impl Unread ===

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl Error for Unread {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_a_shell_takes_it() {
        let shown = |path: &str| shown(Path::new(path));
        assert_eq!(shown("a/fleet.toml"), "a/fleet.toml");
        assert_eq!(shown(""), "''");
        assert_eq!(shown(r#"my "a\b".toml"#), r#"'my "a\b".toml'"#);
        assert_eq!(shown("it's\n.toml"), r"'it'\''s\n.toml'");
    }
}
