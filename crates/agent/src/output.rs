//! What tasks write, read from their files and told line by line with the task's name before it.
//!
//! A task writes to a file and not to a pipe, so that nobody's death breaks it. The file is bounded:
//! when it has grown too long the last of it moves to `task-N.log.1` and it begins anew; a line written
//! in just that moment can be lost.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use seaworthy_core::endpoints::TaskId;

use crate::api::lines;

/// A file longer than this begins anew.
const LONGEST_FILE: u64 = 1 << 20;
/// No more than this is read at a time, or moves.
const MOST: u64 = 2 * LONGEST_FILE;
/// A line longer than this is told in pieces.
const LONGEST_LINE: usize = 8 << 10;
/// Files of so many tasks that are gone are kept.
const GONE_KEPT: usize = 20;

/// The output of all tasks.
#[derive(Debug)]
pub(crate) struct Outputs {
    directory: PathBuf,
    tails: BTreeMap<TaskId, Tail>,
    /// Those whose files are still there, the oldest first.
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
        let tails = BTreeMap::new();
        let mut outputs = Self { directory: directory.to_owned(), tails, gone: Vec::new() };
        outputs.gone = outputs.tasks();
        outputs
    }

    /// A new file for `task`, whatever a task of that number wrote in a fleet before; returns where it
    /// is.
    pub(crate) fn open(&mut self, task: TaskId) -> io::Result<PathBuf> {
        self.forget(task);
        self.adopt(task)?;
        Ok(self.path(task))
    }

    /// The file of a task that an earlier agent started: what it said so far has been told.
    pub(crate) fn adopt(&mut self, task: TaskId) -> io::Result<()> {
        let path = self.path(task);
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        let read = file.metadata()?.len();
        self.gone.retain(|gone| *gone != task);
        self.tails.insert(task, Tail { file, path, read, partial: Vec::new() });
        Ok(())
    }

    /// Where `task` writes.
    pub(crate) fn path(&self, task: TaskId) -> PathBuf {
        self.directory.join(format!("{task}.log"))
    }

    /// The tasks whose output is there, those that are gone included, in ascending order.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        let names = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let task =
            |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok();
        let mut tasks: Vec<TaskId> = names.filter_map(task).collect();
        tasks.sort_unstable();
        tasks
    }

    /// The last lines that a task wrote and that were told.
    pub(crate) fn told(&self, task: TaskId, lines: usize) -> Vec<String> {
        let end = self.tails.get(&task).map_or(u64::MAX, |tail| tail.read);
        lines::last(&self.path(task), end, lines).unwrap_or_default()
    }

    /// Tells every line that came since the last time.
    pub(crate) fn tell(&mut self, mut to: impl FnMut(TaskId, &str)) {
        for (task, tail) in &mut self.tails {
            // Output that cannot be read or told must not end the way of control.
            let _ = tail.tell(*task, &mut to);
        }
    }

    /// The task is gone: tells the rest, and forgets the oldest files.
    pub(crate) fn close(&mut self, task: TaskId, mut to: impl FnMut(TaskId, &str)) {
        if let Some(mut tail) = self.tails.remove(&task) {
            let _ = tail.tell(task, &mut to);
            tail.finish(task, &mut to);
            self.gone.push(task);
        }
        while self.gone.len() > GONE_KEPT {
            let oldest = self.gone.remove(0);
            self.forget(oldest);
        }
    }

    fn forget(&self, task: TaskId) {
        for ending in ["log", "log.1"] {
            let _ = fs::remove_file(self.directory.join(format!("{task}.{ending}")));
        }
    }
}

// === impl Tail ===

impl Tail {
    fn tell(&mut self, task: TaskId, to: &mut impl FnMut(TaskId, &str)) -> io::Result<()> {
        let mut new = Vec::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        // Bounded also against a task that writes as fast as we read.
        self.read += (&self.file).take(MOST).read_to_end(&mut new)? as u64;
        for piece in new.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST_LINE {
                self.finish(task, to);
            }
        }
        if self.read > LONGEST_FILE {
            self.begin_anew()?;
        }
        Ok(())
    }

    /// Of a task that writes faster than it is read only the last is kept.
    fn begin_anew(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        let end = self.file.metadata()?.len();
        self.file.seek(SeekFrom::Start(end.saturating_sub(MOST)))?;
        let moved = io::copy(&mut (&self.file).take(MOST), &mut File::create(old)?);
        // The task appends, so it goes on at the new end. Also where there is no room for the old one.
        self.file.set_len(0)?;
        self.read = 0;
        moved.map(drop)
    }

    /// Tells what there is of a line.
    fn finish(&mut self, task: TaskId, to: &mut impl FnMut(TaskId, &str)) {
        let line = std::mem::take(&mut self.partial);
        for piece in line.chunks(LONGEST_LINE) {
            to(task, String::from_utf8_lossy(piece).trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_told_with_their_task_and_files_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(directory.path());
        let path = outputs.open(TaskId(3)).unwrap();
        let mut task = OpenOptions::new().append(true).open(&path).unwrap();
        let mut told = String::new();
        let mut tell = |task, line: &str| writeln!(told, "{task} | {line}").unwrap();

        task.write_all(b"one\ntwo, no").unwrap();
        outputs.tell(&mut tell);
        task.write_all(b" end\n\xff\n").unwrap();
        outputs.tell(&mut tell);
        task.write_all(&vec![b'x'; LONGEST_FILE as usize + 1]).unwrap();
        outputs.tell(|_, _| {});
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        task.write_all(b"after\nlast").unwrap();
        outputs.close(TaskId(3), &mut tell);
        assert_eq!(outputs.told(TaskId(3), 2), ["after", "last"]);
        assert!(told.starts_with("task-3 | one\ntask-3 | two, no end\ntask-3 | \u{fffd}\n"));
        assert!(told.ends_with("task-3 | after\ntask-3 | last\n"));
    }

    #[test]
    fn of_a_flood_the_last_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(directory.path());
        let path = outputs.open(TaskId(1)).unwrap();
        let mut task = OpenOptions::new().append(true).open(&path).unwrap();
        task.write_all(&vec![b'\n'; 5 * MOST as usize]).unwrap();
        task.write_all(b"the end\n").unwrap();
        outputs.tell(|_, _| {});
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert_eq!(fs::metadata(path.with_extension("log.1")).unwrap().len(), MOST);
        assert_eq!(outputs.told(TaskId(1), 1), ["the end"]);
    }

    #[test]
    fn what_an_earlier_fleet_left_is_not_told_of_its_namesake_and_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        for task in 1..=GONE_KEPT + 5 {
            fs::write(directory.path().join(format!("task-{task}.log")), "earlier\n").unwrap();
        }
        let mut outputs = Outputs::new(directory.path());
        outputs.adopt(TaskId(1)).unwrap();
        outputs.open(TaskId(2)).unwrap();
        outputs.tell(|task, line| panic!("{task} | {line}"));
        assert_eq!(outputs.told(TaskId(1), 1), ["earlier"]);
        assert!(outputs.told(TaskId(2), 1).is_empty());
        outputs.close(TaskId(2), |_, _| {});
        let left: Vec<u32> = outputs.tasks().iter().map(|task| task.0).collect();
        assert_eq!(left.len(), GONE_KEPT + 1);
        assert!(left.starts_with(&[1, 2, 7]), "{left:?}");
    }
}
