//! The counter-figure: ten minutes of fleets in which nothing is wrong, in virtual time, and not one
//! task is out.
//!
//! Latencies are log-normal, with a p99 of ten times the median, and whole tasks pause for 50 ms now
//! and then, as for a garbage collection. Safe requests are hedged after the p95; whichever answer
//! comes first counts, and the other task was overtaken.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::call::{FailedHow, How, Seen};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::passive;
use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

use crate::passive_shell::{Shell, config};

const TEN_MINUTES: u64 = 600;
const PAUSE: Duration = Duration::from_millis(50);
/// How far apart the pauses of one task are, on average.
const BETWEEN_PAUSES: Duration = Duration::from_secs(1);

/// A fleet in which nothing is wrong.
#[derive(Clone, Copy, Debug)]
struct Fleet {
    tasks: u32,
    /// Requests a second.
    rate: u64,
    median: Duration,
    hedged: bool,
    /// One request in so many honestly takes 2 s, wherever it goes; each is for something else.
    heavy: u64,
    /// One request in so many fails by itself, wherever it goes.
    bad: u64,
}

struct Simulation {
    fleet: Fleet,
    seed: u64,
    draws: u64,
    /// The pause each task is in or was in last began then, and the next one.
    pauses: Vec<(Instant, Instant)>,
    /// What will be seen, in order of time.
    coming: BTreeMap<(Instant, u64), Seen>,
}

const CALM: Fleet = Fleet {
    tasks: 3,
    rate: 100,
    median: Duration::from_millis(5),
    hedged: true,
    heavy: u64::MAX,
    bad: u64::MAX,
};

#[test]
fn a_long_tail_and_pauses_take_nobody_out() {
    for tasks in [2, 3, 5, 9] {
        nobody_is_out(Fleet { tasks, ..CALM });
    }
    for median in [1, 20, 100, 500].map(Duration::from_millis) {
        nobody_is_out(Fleet { median, ..CALM });
        nobody_is_out(Fleet { median, hedged: false, ..CALM });
    }
}

#[test]
fn little_traffic_takes_nobody_out() {
    for rate in [1, 5, 20] {
        nobody_is_out(Fleet { rate, ..CALM });
        nobody_is_out(Fleet { rate, tasks: 2, median: Duration::from_millis(50), ..CALM });
    }
}

#[test]
fn honest_heavy_requests_take_nobody_out() {
    for heavy in [1, 2, 3, 10] {
        nobody_is_out(Fleet { heavy, ..CALM });
        nobody_is_out(Fleet { heavy, rate: 5, hedged: false, ..CALM });
    }
}

#[test]
fn failures_that_are_everywhere_take_nobody_out() {
    for bad in [4, 20, 100] {
        nobody_is_out(Fleet { bad, ..CALM });
        nobody_is_out(Fleet { bad, rate: 5, ..CALM });
    }
}

/// So it is known that the simulation could show it.
#[test]
fn a_task_that_is_slow_is_out_in_the_same_world() {
    for hedged in [true, false] {
        let mut world = Simulation::new(Fleet { hedged, ..CALM }, 1);
        let records = world.run(60, |task, latency| {
            if task == TaskId(2) { latency + Duration::from_millis(500) } else { latency }
        });
        assert!(records.iter().any(|r| r.starts_with("task-2: leave rotation")), "{records:?}");
        assert!(!records.iter().any(|r| r.starts_with("task-1: leave")), "{records:?}");
    }
}

fn nobody_is_out(fleet: Fleet) {
    let records = Simulation::new(fleet, 1).run(TEN_MINUTES, |_, latency| latency);
    assert_eq!(records, Vec::<String>::new(), "{fleet:?}");
}

impl Simulation {
    fn new(fleet: Fleet, seed: u64) -> Self {
        let pauses = (0..fleet.tasks).map(|_| (Instant::EPOCH, Instant::EPOCH)).collect();
        Self { fleet, seed, draws: 0, pauses, coming: BTreeMap::new() }
    }

    /// What is recorded in so many seconds. `change` says how slow a task is.
    fn run(&mut self, seconds: u64, change: fn(TaskId, Duration) -> Duration) -> Vec<String> {
        let mut shell = Shell::new(config(passive::Config::default()));
        let tasks: Vec<String> = (1..=self.fleet.tasks).map(|n| format!("{n}=healthy")).collect();
        shell.step(&format!("endpoints 1: {}", tasks.join(" ")));
        let between = Duration::from_secs(1) / self.fleet.rate as u32;
        for n in 0..seconds * self.fleet.rate {
            let now = Instant::EPOCH + between * n as u32;
            self.see_until(now, &mut shell);
            self.send(now, n, change);
        }
        shell.wanted
    }

    fn see_until(&mut self, now: Instant, shell: &mut Shell) {
        while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), seen) = entry.remove_entry();
            shell.wait(at.max(shell.now));
            shell.see(seen);
        }
    }

    fn send(&mut self, now: Instant, n: u64, change: fn(TaskId, Duration) -> Duration) {
        let first = TaskId((self.draw() * f64::from(self.fleet.tasks)) as u32 + 1);
        let fingerprint = 1000 + n;
        if n % self.fleet.bad == 1 {
            let how = How::Failed { what: FailedHow::Status(500), blamed: false };
            return self.show(now, seen(first, how, fingerprint));
        }
        let heavy = n % self.fleet.heavy == 1 % self.fleet.heavy;
        let latency = change(first, self.latency(now, first, heavy));
        let hedge = self.fleet.median * 5;
        if !self.fleet.hedged || latency <= hedge {
            return self.show(now + latency, answered(first, latency, fingerprint));
        }
        let second = TaskId(first.0 % self.fleet.tasks + 1);
        let other = change(second, self.latency(now + hedge, second, heavy));
        let overtaken = |task, waited| seen(task, How::Overtaken(waited), fingerprint);
        if hedge + other < latency {
            let end = now + hedge + other;
            self.show(end, overtaken(first, hedge + other));
            self.show(end, answered(second, other, fingerprint));
        } else {
            self.show(now + latency, answered(first, latency, fingerprint));
            self.show(now + latency, overtaken(second, latency.saturating_sub(hedge)));
        }
    }

    fn show(&mut self, at: Instant, seen: Seen) {
        self.draws += 1;
        self.coming.insert((at, self.draws), seen);
    }

    fn latency(&mut self, now: Instant, task: TaskId, heavy: bool) -> Duration {
        // Box and Muller: a p99 of ten times the median is 2.326 deviations.
        let (u, v) = (1.0 - self.draw(), self.draw());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let tail = (normal * 10_f64.ln() / 2.326).exp();
        let own = if heavy { Duration::from_secs(2) } else { self.fleet.median.mul_f64(tail) };
        self.pause(now, task) + own
    }

    /// What is left of the pause the task is in.
    fn pause(&mut self, now: Instant, task: TaskId) -> Duration {
        let at = task.0 as usize - 1;
        while self.pauses[at].1 <= now {
            let next = self.pauses[at].1 + PAUSE + BETWEEN_PAUSES.mul_f64(2.0 * self.draw());
            self.pauses[at] = (self.pauses[at].1, next);
        }
        (self.pauses[at].0 + PAUSE).since(now)
    }

    fn draw(&mut self) -> f64 {
        self.draws += 1;
        unit(self.seed, Stream::Link, self.draws)
    }
}

fn answered(task: TaskId, latency: Duration, fingerprint: u64) -> Seen {
    seen(task, How::Answered(latency), fingerprint)
}

fn seen(task: TaskId, how: How, fingerprint: u64) -> Seen {
    Seen { task, how, on_trial: true, fingerprint }
}
