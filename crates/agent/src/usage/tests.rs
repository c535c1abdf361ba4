use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Clock};

use super::*;
use crate::clock::now;

/// A shell in a process group of its own, which ends with the test.
struct Shell(Child);

impl Shell {
    /// Runs `script` and waits until it has written a line.
    fn start(script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child)
    }

    fn watched(&self, task: u32, limits: Limits) -> Watched {
        let process = Identity::of(self.0.id()).unwrap();
        Watched { task: TaskId(task), process, limits }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(process) = Identity::of(self.0.id()) {
            process.kill();
        }
        self.0.wait().unwrap();
    }
}

/// Samples until something is as it should be.
fn until<T>(
    meter: &mut Meter,
    tasks: &[Watched],
    found: impl Fn(&Meter, &[Sample]) -> Option<T>,
) -> T {
    let deadline = Clock::now() + Duration::from_secs(20);
    loop {
        let samples = meter.sample(now(), tasks);
        if let Some(found) = found(meter, &samples) {
            return found;
        }
        assert!(Clock::now() < deadline, "not in time; last: {samples:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn stat(start_time: u64, own: u64, of_children: u64) -> Stat {
    Stat { state: 'S', parent: 1, group: 1, own, of_children, start_time, resident: 0 }
}

#[test]
fn processor_time_is_counted_once_however_processes_come_and_go() {
    let parent = |own, of_children| (1, stat(0, own, of_children));
    let counted = |before: &[(u32, Stat)], after: &[(u32, Stat)]| {
        ticks(&before.iter().copied().collect(), &after.iter().copied().collect())
    };
    // One goes on, one is new.
    assert_eq!(counted(&[parent(10, 5)], &[parent(17, 5), (2, stat(9, 3, 1))]), 11);
    // A child of which 30 ticks are known used 2 more, ended, and was waited for.
    assert_eq!(counted(&[parent(10, 0), (2, stat(9, 30, 0))], &[parent(10, 32)]), 2);
    // It was not waited for: what it used last is lost, and nothing is taken from the others.
    assert_eq!(counted(&[parent(10, 0), (2, stat(9, 30, 0))], &[parent(14, 0)]), 4);
    // One that came and went in between.
    assert_eq!(counted(&[parent(10, 0)], &[parent(10, 25)]), 25);
    // Another process has got its number.
    assert_eq!(
        counted(&[parent(10, 0), (2, stat(9, 30, 0))], &[parent(10, 30), (2, stat(50, 1, 0))]),
        1
    );
}

#[test]
fn children_count_for_their_task_and_strangers_for_nobody() {
    let mut meter = Meter::new();
    let quiet = Shell::start("echo; exec sleep 1000");
    let family = Shell::start("sh -c 'while :; do :; done' & echo; wait");
    let tasks = [quiet.watched(1, Limits::default()), family.watched(2, Limits::default())];
    let processes = until(&mut meter, &tasks, |meter, samples| {
        let [idle, busy] = samples else { return None };
        assert_eq!((idle.task, busy.task), (TaskId(1), TaskId(2)));
        assert_eq!(idle.counted, Counted::Resident);
        // A quarter of a processor: there is other work on the machine.
        let seen =
            busy.usage.cpu > 250 && idle.usage.cpu < 100 && busy.usage.memory > idle.usage.memory;
        seen.then(|| meter.tasks[&TaskId(2)].processes.keys().copied().collect::<Vec<_>>())
    });
    assert!(processes.len() >= 2, "{processes:?}");
    assert!(!processes.contains(&std::process::id()));
}

#[test]
fn one_that_left_its_group_stays_of_its_task_when_its_parent_is_gone() {
    let mut meter = Meter::new();
    let shell = Shell::start("setsid sh -c 'sleep 60 & wait' & echo; wait; exec sleep 1000");
    let tasks = [shell.watched(1, Limits::default())];
    // The shell, the one in a session of its own, and its child.
    let three = |meter: &Meter, _: &[Sample]| {
        let of = &meter.tasks.get(&TaskId(1))?.processes;
        let own_group = |stat: &&Stat| stat.group != shell.0.id();
        let away: Vec<u32> = of.iter().filter(|(_, s)| own_group(s)).map(|(p, _)| *p).collect();
        let leader = *away.iter().find(|pid| of[pid].group == **pid)?;
        let child = *away.iter().find(|pid| of[pid].parent == leader)?;
        (of.len() == 3).then_some((leader, child))
    };
    let (leader, child) = until(&mut meter, &tasks, three);
    let _ends = Ends(child);
    drop(Ends(leader));
    until(&mut meter, &tasks, |meter, _| {
        let of = &meter.tasks[&TaskId(1)].processes;
        (!of.contains_key(&leader) && of.contains_key(&child)).then_some(())
    });
}

/// A process that is in no group of ours and ends with this.
struct Ends(u32);

impl Drop for Ends {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn shared_memory_is_told_apart_only_above_a_limit() {
    let shell = Shell::start("sleep 1000 & sleep 1000 & sleep 1000 & echo; wait");
    let counted = |memory_soft: u64| {
        let limits = Limits { memory_soft: Some(memory_soft), ..Limits::default() };
        let tasks = [shell.watched(1, limits)];
        until(&mut Meter::new(), &tasks, |meter, samples| {
            let all = meter.tasks.get(&TaskId(1))?.processes.len() == 4;
            samples.first().copied().filter(|_| all)
        })
    };
    let (below, above) = (counted(1 << 40), counted(1));
    assert_eq!((below.counted, above.counted), (Counted::Resident, Counted::Proportional));
    assert!(above.usage.memory < below.usage.memory, "{above:?} {below:?}");
    assert!(over(Some(1), &above.usage) && !over(Some(1 << 40), &above.usage));
    assert!(!over(None, &above.usage));
}

#[test]
fn a_task_whose_first_process_is_gone_or_another_is_not_told_of() {
    let mut meter = Meter::new();
    let shell = Shell::start("echo; exec sleep 1000");
    let mut watched = shell.watched(1, Limits::default());
    until(&mut meter, &[watched], |_, samples| samples.first().copied());
    watched.process.start_time += 1;
    let at = now();
    assert_eq!(meter.sample(at, &[watched]), []);
    assert_eq!(meter.sample(at + Duration::from_secs(1), &[watched]), []);
}

/// What a sample of ten idle tasks costs, one after the other and one a second, as the agent does it.
/// `cargo test -p seaworthy-agent cost_of_sampling -- --ignored --nocapture`
#[test]
#[ignore = "measures, decides nothing"]
fn cost_of_sampling_ten_idle_tasks() {
    let shells: Vec<_> = (0..10).map(|_| Shell::start("sleep 1000 & echo; wait")).collect();
    let pause = Duration::from_secs(1);
    for (what, limit) in [("resident", None), ("proportional", Some(1))] {
        for (count, pause) in [(1000, Duration::ZERO), (20, pause)] {
            let limits = Limits { memory: limit, ..Limits::default() };
            let tasks = shells.iter().zip(1..).map(|(shell, task)| shell.watched(task, limits));
            let tasks: Vec<_> = tasks.collect();
            let mut meter = Meter::new();
            meter.sample(now(), &tasks);
            let begin = processor_time();
            for _ in 0..count {
                std::thread::sleep(pause);
                assert_eq!(meter.sample(now(), &tasks).len(), 10);
            }
            let micros = (processor_time() - begin) / count / 1000;
            let all = pids().count();
            println!("{what}, every {pause:?}: {micros} us of processor; {all} processes here");
        }
    }
}

/// That of this thread, in nanoseconds.
fn processor_time() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
