//! A program that was started here: in a process group of its own, and ended when dropped.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

/// The kernel's unit of CPU time.
const TICKS_A_SECOND: u64 = 100;

/// Held while something is started; kept for ever at the end.
static STARTING: Mutex<()> = Mutex::new(());

/// A program at work.
pub(crate) struct Child {
    process: Process,
}

/// CPU time that a process group has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// In its own code.
    pub(crate) user: Duration,
    /// In the kernel, that of the loopback included.
    pub(crate) system: Duration,
}

/// From now on, as long as the guard lives, nothing is started.
pub(crate) fn stop_starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a program says until it ends by itself.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let starting = stop_starting();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = command.spawn();
    drop(starting);
    let named = || format!("{} cannot be started", command.get_program().display());
    let ended = started.with_context(named)?.wait_with_output()?;
    Ok(String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned())
}

// === impl Child ===

impl Child {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let _one_at_a_time = stop_starting();
        let started = command.process_group(0).spawn();
        let named = || format!("{} cannot be started", command.get_program().display());
        Ok(Self { process: started.with_context(named)? })
    }

    /// Signals all of it.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended, which is what most signals are for.
        let _ = kill_process_group(self.group(), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        self.process.wait().map(|_| ()).context("a program of ours cannot be waited for")
    }

    /// The processes of it that are there now.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let ours =
            |pid: &u32| stat(*pid).is_some_and(|fields| fields[2] == u64::from(self.process.id()));
        numbers.filter(ours).collect()
    }

    /// CPU time of all processes of it that are there now.
    pub(crate) fn cpu(&self) -> Cpu {
        cpu(&self.processes())
    }

    /// Its memory in bytes, shared pages by their share.
    pub(crate) fn pss(&self) -> u64 {
        self.processes().into_iter().filter_map(pss).sum()
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed()).expect("a process has a number")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.process.wait();
    }
}

// === impl Cpu ===

impl Cpu {
    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        let (user, system) = (before.user, before.system);
        Self { user: self.user.saturating_sub(user), system: self.system.saturating_sub(system) }
    }
}

/// The numbers of `/proc/PID/stat` after its name and state, from the parent on; the state counts as 0.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may itself hold any character.
    let fields = text.rsplit_once(')')?.1.split_whitespace();
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}

/// CPU time of these processes.
pub(crate) fn cpu(pids: &[u32]) -> Cpu {
    let fields: Vec<_> = pids.iter().filter_map(|pid| stat(*pid)).collect();
    let sum = |field: usize| {
        let ticks: u64 = fields.iter().map(|fields| fields[field]).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    };
    Cpu { user: sum(11), system: sum(12) }
}

/// The memory of a process in bytes, shared pages by their share.
pub(crate) fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_a_group_that_ends_with_it() {
        let child = Child::start(Command::new("sh").args(["-c", "sleep 60 & wait"])).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while child.processes().len() < 2 {
            assert!(std::time::Instant::now() < deadline, "{:?}", child.processes());
        }
        assert!(child.pss() > 0);
        let processes = child.processes();
        drop(child);
        let runs = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z"))
        };
        while processes.iter().any(runs) {
            assert!(std::time::Instant::now() < deadline, "{processes:?}");
        }
    }
}
