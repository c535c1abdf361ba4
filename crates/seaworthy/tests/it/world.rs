//! A place for one test: a directory of its own, drill files, and what is left of a drill.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What is waited for comes within this, or never.
const DEADLINE: Duration = Duration::from_secs(60);

/// Drills take turns: two at once on a small machine would measure each other.
static TURN: Mutex<()> = Mutex::new(());

/// A test's own directory. All temporary files of its drills are below it.
pub(crate) struct World {
    directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    pub(crate) fn new() -> Self {
        // A test that failed in its turn did no harm to the others.
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let world = Self { directory: tempfile::tempdir().unwrap(), _turn: turn };
        fs::create_dir(world.temporary()).unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a drill file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `seaworthy ARGUMENTS`, in this directory.
    pub(crate) fn seaworthy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(arguments).current_dir(self.directory.path());
        command.env("TMPDIR", self.temporary()).stdin(Stdio::null());
        command
    }

    /// Runs a drill to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.seaworthy(arguments).output().unwrap()
    }

    /// Runs a drill to a verdict. A machine that was too busy to send requests in time has measured
    /// nothing, so that is tried again.
    pub(crate) fn judged(&self, file: &str, arguments: &[&str]) -> Output {
        let run = || self.run(&[&["drill", file], arguments].concat());
        let too_busy = |output: &Output| {
            // A cell that is INVALID, or too few runs to learn from.
            matches!(output.status.code(), Some(2 | 3))
                && code_and_words(output).1.contains("the generator was too slow")
        };
        (0..3).map(|_| run()).find(|output| !too_busy(output)).expect("the machine is too busy")
    }

    /// Starts a drill and waits until it has told a line with `word` in it.
    pub(crate) fn start(&self, arguments: &[&str], word: &str) -> Started {
        let mut command = self.seaworthy(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = Started::new(child);
        assert!(lines.any(|line| line.unwrap().contains(word)), "it ended without `{word}`");
        started
    }

    /// Whether nothing was left behind: no process that this world's drills started, no file.
    pub(crate) fn assert_nothing_is_left(&self) {
        self.assert_no_process_is_left();
        let left: Vec<_> = fs::read_dir(self.temporary()).unwrap().collect();
        assert!(left.is_empty(), "{left:?} is left");
    }

    /// Waits until no process is left that this world's drills started.
    pub(crate) fn assert_no_process_is_left(&self) {
        eventually("the end of the last process", || self.processes().is_empty().then_some(()));
    }

    /// Running processes that have this world's directory in their environment.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = self.directory.path().to_str().unwrap().as_bytes().to_vec();
        let ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|part| part == mark)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
    }

    /// Those of them whose command line has `words` in it.
    pub(crate) fn running(&self, words: &str) -> BTreeSet<u32> {
        let meant = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).replace('\0', " ").contains(words)
        };
        self.processes().into_iter().filter(meant).collect()
    }

    /// Where temporary files are.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path("temporary")
    }
}

/// Waits until `find` finds something, which is `what`.
pub(crate) fn eventually<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "{what} never came");
        // Not a wait for a time to pass: the processes of others make no event for us.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// How a program ended, and all that it said.
pub(crate) fn code_and_words(output: &Output) -> (Option<i32>, String) {
    let words = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&words).into_owned())
}

/// A drill under way. Dropping it kills it.
pub(crate) struct Started {
    child: Child,
}

impl Started {
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    /// Sends it a signal and waits for its end; returns its exit code, if it has one.
    pub(crate) fn signal(self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.end()
    }

    /// Waits for its end; returns its exit code, if it has one.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
