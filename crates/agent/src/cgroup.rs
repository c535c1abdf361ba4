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

mod group;
mod place;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::endpoints::TaskId;
use serde::{Deserialize, Serialize};

use crate::processes::Identity;
use group::{Version, remove};
use place::Places;

pub use group::Group;

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

/// The tasks that have a group in the directory of a fleet.
fn tasks(directory: &Path) -> Vec<TaskId> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |name: &str| Some(TaskId(name.strip_prefix("task-")?.parse().ok()?));
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
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
