//! Where people read: standard output, or standard error if figures go to standard output.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

/// No line is longer than this, however wide the terminal is.
const WIDEST: usize = 100;
/// Nor is anything squeezed into less.
const NARROWEST: usize = 40;

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// What was written, or was not as whoever read it has seen enough.
pub(crate) fn even_if_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

// === impl Paper ===

impl Paper {
    /// Whether somebody watches.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Error => io::stderr().is_terminal(),
        }
    }

    /// How many characters a line may have.
    pub fn width(self) -> usize {
        self.size().map_or(WIDEST, |(columns, _)| columns.clamp(NARROWEST, WIDEST))
    }

    /// How many lines are seen at once.
    pub(crate) fn height(self) -> usize {
        self.size().map_or(24, |(_, rows)| rows)
    }

    /// Prints text; its styles only where they are shown and wanted.
    pub(crate) fn print(self, text: &str) -> io::Result<()> {
        let colours = match self {
            Self::Out => anstream::AutoStream::choice(&io::stdout()),
            Self::Error => anstream::AutoStream::choice(&io::stderr()),
        };
        if colours == anstream::ColorChoice::Never {
            self.print_raw(&anstream::adapter::strip_str(text).to_string())
        } else {
            self.print_raw(text)
        }
    }

    /// Prints text and whatever controls are in it. That nobody reads it any more ends no drill.
    pub(crate) fn print_raw(self, text: &str) -> io::Result<()> {
        even_if_unread(match self {
            Self::Out => {
                let mut out = io::stdout();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Self::Error => io::stderr().write_all(text.as_bytes()),
        })
    }

    /// Columns and rows of the terminal, if it is one that knows.
    fn size(self) -> Option<(usize, usize)> {
        let size = match self {
            Self::Out => tcgetwinsize(io::stdout()),
            Self::Error => tcgetwinsize(io::stderr()),
        };
        let size = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0)?;
        Some((size.ws_col.into(), size.ws_row.into()))
    }
}
