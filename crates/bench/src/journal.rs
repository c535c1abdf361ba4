//! What a backend got, and when: written down before the work is done, so that a SIGKILL loses nothing of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use seaworthy_agent::clock::now;
use seaworthy_core::time::Instant;

/// In place of a request's number: a health check that was passed.
pub(crate) const CHECK: u64 = 0;
/// Moment and number, eight bytes each.
const ENTRY: usize = 16;

/// The journal of one backend, which goes on when the backend is started again.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

/// Something that a backend got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// On the clock that all processes share.
    pub(crate) at: Instant,
    /// The request's number, from 1, or [`CHECK`].
    pub(crate) number: u64,
}

// === impl Journal ===

impl Journal {
    /// Goes on with a file, or begins it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::options().create(true).append(true).open(path)? })
    }

    /// Notes something that came now.
    pub(crate) fn note(&self, number: u64) -> io::Result<()> {
        let entry = [now().as_nanos().to_le_bytes(), number.to_le_bytes()].concat();
        // One call for one entry: it is there whole or not at all.
        (&self.file).write_all(&entry)
    }
}

/// Everything that was noted; nothing, if there is no such file.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let bytes = fs::read(path).unwrap_or_default();
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("it is half an entry"));
    let entry = |entry: &[u8]| {
        let (at, of) = entry.split_at(ENTRY / 2);
        Entry { at: Instant::from_nanos(number(at)), number: number(of) }
    };
    bytes.chunks_exact(ENTRY).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_goes_on_where_it_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        for number in [CHECK, 7] {
            Journal::open(&path).unwrap().note(number).unwrap();
        }
        let entries = read(&path);
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [0, 7]);
        assert!(entries[0].at <= entries[1].at);
        assert_eq!(read(&directory.path().join("none")), []);
    }
}
