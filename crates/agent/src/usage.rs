//! What tasks use of the machine, read from `/proc`.
//!
//! A task is its process group and all descendants of it. Processes that are not of a task are looked
//! at once and then passed over, so a sample costs a listing of `/proc` and one small file for each
//! process of a task, however busy the rest of the machine is.
//!
//! Memory is what is resident, which is in the same small file as the processor time. Pages that
//! several processes of a task share are counted once for each of them, so it is at most too much.
//! Only where it is above a limit are they told apart ([`Counted::Proportional`]): for that the kernel
//! walks the page tables, which for 500 MiB takes 11 ms instead of 0.02 ms and holds up the task. What
//! is swapped out is not counted.

use std::collections::BTreeMap;
use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use seaworthy_core::cluster::limits::{Limits, Usage};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::time::Instant;

use crate::processes::{Identity, Stat, pids};

/// Nobody has so many ancestors. A listing is not of one moment: it may seem to go in a circle.
const DEEPEST: usize = 1000;

/// A task whose use is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The task.
    pub task: TaskId,
    /// Its first process, which leads its process group.
    pub process: Identity,
    /// Above which of them its memory is counted more exactly.
    pub limits: Limits,
}

/// What one task uses, and how that was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The task.
    pub task: TaskId,
    /// What it uses. Its processor time is that since the sample before.
    pub usage: Usage,
    /// How its memory was counted.
    pub counted: Counted,
}

/// How memory that several processes share was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// For each of them (RSS): what is used is that much at most.
    Resident,
    /// Divided among those who share it (PSS).
    Proportional,
}

/// Samples what tasks use. Must be asked regularly: what a task used is counted from one sample to
/// the next.
#[derive(Debug, Default)]
pub struct Meter {
    /// Every process there was: of which task it is, if it is of one.
    known: BTreeMap<u32, Option<TaskId>>,
    /// The tasks as last read.
    tasks: BTreeMap<TaskId, Reading>,
}

/// The processes of a task at a moment.
#[derive(Debug)]
struct Reading {
    process: Identity,
    at: Instant,
    processes: BTreeMap<u32, Stat>,
}

/// Whether memory is above a limit. For tasks that nothing but watching keeps below it.
pub fn over(hard: Option<u64>, usage: &Usage) -> bool {
    hard.is_some_and(|hard| usage.memory > hard)
}

// === impl Meter ===

impl Meter {
    /// Knows no task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What each of these tasks uses, in their order. A task is told of from its second sample on, since there is
    /// nothing before the first from which its processor time could be counted, and no longer when
    /// its first process is gone.
    pub fn sample(&mut self, now: Instant, tasks: &[Watched]) -> Vec<Sample> {
        self.forget(tasks);
        let mut found = self.read(tasks);
        let sample = |watched: &Watched| {
            let processes = found.remove(&watched.task).unwrap_or_default();
            self.take(now, watched, processes)
        };
        tasks.iter().filter_map(sample).collect()
    }

    /// Forgets tasks that are no longer asked for. Where there is a new one, nothing is known of any
    /// process: what it started before it was asked for would be taken for a stranger.
    fn forget(&mut self, tasks: &[Watched]) {
        let asked: BTreeMap<TaskId, Identity> = tasks.iter().map(|w| (w.task, w.process)).collect();
        self.tasks.retain(|task, reading| asked.get(task) == Some(&reading.process));
        if asked.len() > self.tasks.len() {
            self.known.clear();
        }
    }

    /// The processes of each task, each of which is read once.
    fn read(&mut self, tasks: &[Watched]) -> BTreeMap<TaskId, BTreeMap<u32, Stat>> {
        let before = std::mem::take(&mut self.known);
        let mut read = BTreeMap::new();
        for pid in pids() {
            match before.get(&pid) {
                Some(None) => drop(self.known.insert(pid, None)),
                Some(Some(_)) | None => drop(Stat::read(pid).map(|stat| read.insert(pid, stat))),
            }
        }
        let owners = Owners { before: &before, tasks, read: &read };
        let of: Vec<_> =
            read.iter().map(|(pid, stat)| (*pid, owners.task_of(*pid, stat))).collect();
        let mut found: BTreeMap<TaskId, BTreeMap<u32, Stat>> = BTreeMap::new();
        for (pid, task) in of {
            self.known.insert(pid, task);
            if let Some((task, stat)) = task.zip(read.remove(&pid)) {
                found.entry(task).or_default().insert(pid, stat);
            }
        }
        found
    }

