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
    /// A file has just begun anew: it may soon be too long again.
    flooded: bool,
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
        Self { directory: directory.to_owned(), tails: BTreeMap::new(), flooded: false }
    }

    /// A new file for `task`, whatever was there under its name; returns where it is.
    pub(crate) fn open(&mut self, task: TaskId) -> io::Result<PathBuf> {
        self.forget(task);
        let tail = self.tail(task)?;
        self.tails.insert(task, tail);
        Ok(self.path(task))
    }

    /// The file of a task that an earlier agent started: what it said so far has been told.
    pub(crate) fn adopt(&mut self, task: TaskId) -> io::Result<()> {
        let mut tail = self.tail(task)?;
        tail.read = tail.file.metadata()?.len();
        self.tails.insert(task, tail);
        Ok(())
    }

    fn tail(&self, task: TaskId) -> io::Result<Tail> {
        let path = self.path(task);
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        Ok(Tail { file, path, read: 0, partial: Vec::new() })
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
        self.flooded = false;
        for (task, tail) in &mut self.tails {
            // Output that cannot be read or told must not end the way of control.
            let began_anew = tail.tell(*task, &mut to).unwrap_or(false);
            self.flooded |= began_anew;
        }
    }

    /// Whether a task writes so much that it is to be looked at again soon.
    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded
    }

    /// The task is gone: tells the rest, and forgets the oldest files.
    pub(crate) fn close(&mut self, task: TaskId, mut to: impl FnMut(TaskId, &str)) {
        if let Some(mut tail) = self.tails.remove(&task) {
            let _ = tail.tell(task, &mut to);
            tail.finish(task, &mut to);
        }
        self.forget_oldest();
    }

    /// Only the files of the last tasks that are gone stay, also of those that an earlier agent saw go.
    fn forget_oldest(&self) {
        let written =
            |task: &TaskId| fs::metadata(self.path(*task)).and_then(|of| of.modified()).ok();
        let mut gone = self.tasks();
        gone.retain(|task| !self.tails.contains_key(task));
        gone.sort_by_cached_key(written);
        let surplus = gone.len().saturating_sub(GONE_KEPT);
        gone[..surplus].iter().for_each(|task| self.forget(*task));
    }

    fn forget(&self, task: TaskId) {
        for ending in ["log", "log.1"] {
            let _ = fs::remove_file(self.directory.join(format!("{task}.{ending}")));
        }
    }
}

// === impl Tail ===

impl Tail {
    /// Whether the file began anew.
    fn tell(&mut self, task: TaskId, to: &mut impl FnMut(TaskId, &str)) -> io::Result<bool> {
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
        let is_long = self.read > LONGEST_FILE;
        if is_long {
            self.begin_anew()?;
        }
        Ok(is_long)
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
    fn a_new_task_begins_a_new_file_and_an_adopted_one_goes_on_with_its_own() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("task-1.log"), "of another\n").unwrap();
        fs::write(directory.path().join("task-1.log.1"), "of another\n").unwrap();
        let mut outputs = Outputs::new(directory.path());
        let path = outputs.open(TaskId(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"one\n").unwrap();

        let mut next = Outputs::new(directory.path());
        next.adopt(TaskId(1)).unwrap();
        assert_eq!(next.told(TaskId(1), 9), ["one"]);
        for task in 2..=GONE_KEPT as u32 + 2 {
            next.open(TaskId(task)).unwrap();
        }
        // Another agent is told of their end.
        let mut last = Outputs::new(directory.path());
        last.adopt(TaskId(1)).unwrap();
        last.close(TaskId(2), |_, _| {});
        assert_eq!(last.tasks().len(), GONE_KEPT + 1);
        assert_eq!(last.told(TaskId(1), 9), ["one"]);
    }
}
