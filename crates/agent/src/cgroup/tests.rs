use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::group::quota;
use super::*;
use crate::clock::now;
use crate::usage::{Meter, Watched};

/// Longest wait for anything.
const LONG: Duration = Duration::from_secs(30);
/// Doubles its memory for ever.
const EATS_MEMORY: &str = "x=0123456789; while :; do x=$x$x; done";
const SPINS: &str = "while :; do :; done";
const SLEEPS: &str = "sleep 1000";

/// A fleet whose groups go with it, if there can be any here.
struct Fleet(Option<Cgroups>, tempfile::TempDir);

impl Fleet {
    fn new() -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        match Cgroups::find(state.path()) {
            Ok(cgroups) => Some(Self(Some(cgroups), state)),
            Err(error) => {
                eprintln!("SKIPPED, as no control group can be had here: {error}");
                None
            }
        }
    }

    fn groups(&mut self) -> &mut Cgroups {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.0.take().unwrap().end(LONG).unwrap();
    }
}

fn limits(cpu: Option<u32>, memory: Option<u64>) -> Limits {
    Limits { cpu, memory, memory_soft: None }
}

/// A shell that joins a group and then runs `script`, in a process group of its own.
fn start(group: &Group, script: &str) -> Child {
    let mut join = String::new();
    for file in group.join_paths() {
        join = format!("{join} echo 0 > {} && ", file.display());
    }
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{join} eval '{script}'")]).process_group(0);
    command.stderr(Stdio::null()).spawn().unwrap()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ended(child: &mut Child) -> ExitStatus {
    until("its end", || child.try_wait().unwrap())
}

fn joined(group: &Group, count: usize) {
    let paths = group.directories();
    let there = |directory: &Path| place::processes(directory).unwrap().len() >= count;
    let paths: Vec<_> = paths.collect();
    until("its processes in their group", || paths.iter().all(|path| there(path)).then_some(()));
}

#[test]
fn a_task_that_needs_more_memory_is_killed_and_called_so() {
    let Some(mut fleet) = Fleet::new() else { return };
    let group = fleet.groups().create(TaskId(1), &limits(None, Some(16 << 20))).unwrap();
    let mut task = start(&group, EATS_MEMORY);
    assert_eq!(ended(&mut task).signal(), Some(9));
    assert!(group.was_killed_for_memory());
    fleet.groups().release(group.clone());
    until("its group gone", || {
        assert!(fleet.groups().sweep().is_empty());
        (!group.exists()).then_some(())
    });

    // The next one of that number has a clean record, and one that ends otherwise is not called so.
    let group = fleet.groups().create(TaskId(1), &limits(None, Some(16 << 20))).unwrap();
    let mut task = start(&group, SLEEPS);
    joined(&group, 1);
    task.kill().unwrap();
    assert_eq!(ended(&mut task).signal(), Some(9));
    assert!(!group.was_killed_for_memory());
}

/// The same where only watching holds the limit: what it is killed by here is what the agent does.
#[test]
fn a_task_that_is_seen_with_more_memory_can_be_killed() {
    let limits = limits(None, Some(64 << 20));
    let mut command = Command::new("sh");
    // Bounded in any case, as it is by `part exec`.
    let script = format!("ulimit -d 4000000; {EATS_MEMORY}");
    command.args(["-c", &script]).process_group(0).stderr(Stdio::null());
    let mut task = command.spawn().unwrap();
    let process = Identity::of(task.id()).unwrap();
    let (mut meter, watched) = (Meter::new(), Watched { task: TaskId(1), process, limits });
    let usage = until("its memory above the limit", || {
        let sample = meter.sample(now(), &[watched]).first().copied()?;
        Some(sample.usage).filter(|usage| crate::usage::over(limits.memory, usage))
    });
    assert!(process.kill(), "{usage:?}");
    assert_eq!(ended(&mut task).signal(), Some(9));
}

#[test]
fn a_task_has_its_share_of_the_processors() {
    let Some(mut fleet) = Fleet::new() else { return };
    let mut meter = Meter::new();
    let mut spin = |task: u32, cpu: u32| {
        let group = fleet.groups().create(TaskId(task), &limits(Some(cpu), None)).unwrap();
        let child = start(&group, SPINS);
        joined(&group, 1);
        let process = Identity::of(child.id()).unwrap();
        (child, Watched { task: TaskId(task), process, limits: Limits::default() })
    };
    // Two loops in the same time, so that whatever else runs here disturbs both.
    let ((mut less, first), (mut more, second)) = (spin(1, 100), spin(2, 500));
    let begin = now();
    meter.sample(begin, &[first, second]);
    until("some time of work", || (now().since(begin) > Duration::from_secs(2)).then_some(()));
    let [less_used, more_used] = meter.sample(now(), &[first, second])[..] else { panic!() };
    // Without limits, two loops would have the same, and on a machine without other work all.
    assert!(
        less_used.usage.cpu <= 150 && more_used.usage.cpu <= 600,
        "{less_used:?} {more_used:?}"
    );
    assert!(more_used.usage.cpu > less_used.usage.cpu, "{less_used:?} {more_used:?}");
    drop(fleet);
    assert_eq!(ended(&mut less).signal().zip(ended(&mut more).signal()), Some((9, 9)));
}

#[test]
fn what_a_task_leaves_behind_goes_with_its_group() {
    let Some(mut fleet) = Fleet::new() else { return };
    let group = fleet.groups().create(TaskId(7), &Limits::default()).unwrap();
    // One that has left the process group and the session, and another in it.
    let mut task = start(&group, "setsid sleep 1000 & sleep 1000 & wait");
    joined(&group, 3);
    // A group that the task itself has made below its own.
    for directory in group.directories() {
        fs::create_dir_all(directory.join("inner/most")).unwrap();
    }
    task.kill().unwrap();
    ended(&mut task);
    fleet.groups().release(group.clone());
    until("its group gone", || {
        assert!(fleet.groups().sweep().is_empty());
        (!group.exists()).then_some(())
    });
    assert!(group.remove().is_ok(), "what is gone is removed");
}

#[test]
fn another_agent_adopts_what_runs_and_ends_what_was_left() {
    let Some(mut fleet) = Fleet::new() else { return };
    let kept = fleet.groups().create(TaskId(1), &Limits::default()).unwrap();
    let left = fleet.groups().create(TaskId(2), &Limits::default()).unwrap();
    let (mut runs, mut forgotten) = (start(&kept, SLEEPS), start(&left, SLEEPS));
    joined(&kept, 1);
    joined(&left, 1);
    let process = Identity::of(runs.id()).unwrap();

    let mut next = Cgroups::find(fleet.1.path()).unwrap();
    assert_eq!(next.adopt(TaskId(1), process), Some(kept.clone()));
    // One whose process has ended is found by its number; and what is not there is not.
    let gone = Identity { start_time: process.start_time + 1, ..process };
    assert_eq!(next.adopt(TaskId(2), gone), Some(left.clone()));
    assert_eq!(next.adopt(TaskId(3), process), None);
    next.release_others(&BTreeSet::from([TaskId(1)]));
    assert_eq!(ended(&mut forgotten).signal(), Some(9));
    until("the other group gone", || {
        assert!(next.sweep().is_empty());
        (!left.exists()).then_some(())
    });
    assert!(kept.exists() && process.is_alive());
    next.end(LONG).unwrap();
    assert_eq!(ended(&mut runs).signal(), Some(9));
    assert!(!kept.exists());
}

#[test]
fn two_fleets_do_not_meet() {
    let (Some(mut one), Some(mut two)) = (Fleet::new(), Fleet::new()) else { return };
    let ours = one.groups().create(TaskId(1), &Limits::default()).unwrap();
    let theirs = two.groups().create(TaskId(1), &Limits::default()).unwrap();
    assert_ne!(ours, theirs);
    let mut task = start(&theirs, SLEEPS);
    joined(&theirs, 1);
    let process = Identity::of(task.id()).unwrap();
    assert_eq!(one.groups().adopt(TaskId(1), process), Some(ours), "not that of the other's task");
    one.groups().release_others(&BTreeSet::new());
    drop(one);
    assert!(theirs.exists() && process.is_alive());
    drop(two);
    assert_eq!(ended(&mut task).signal(), Some(9));
}

#[test]
fn a_group_that_cannot_be_made_is_named_and_leaves_nothing() {
    let Some(mut fleet) = Fleet::new() else { return };
    let fleet = fleet.groups();
    let [_, cpu] = fleet.directories.clone();
    fs::remove_dir(&cpu).unwrap();
    let error = fleet.create(TaskId(1), &limits(Some(500), None)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}/task-1: ", cpu.display())), "{error}");
    assert!(fleet.group(TaskId(1)).directories().all(|directory| !directory.exists()));
}

#[test]
fn small_shares_are_given_in_longer_turns() {
    assert_eq!(quota(500), (50_000, 100_000));
    assert_eq!(quota(2500), (250_000, 100_000));
    assert_eq!(quota(1), (1000, 1_000_000));
}