    /// Takes note of a task's processes and says what they used since they were last read.
    fn take(
        &mut self,
        now: Instant,
        watched: &Watched,
        processes: BTreeMap<u32, Stat>,
    ) -> Option<Sample> {
        let first = processes.get(&watched.process.pid)?;
        if first.start_time != watched.process.start_time {
            return None;
        }
        let (memory, counted) = memory(watched.limits, &processes);
        let reading = Reading { process: watched.process, at: now, processes };
        let used = self.tasks.get(&watched.task).and_then(|before| before.used_until(&reading));
        self.tasks.insert(watched.task, reading);
        let usage = Usage { cpu: used?, memory };
        Some(Sample { task: watched.task, usage, counted })
    }
}

/// Whose processes are whose.
struct Owners<'a> {
    before: &'a BTreeMap<u32, Option<TaskId>>,
    tasks: &'a [Watched],
    read: &'a BTreeMap<u32, Stat>,
}

impl Owners<'_> {
    /// Of the task whose group it is in, or that it was of before, or that its parent is of.
    fn task_of(&self, pid: u32, stat: &Stat) -> Option<TaskId> {
        let (mut pid, mut stat) = (pid, stat);
        for _ in 0..DEEPEST {
            let leads = |watched: &&Watched| [pid, stat.group].contains(&watched.process.pid);
            if let Some(watched) = self.tasks.iter().find(leads) {
                return Some(watched.task);
            }
            // One that its parent has left to the keeper stays what it was.
            if let Some(Some(task)) = self.before.get(&pid) {
                return Some(*task).filter(|task| self.tasks.iter().any(|w| w.task == *task));
            }
            pid = stat.parent;
            stat = self.read.get(&pid)?;
        }
        None
    }
}

// === impl Reading ===

impl Reading {
    /// Thousandths of a processor from this reading to a later one.
    fn used_until(&self, later: &Self) -> Option<u32> {
        let nanos = later.at.since(self.at).as_nanos();
        let ticks = u128::from(ticks(&self.processes, &later.processes));
        let used = ticks * 1000 * 1_000_000_000;
        let used = used.checked_div(nanos * u128::from(clock_ticks_per_second()))?;
        Some(u32::try_from(used).unwrap_or(u32::MAX))
    }
}

/// Processor time between two readings of a task, in clock ticks.
///
/// One that came *and* went in between is seen only in its parent, to which the kernel adds all that a
/// child used once it was waited for. So what is known already of children that went is taken off
/// there. Whoever does not wait for its children is counted too low, never below what is running.
fn ticks(before: &BTreeMap<u32, Stat>, after: &BTreeMap<u32, Stat>) -> u64 {
    let (mut own, mut of_children) = (0, 0);
    for (pid, stat) in after {
        match before.get(pid).filter(|earlier| earlier.start_time == stat.start_time) {
            Some(earlier) => {
                own += stat.own.saturating_sub(earlier.own);
                of_children += stat.of_children.saturating_sub(earlier.of_children);
            }
            None => own += stat.own + stat.of_children,
        }
    }
    let there = |pid: &u32, stat: &Stat| {
        after.get(pid).is_some_and(|later| later.start_time == stat.start_time)
    };
    let gone = before.iter().filter(|(pid, stat)| !there(pid, stat));
    let known: u64 = gone.map(|(_, stat)| stat.own + stat.of_children).sum();
    own + of_children.saturating_sub(known)
}

fn memory(limits: Limits, processes: &BTreeMap<u32, Stat>) -> (u64, Counted) {
    let page = page_size() as u64;
    let resident = processes.values().map(|stat| stat.resident * page).sum();
    let lowest = [limits.memory_soft, limits.memory].into_iter().flatten().min();
    if lowest.is_none_or(|lowest| resident <= lowest) {
        return (resident, Counted::Resident);
    }
    // Not to be read of a process that does not want to be looked into, nor on old kernels.
    match processes.keys().map(|pid| proportional(*pid)).sum::<Option<u64>>() {
        Some(bytes) => (bytes, Counted::Proportional),
        None => (resident, Counted::Resident),
    }
}

/// Bytes of memory of a process, what it shares with others divided among them. None of one that
/// ended just now.
fn proportional(pid: u32) -> Option<u64> {
    let text = match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        // Whoever has ended has no memory any more; an old kernel has no such file for anybody.
        Err(_) => return fs::exists("/proc/self/smaps_rollup").is_ok_and(|is| is).then_some(0),
    };
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests;
