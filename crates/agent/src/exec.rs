//! Becomes another program, tied to the life of its parent and within its limits.
//!
//! Every process of a fleet is started through this: tie and limits are made in the new process itself, so
//! no code has to run between fork and exec, which could not be done without `unsafe`, and nothing of
//! the program ever runs outside of them. It costs one more exec, about a millisecond.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use seaworthy_core::cluster::limits::Limits;
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;

/// What a process has beside its memory limit before it gets no more, where only watching holds the
/// limit: programs may have much that they never touch, such as the stacks of their threads.
const UNTOUCHED: u64 = 1 << 30;

/// The limits within which a process becomes a program. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// It joins the control groups with these files.
    pub cgroups: Vec<PathBuf>,
    /// It gets no more bytes of memory to write to (`RLIMIT_DATA`).
    pub data: Option<u64>,
    /// It runs on no more processors.
    pub processors: Option<u32>,
}

/// Replaces this process by `program`. It is killed when its parent, `tied_to`, ends, if there is
/// one. Returns only if that cannot be done.
pub fn run(
    tied_to: Option<u32>,
    within: &Within,
    program: &OsString,
    arguments: &[OsString],
) -> io::Error {
    match tied_to.map_or(Ok(()), tie).and_then(|()| within.enter()) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}

fn tie(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the tie was made.
    if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(parent) {
        return Err(io::Error::other("the keeper is gone"));
    }
    Ok(())
}

// === impl Within ===

impl Within {
    /// The limits that a control group holds.
    pub fn group(group: &Group) -> Self {
        Self { cgroups: group.join_paths(), ..Self::default() }
    }

    /// What stands in for a control group where there can be none.
    ///
    /// Memory is then watched, which is too late for a program that asks for everything at once: it
    /// is refused what is far beyond its limit. What counts is memory that it may write to, not what it has
    /// reserved (`RLIMIT_AS`): Node, Go and the JVM reserve many times what they use. Also what they may
    /// write to is more than they use, so there is twice the limit and a gibibyte.
    pub fn observed(limits: &Limits) -> Self {
        Self {
            cgroups: Vec::new(),
            data: limits.memory.map(|bytes| bytes.saturating_mul(2).saturating_add(UNTOUCHED)),
            processors: limits.cpu.map(|cpu| cpu.div_ceil(1000).max(1)),
        }
    }

    /// As arguments of the hidden command `seaworthy part exec`.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for file in &self.cgroups {
            arguments.extend(["--cgroup".into(), file.into()]);
        }
        if let Some(bytes) = self.data {
            arguments.extend(["--data".into(), bytes.to_string().into()]);
        }
        if let Some(processors) = self.processors {
            arguments.extend(["--processors".into(), processors.to_string().into()]);
        }
        arguments
    }

    fn enter(&self) -> io::Result<()> {
        self.cgroups.iter().try_for_each(|file| join(file))?;
        if let Some(bytes) = self.data {
            let before = getrlimit(Resource::Data).maximum;
            let limit = Some(before.map_or(bytes, |before| before.min(bytes)));
            setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit })?;
        }
        if let Some(processors) = self.processors {
            let wanted = some_of(&sched_getaffinity(None)?, processors, std::process::id());
            sched_setaffinity(None, &wanted)?;
        }
        Ok(())
    }
}

fn join(file: &Path) -> io::Result<()> {
    // Zero stands for whoever writes it.
    let joined =
        OpenOptions::new().write(true).open(file).and_then(|mut file| file.write_all(b"0"));
    let named = |e: io::Error| {
        io::Error::new(e.kind(), format!("{}: cannot be joined: {e}", file.display()))
    };
    joined.map_err(named)
}

/// So many of these processors; others for another `number`, so that tasks do not all share the first ones.
fn some_of(allowed: &CpuSet, count: u32, number: u32) -> CpuSet {
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut some = CpuSet::new();
    let first = number as usize % all.len().max(1);
    for cpu in all.iter().cycle().skip(first).take(all.len().min(count as usize)) {
        some.set(*cpu);
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_spread_over_the_processors_that_are_allowed() {
        let mut allowed = CpuSet::new();
        for cpu in [1, 4, 6] {
            allowed.set(cpu);
        }
        let some = |count, number| {
            let some = some_of(&allowed, count, number);
            (0..8).filter(|cpu| some.is_set(*cpu)).collect::<Vec<_>>()
        };
        assert_eq!([some(1, 0), some(1, 1), some(1, 5)], [[1], [4], [6]]);
        assert_eq!(some(2, 2), [1, 6]);
        assert_eq!(some(9, 1), [1, 4, 6]);
    }

    #[test]
    fn watched_limits_leave_room_for_what_is_never_touched() {
        let limits = |cpu, memory| Limits { cpu, memory, memory_soft: None };
        assert_eq!(Within::observed(&limits(None, None)), Within::default());
        let within = Within::observed(&limits(Some(1500), Some(64 << 20)));
        assert_eq!((within.data, within.processors), (Some((1 << 30) + (128 << 20)), Some(2)));
        let words = within.arguments();
        assert_eq!(words, ["--data", "1207959552", "--processors", "2"]);
    }
}
