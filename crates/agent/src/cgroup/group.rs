//! One task's group: made, limited, asked, and removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_core::cluster::limits::Limits;

use super::place::{self, write};

/// The control group of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub(super) version: Version,
    pub(super) memory: PathBuf,
    pub(super) cpu: PathBuf,
}

/// Of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

// === impl Group ===

impl Group {
    /// The files to which a process writes `0` to join.
    pub fn join_paths(&self) -> Vec<PathBuf> {
        self.directories().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// Whether the kernel has killed a process of the task because it needed more memory than it
    /// may have. On version 1 the others live on.
    pub fn was_killed_for_memory(&self) -> bool {
        let file = self.memory.join(match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        });
        let text = fs::read_to_string(file).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 0)
    }

    /// Kills what is in it and removes it. [`io::ErrorKind::ResourceBusy`] as long as a process has
    /// not ended: try again later. One that is not there is removed.
    pub fn remove(&self) -> io::Result<()> {
        self.directories().try_for_each(remove)
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        let other = (self.cpu != self.memory).then_some(&self.cpu);
        std::iter::once(&self.memory).chain(other).map(PathBuf::as_path)
    }

    pub(super) fn exists(&self) -> bool {
        self.directories().all(Path::exists)
    }

    pub(super) fn make(&self) -> io::Result<()> {
        let named = |directory: &Path, error: &io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        };
        self.directories().try_for_each(|directory| {
            fs::create_dir(directory).map_err(|error| named(directory, &error))
        })
    }

    pub(super) fn limit(&self, limits: &Limits) -> io::Result<()> {
        if let Some(bytes) = limits.memory {
            self.limit_memory(bytes)?;
        }
        if let Some(cpu) = limits.cpu {
            self.limit_cpu(cpu)?;
        }
        Ok(())
    }

    /// Swap is memory, too: else a task that leaks would make the machine slow and not end.
    fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let (file, bytes) = (|name| self.memory.join(name), bytes.to_string());
        match self.version {
            Version::One => {
                write(&file("memory.limit_in_bytes"), &bytes)?;
                optional(write(&file("memory.memsw.limit_in_bytes"), &bytes))
            }
            Version::Two => {
                write(&file("memory.max"), &bytes)?;
                optional(write(&file("memory.swap.max"), "0"))?;
                optional(write(&file("memory.oom.group"), "1"))
            }
        }
    }

    fn limit_cpu(&self, cpu: u32) -> io::Result<()> {
        let (quota, period) = quota(cpu);
        let file = |name| self.cpu.join(name);
        match self.version {
            Version::One => {
                write(&file("cpu.cfs_period_us"), &period.to_string())?;
                write(&file("cpu.cfs_quota_us"), &quota.to_string())
            }
            Version::Two => write(&file("cpu.max"), &format!("{quota} {period}")),
        }
    }
}

/// So many microseconds of processor time in so many. The kernel takes no less than a millisecond.
pub(super) fn quota(cpu: u32) -> (u64, u64) {
    let period = if cpu < 10 { 1_000_000 } else { 100_000 };
    (u64::from(cpu.max(1)) * period / 1000, period)
}

/// What not every kernel, or not a machine without swap, has.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Kills what is in a group and in those below it, and removes them all.
pub(super) fn remove(group: &Path) -> io::Result<()> {
    kill(group);
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// SIGKILL to all processes of a group. What fails shows when it cannot be removed.
fn kill(group: &Path) {
    if write(&group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let processes = place::processes(group).unwrap_or_default();
    for pid in processes.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
