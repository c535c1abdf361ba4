//! The last events in files, so that they outlive the agent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::EventView;
use crate::say::say;

/// When a file has so many events it takes the place of the one before, and another one begins.
pub(super) const IN_A_FILE: usize = super::KEPT / 2;

/// Two files that are added to in turn, an event on each line. Without room on the disk events are
/// missing there, and nothing else.
#[derive(Debug)]
pub(super) struct Written {
    directory: PathBuf,
    latest: Option<File>,
    /// How many events the latest file has.
    count: usize,
    /// Whether the last one could not be written.
    failed: bool,
}

// === impl Written ===

impl Written {
    /// Goes on with the files in `directory`; returns the events that are there, in their order.
    pub(super) fn open(directory: &Path) -> (Self, Vec<EventView>) {
        let (latest, mut all) = (read(&latest(directory)), read(&earlier(directory)));
        let count = latest.len();
        all.extend(latest);
        let directory = directory.to_owned();
        (Self { directory, latest: None, count, failed: false }, all)
    }

    /// Adds one more.
    pub(super) fn add(&mut self, event: &EventView) {
        let added = self.try_add(event);
        let before = std::mem::replace(&mut self.failed, added.is_err());
        let place = self.directory.display();
        match added {
            Err(error) if !before => say(format_args!(
                "agent: {place}: cannot be written: {error}; the next agent does not know these events"
            )),
            Ok(()) if before => say(format_args!("agent: {place}: is written again")),
            _ => {}
        }
    }

    fn try_add(&mut self, event: &EventView) -> io::Result<()> {
        if self.count >= IN_A_FILE {
            fs::rename(latest(&self.directory), earlier(&self.directory))?;
            (self.latest, self.count) = (None, 0);
        }
        let file = match &mut self.latest {
            Some(file) => file,
            none => {
                fs::create_dir_all(&self.directory)?;
                let path = latest(&self.directory);
                none.insert(OpenOptions::new().create(true).append(true).open(path)?)
            }
        };
        // The end of line comes first: it ends also one that was written half.
        let mut line = vec![b'\n'];
        serde_json::to_writer(&mut line, event)?;
        file.write_all(&line)?;
        self.count += 1;
        Ok(())
    }
}

fn latest(directory: &Path) -> PathBuf {
    directory.join("latest.jsonl")
}

fn earlier(directory: &Path) -> PathBuf {
    directory.join("earlier.jsonl")
}

/// What is no event was written half.
fn read(path: &Path) -> Vec<EventView> {
    let text = fs::read(path).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
