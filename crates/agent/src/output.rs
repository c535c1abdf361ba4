//! What tasks write, read from their files and told line by line with the task's name before it.
//!
//! A task writes to a file and not to a pipe, so that nobody's death breaks it. The file is bounded:
//! when it has grown too long its content moves to `task-N.log.1` and it begins anew; a line written
//! in just that moment can be lost.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use seaworthy_core::endpoints::TaskId;

/// A file longer than this begins anew.
const LONGEST_FILE: u64 = 1 << 20;
/// A line longer than this is told in pieces.
const LONGEST_LINE: usize = 8 << 10;
/// Files of so many tasks that are gone are kept.
const GONE_KEPT: usize = 20;

/// The output of all tasks.
#[derive(Debug)]
pub(crate) struct Outputs {
    directory: PathBuf,
    tails: BTreeMap<TaskId, Tail>,
    gone: Vec<TaskId>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    path: PathBuf,
    read: u64,
    /// A line whose end has not come yet.
    partial: Vec<u8>,
}

// === impl Outputs ===

impl Outputs {
    /// Output files below `directory`, which exists.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), tails: BTreeMap::new(), gone: Vec::new() }
    }

    /// A new file for `task`; returns where it is.
    pub(crate) fn open(&mut self, task: TaskId) -> io::Result<PathBuf> {
        let path = self.directory.join(format!("{task}.log"));
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        self.tails.insert(task, Tail { file, path: path.clone(), read: 0, partial: Vec::new() });
        Ok(path)
    }

    /// Tells every line that came since the last time.
    pub(crate) fn tell(&mut self, to: &mut impl Write) {
        for (task, tail) in &mut self.tails {
            // Output that cannot be read or told must not end the way of control.
            let _ = tail.tell(*task, to);
        }
    }

    /// The task is gone: tells the rest, and forgets the oldest files.
    pub(crate) fn close(&mut self, task: TaskId, to: &mut impl Write) {
        if let Some(mut tail) = self.tails.remove(&task) {
            let _ = tail.tell(task, to).and_then(|()| tail.finish(task, to));
            self.gone.push(task);
        }
        if self.gone.len() > GONE_KEPT {
            let oldest = self.gone.remove(0);
            for ending in ["log", "log.1"] {
                let _ = fs::remove_file(self.directory.join(format!("{oldest}.{ending}")));
            }
        }
    }
}

// === impl Tail ===

impl Tail {
    fn tell(&mut self, task: TaskId, to: &mut impl Write) -> io::Result<()> {
        let mut new = Vec::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        // Bounded also against a task that writes as fast as we read.
        self.read += (&self.file).take(LONGEST_FILE * 2).read_to_end(&mut new)? as u64;
        for piece in new.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.finish(task, to)?;
            }
        }
        if self.read > LONGEST_FILE {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            fs::copy(&self.path, old)?;
            // The task appends, so it goes on at the new end.
            self.file.set_len(0)?;
            self.read = 0;
        }
        Ok(())
    }

    /// Tells what there is of a line.
    fn finish(&mut self, task: TaskId, to: &mut impl Write) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial);
        for piece in line.chunks(LONGEST_LINE) {
            writeln!(to, "{task} | {}", String::from_utf8_lossy(piece).trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_with_their_task_and_files_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(directory.path());
        let path = outputs.open(TaskId(3)).unwrap();
        let mut task = OpenOptions::new().append(true).open(&path).unwrap();
        let mut told = Vec::new();

        task.write_all(b"one\ntwo, no").unwrap();
        outputs.tell(&mut told);
        task.write_all(b" end\n\xff\n").unwrap();
        outputs.tell(&mut told);
        assert_eq!(
            String::from_utf8_lossy(&told),
            "task-3 | one\ntask-3 | two, no end\ntask-3 | \u{fffd}\n"
        );

        task.write_all(&vec![b'x'; LONGEST_FILE as usize + 1]).unwrap();
        outputs.tell(&mut io::sink());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        task.write_all(b"after\nlast").unwrap();
        told.clear();
        outputs.close(TaskId(3), &mut told);
        assert!(String::from_utf8_lossy(&told).ends_with("task-3 | after\ntask-3 | last\n"));
    }
}
