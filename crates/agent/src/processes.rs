//! Processes of this machine: who they are, and how to end all that we started.

mod stat;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::param::clock_ticks_per_second;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpgid, kill_process, kill_process_group, pidfd_open,
    waitpid,
};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;
use serde::{Deserialize, Serialize};

pub(crate) use stat::Stat;

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its number, and the number of its process group.
    pub pid: u32,
    /// When it was started, in clock ticks since the machine was.
    pub start_time: u64,
}

// === impl Identity ===

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        Stat::read(pid).map(|stat| Self { pid, start_time: stat.start_time })
    }

    /// Whether it still runs. One that has ended and is not yet reaped does not.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid)
            .is_some_and(|stat| stat.start_time == self.start_time && stat.state != 'Z')
    }

    /// When it was started.
    pub fn started(self) -> Instant {
        Instant::from_nanos(self.start_time * 1_000_000_000 / clock_ticks_per_second())
    }

    /// A descriptor that can be read from as soon as it ends; none if it has.
    pub(crate) fn watch(self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid.cast_signed())?;
        let watch = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        // Only now is it certain that it is not a later one with the same number.
        self.is_alive().then_some(watch)
    }

    /// Forgets one that has ended, if it is a child of ours.
    pub(crate) fn reap(self) {
        if let Some(pid) = Pid::from_raw(self.pid.cast_signed()) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    /// SIGTERM to the process itself; false if it is not there.
    pub(crate) fn terminate(self) -> bool {
        let pid = Pid::from_raw(self.pid.cast_signed()).filter(|_| self.is_alive());
        pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
    }

    /// SIGKILL to its whole process group, as a crash would end it; false if it is not there.
    pub fn kill(self) -> bool {
        self.is_alive() && signal_group(self.pid, Signal::KILL)
    }

    /// SIGSTOP to its whole process group: it stands still, and keeps all that it has; false if it
    /// is not there.
    pub fn stop(self) -> bool {
        self.is_alive() && signal_group(self.pid, Signal::STOP)
    }

    /// SIGCONT to its whole process group; false if it is not there.
    pub fn go_on(self) -> bool {
        self.is_alive() && signal_group(self.pid, Signal::CONT)
    }

    /// Whether it stands still.
    pub fn is_stopped(self) -> bool {
        self.is_alive() && Stat::read(self.pid).is_some_and(|stat| stat.state == 'T')
    }
}

/// The processes of this machine.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Waits until the process of such a [descriptor](Identity::watch) has ended.
pub(crate) fn wait_for(watch: &OwnedFd) {
    while let Err(Errno::INTR) = poll(&mut [PollFd::new(watch, PollFlags::IN)], None) {}
}

/// Sends `signal` to the process group `group`; false if it is not there.
pub(crate) fn signal_group(group: u32, signal: Signal) -> bool {
    i32::try_from(group)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|group| kill_process_group(group, signal).is_ok())
}

/// Makes this process the one that orphaned descendants come to, so that none escapes
/// [`end_descendants`].
pub fn adopt_orphans() {
    // It can only fail on a kernel older than Linux 3.4.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Environment variable of every process of a fleet: its run directory.
pub const RUN: &str = "SEAWORTHY_RUN";

/// Environment variable of our own processes: which part of the fleet it is.
pub(crate) const PART: &str = "SEAWORTHY_PART";

/// A process of a fleet, by what its environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The process.
    pub(crate) identity: Identity,
    /// Which part of our own it is; none for a task and for what a task started.
    pub(crate) part: Option<String>,
    /// The task, if it is the first process of one, or leads a group that it has left for.
    pub(crate) task: Option<TaskId>,
}

/// Every process of this machine that belongs to the fleet of a run directory.
///
/// What a program makes of its own environment later is not seen, so this only adds to what is
/// known otherwise.
pub(crate) fn of_fleet(directory: &Path) -> Vec<Marked> {
    let found = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let variable = |name: &str| {
            let mut all = environment.split(|byte| *byte == 0);
            let value =
                all.find_map(|one| one.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
            std::str::from_utf8(value).ok()
        };
        if Path::new(variable(RUN)?) != directory || pid == std::process::id() {
            return None;
        }
        let leads = getpgid(Pid::from_raw(pid.cast_signed())).ok()?.as_raw_nonzero().get();
        let task = variable("SEAWORTHY_TASK").filter(|_| leads == pid.cast_signed());
        Some(Marked {
            identity: Identity::of(pid).filter(|process| process.is_alive())?,
            part: variable(PART).map(str::to_owned),
            task: task.and_then(|task| task.parse().ok()),
        })
    };
    pids().filter_map(found).collect()
}

/// Kills what a task left behind, although it had left for groups or sessions of its own: all that came
/// after `first`, its first process.
pub(crate) fn end_left_by(first: Identity, task: TaskId, directory: &Path) {
    let age = |process: Identity| (process.start_time, process.pid);
    let left = |found: &Marked| found.task == Some(task) && found.part.is_none();
    for found in of_fleet(directory).iter().filter(|found| left(found)) {
        if age(found.identity) > age(first) {
            found.identity.kill();
        }
    }
}

/// Every process of this machine that belongs to the fleet of a run directory, but for this one.
pub fn all_of(directory: &Path) -> Vec<Identity> {
    of_fleet(directory).into_iter().map(|marked| marked.identity).collect()
}

/// The keeper of the fleet of a run directory, if there is one beside this process.
pub(crate) fn keeper_of(directory: &Path) -> Option<Identity> {
    let is_keeper = |marked: &Marked| marked.part.as_deref() == Some("keeper");
    of_fleet(directory).into_iter().find(is_keeper).map(|marked| marked.identity)
}

/// Kills every process of a fleet, whoever its parent is, until there is none.
pub(crate) fn end_all_of(directory: &Path) {
    loop {
        let found = of_fleet(directory);
        if found.is_empty() {
            return;
        }
        for Marked { identity, .. } in found {
            if let Some(pid) = Pid::from_raw(identity.pid.cast_signed()) {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }
}

/// Kills every descendant, also those that left their process group or session, until there is
/// none.
pub fn end_descendants() {
    end(|_| true);
}

/// Kills every descendant that belongs to the fleet of a run directory, until there is none.
pub fn end_fleet(directory: &Path) {
    let marker = [RUN.as_bytes(), b"=", directory.as_os_str().as_bytes()].concat();
    end(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker)
    });
}

fn end(meant: impl Fn(u32) -> bool) {
    loop {
        let found: Vec<u32> = descendants().into_iter().filter(|pid| meant(*pid)).collect();
        if found.is_empty() {
            return;
        }
        for pid in found.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = kill_process(pid, Signal::KILL);
            // Ours to reap if it is our child. If not, it becomes so when its parent has gone, and
            // is found in a later round.
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// All processes whose line of parents leads to this one.
fn descendants() -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in pids() {
        if let Some(stat) = Stat::read(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut parents = vec![std::process::id()];
    while let Some(parent) = parents.pop() {
        let of_parent = children.remove(&parent).unwrap_or_default();
        found.extend_from_slice(&of_parent);
        parents.extend(of_parent);
    }
    found
}
