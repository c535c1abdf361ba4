//! Control groups: the kernel's limits of memory and processors for each task.
//!
//! Both versions, where this process may make groups below its own; the directories are
//!
//! - version 2: `OWN/seaworthy-DEVICE-INODE/task-N`,
//! - version 1: the same in the hierarchies of `memory` and `cpu`,
//!
//! with the numbers of the fleet's state directory, so that two fleets do not meet, also when one of
//! them is moved. A task's process joins its group itself, before it becomes the program
//! ([`crate::exec`]), so that nothing of the task is ever outside.
//!
//! Where no group can be made, limits are held by watching ([`Enforcement::Observed`]).

mod place;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::endpoints::TaskId;
use serde::{Deserialize, Serialize};

use crate::processes::Identity;
use place::{Places, write};

/// A group whose processes do not end when killed is tried again so often, then given up.
const TRIES: u32 = 600;
/// Between two looks at groups that are to go when the fleet ends.
const PAUSE: Duration = Duration::from_millis(2);

/// By what the limits of tasks are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// The kernel, by control groups of version 2: a task beyond its memory is killed as a whole.
    CgroupV2,
    /// The kernel, by control groups of version 1: it kills the largest process of such a task.
    CgroupV1,
    /// Nobody before it happens: a task seen beyond its memory is killed, and it is kept to as many
    /// whole processors as its limit needs.
    Observed,
}

/// The control groups of one fleet.
#[derive(Debug)]
pub struct Cgroups {
    version: Version,
    name: String,
    /// Where memory is limited and where processors are: of version 2, the same.
    directories: [PathBuf; 2],
    /// Groups that are to go and whose processes have not ended yet, and how often they were tried.
    leaving: Vec<(Group, u32)>,
}

/// The control group of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    version: Version,
    memory: PathBuf,
    cpu: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

// === impl Cgroups ===

impl Cgroups {
    /// Those of the fleet with this state directory; an error says why there can be none.
    pub fn find(state: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(state)?;
        let name = format!("seaworthy-{:x}-{:x}", metadata.dev(), metadata.ino());
        let (version, directories) = match place::version_2(&name) {
            Ok(directory) => (Version::Two, [directory.clone(), directory]),
            Err(two) => match place::version_1(&name) {
                Ok(directories) => (Version::One, directories),
                Err(one) => {
                    let why = format!("control groups v2: {two}; v1: {one}");
                    return Err(io::Error::new(io::ErrorKind::Unsupported, why));
                }
            },
        };
        Ok(Self { version, name, directories, leaving: Vec::new() })
    }

    /// By what limits are held here.
    pub fn enforcement(&self) -> Enforcement {
        match self.version {
            Version::One => Enforcement::CgroupV1,
            Version::Two => Enforcement::CgroupV2,
        }
    }

    /// A new group for a task, which must not have one, with these limits.
    pub fn create(&mut self, task: TaskId, limits: &Limits) -> io::Result<Group> {
        let group = self.group(task);
        // One that was left by an earlier task of that number would have counted its deaths.
        group.remove()?;
        let made = group.make().and_then(|()| group.limit(limits));
        made.inspect_err(|_| self.release(group.clone()))?;
        Ok(group)
    }

    /// The group of a task that was started by another agent. Its process may have been started from
    /// another group than ours; one that has ended can only be found if it was not.
    pub fn adopt(&self, task: TaskId, process: Identity) -> Option<Group> {
        let near = self.group(task);
        let far = self.group_of(process, task);
        far.or_else(|| near.exists().then_some(near))
    }

    /// Ends what is left of a task, and its group; what does not end at once is seen to by
    /// [`sweep`](Self::sweep). Ask [`Group::was_killed_for_memory`] before.
    pub fn release(&mut self, group: Group) {
        let known = self.leaving.iter().any(|(leaving, _)| *leaving == group);
        if !known && group.remove().is_err() {
            self.leaving.push((group, 0));
        }
    }

    /// Ends the groups of all tasks but these. Call it once all that runs is adopted.
    pub fn release_others(&mut self, kept: &BTreeSet<TaskId>) {
        let found: BTreeSet<_> = self.directories.iter().flat_map(|d| tasks(d)).collect();
        for task in found.difference(kept) {
            self.release(self.group(*task));
        }
    }

    /// Tries again to end groups that were released; returns why some are given up. Call it every
    /// now and then.
    pub fn sweep(&mut self) -> Vec<io::Error> {
        let mut given_up = Vec::new();
        self.leaving.retain_mut(|(group, tries)| match group.remove() {
            Ok(()) => false,
            Err(error) => {
                *tries += 1;
                let goes_on = *tries < TRIES;
                if !goes_on {
                    given_up.push(error);
                }
                goes_on
            }
        });
        given_up
    }

    /// The fleet ends: so do all its groups, with what is in them, within about this time.
    pub fn end(self, within: Duration) -> io::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let result = self.directories.iter().try_for_each(|directory| remove(directory));
            if result.is_ok() || Instant::now() >= deadline {
                return result;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn group(&self, task: TaskId) -> Group {
        let [memory, cpu] =
            self.directories.clone().map(|directory| directory.join(task.to_string()));
        Group { version: self.version, memory, cpu }
    }

    /// The group that a process is in, if it is that of this task of this fleet.
    fn group_of(&self, process: Identity, task: TaskId) -> Option<Group> {
        let places = Places::of(&process.pid.to_string()).ok()?;
        let tail = Path::new(&self.name).join(task.to_string());
        let find = |controller: &str| {
            let controller = Some(controller).filter(|_| self.version == Version::One);
            places.find(controller).filter(|place| place.ends_with(&tail))
        };
        let group = Group { version: self.version, memory: find("memory")?, cpu: find("cpu")? };
        // Its number was not another's meanwhile.
        process.is_alive().then_some(group)
    }
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

    fn directories(&self) -> impl Iterator<Item = &Path> {
        let other = (self.cpu != self.memory).then_some(&self.cpu);
        std::iter::once(&self.memory).chain(other).map(PathBuf::as_path)
    }

    fn exists(&self) -> bool {
        self.directories().all(Path::exists)
    }

    fn make(&self) -> io::Result<()> {
        let named = |directory: &Path, error: &io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        };
        self.directories().try_for_each(|directory| {
            fs::create_dir(directory).map_err(|error| named(directory, &error))
        })
    }

    fn limit(&self, limits: &Limits) -> io::Result<()> {
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
fn quota(cpu: u32) -> (u64, u64) {
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

/// The tasks that have a group in the directory of a fleet.
fn tasks(directory: &Path) -> Vec<TaskId> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |name: &str| Some(TaskId(name.strip_prefix("task-")?.parse().ok()?));
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

/// Kills what is in a group and in those below it, and removes them all.
fn remove(group: &Path) -> io::Result<()> {
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

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::Observed => "observed",
        })
    }
}

#[cfg(test)]
mod tests;
