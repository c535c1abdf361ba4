//! Where in the file system a control group is, and where this process may make its own.
//!
//! Groups are only made below the group this process is in: whoever limits us limits our tasks, too.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// In version 2, processes and groups with limits cannot be in one group. So the fleet's own
/// processes go here, beside the fleets.
const OWN: &str = "seaworthy-own";
/// Processes may be started while others are moved.
const ROUNDS: usize = 10;

/// The control groups that `/proc/PID/cgroup` tells of, and where they are.
pub(super) struct Places {
    mounts: String,
    groups: String,
}

impl Places {
    /// Those of this process.
    pub(super) fn own() -> io::Result<Self> {
        Self::of("self")
    }

    /// Those of another process.
    pub(super) fn of(pid: &str) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(Self { mounts, groups: fs::read_to_string(format!("/proc/{pid}/cgroup"))? })
    }

    /// Where its group of a controller of version 1 is, or of all controllers of version 2.
    pub(super) fn find(&self, controller: Option<&str>) -> Option<PathBuf> {
        let has = |list: &str| controller.is_none_or(|wanted| list.split(',').any(|c| c == wanted));
        let group = self.groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            (has(controllers) && controllers.is_empty() == controller.is_none()).then_some(path)
        })?;
        let kind = if controller.is_some() { "cgroup" } else { "cgroup2" };
        self.mounts.lines().find_map(|line| {
            let (place, file_system) = line.split_once(" - ")?;
            let mut place = place.split(' ').skip(3);
            let (root, mounted) = (place.next()?, place.next()?);
            let mut file_system = file_system.split(' ');
            let (found, options) = (file_system.next()?, file_system.nth(1)?);
            // In a container, what is mounted may begin further down than the first group.
            let below = Path::new(group).strip_prefix(root).ok()?;
            (found == kind && has(options)).then(|| Path::new(mounted).join(below))
        })
    }
}

/// The directory of a fleet in version 2, with memory and processors to divide.
pub(super) fn version_2(name: &str) -> io::Result<PathBuf> {
    let own = Places::own()?.find(None).ok_or_else(|| unsupported("it is not mounted"))?;
    let base = match own.parent() {
        Some(parent) if own.ends_with(OWN) => parent,
        _ => &own,
    };
    let offered = fs::read_to_string(base.join("cgroup.controllers"))?;
    if !both(&offered) {
        let what = format!("{}: it has not both of memory and cpu to give", base.display());
        return Err(unsupported(&what));
    }
    writable(base)?;
    if let Err(error) = enable(base) {
        if error.kind() != io::ErrorKind::ResourceBusy {
            return Err(error);
        }
        make_room(base)?;
        enable(base)?;
    }
    let fleet = base.join(name);
    make(&fleet)?;
    enable(&fleet)?;
    Ok(fleet)
}

/// The directories of a fleet in version 1: where memory is limited, and where processors are.
pub(super) fn version_1(name: &str) -> io::Result<[PathBuf; 2]> {
    let own = Places::own()?;
    let place = |controller: &str, file: &str| {
        let missing = || unsupported(&format!("{controller} is not mounted"));
        let base = own.find(Some(controller)).ok_or_else(missing)?;
        writable(&base)?;
        let fleet = base.join(name);
        make(&fleet)?;
        if fleet.join(file).exists() {
            return Ok(fleet);
        }
        fs::remove_dir(&fleet)?;
        Err(unsupported(&format!("the kernel has no {file}")))
    };
    let memory = place("memory", "memory.limit_in_bytes")?;
    let cpu = place("cpu", "cpu.cfs_quota_us").inspect_err(|_| drop(fs::remove_dir(&memory)))?;
    Ok([memory, cpu])
}

/// Makes a group; it may be there already.
fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(|error| named(directory, &error)),
    }
}

/// Processes can only be moved by whoever may write to this file of the group above both.
fn writable(base: &Path) -> io::Result<()> {
    let file = base.join("cgroup.procs");
    access(&file, Access::WRITE_OK).map_err(|errno| named(&file, &errno.into()))
}

/// Lets the groups below a group of version 2 have limits of memory and processors.
fn enable(group: &Path) -> io::Result<()> {
    let file = group.join("cgroup.subtree_control");
    if both(&fs::read_to_string(&file)?) {
        return Ok(());
    }
    write(&file, "+memory +cpu")
}

/// Moves all processes of a group to one below it. Only done where all are this program: a group in
/// which others are is not ours to arrange.
fn make_room(group: &Path) -> io::Result<()> {
    let ours = fs::read_link("/proc/self/exe")?;
    let below = group.join(OWN);
    for _ in 0..ROUNDS {
        let processes = processes(group)?;
        if processes.is_empty() {
            return Ok(());
        }
        let is_other = |pid: &&u32| {
            fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program != ours)
        };
        if let Some(other) = processes.iter().find(is_other) {
            let what = "there are other processes (such as";
            return Err(unsupported(&format!("{}: {what} {other}) in it", group.display())));
        }
        make(&below)?;
        for pid in processes {
            // One that ended meanwhile need not be moved; who is left is seen in the next round.
            let _ = write(&below.join("cgroup.procs"), &pid.to_string());
        }
    }
    Err(unsupported(&format!("{}: its processes do not leave it", group.display())))
}

/// The processes of a group.
pub(super) fn processes(group: &Path) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(group.join("cgroup.procs"))?;
    // Zero stands for one that cannot be seen from this container.
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect())
}

/// Writes to a file that the kernel must have made.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    let written = OpenOptions::new().write(true).open(file);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| named(file, &error))
}

fn both(controllers: &str) -> bool {
    ["memory", "cpu"].iter().all(|wanted| controllers.split_whitespace().any(|c| c == *wanted))
}

fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(mounts: &str, groups: &str, controller: Option<&str>) -> Option<String> {
        let places = Places { mounts: mounts.into(), groups: groups.into() };
        Some(places.find(controller)?.display().to_string())
    }

    #[test]
    fn groups_are_found_in_both_versions() {
        let mounts = "24 1 0:21 / /sys rw,nosuid shared:2 - sysfs sysfs rw\n\
            30 24 0:26 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n\
            32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            33 24 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
            34 24 0:30 /box/7 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let groups = "9:cpuset:/\n8:cpu,cpuacct:/user\n4:memory:/box/7/a:b\n0::/user.slice/x\n";
        let found = |controller| find(mounts, groups, controller);
        assert_eq!(found(None).unwrap(), "/sys/fs/cgroup/unified/user.slice/x");
        assert_eq!(found(Some("cpu")).unwrap(), "/sys/fs/cgroup/cpu,cpuacct/user");
        assert_eq!(found(Some("memory")).unwrap(), "/sys/fs/cgroup/memory/a:b");
        assert_eq!(found(Some("pids")), None);
        // A group that lies outside of what is mounted here cannot be reached.
        assert_eq!(find(mounts, "4:memory:/other\n", Some("memory")), None);
        assert_eq!(find("", groups, None), None);
    }

    #[test]
    fn both_controllers_are_needed_by_their_whole_names() {
        assert!(both("cpuset cpu io memory hugetlb\n"));
        assert!(!both("cpuset memory\n") && !both(""));
    }
}
