//! Tasks with latencies of their own, and a stream of requests, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use seaworthy_core::balance::Config;
use seaworthy_core::call::{Loads, Pick};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::Rotation;
use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

/// How a task answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Lognormal about this median; the slowest of a hundred takes ten times as long.
    Noisy(Duration),
    /// The same, but for a pause of so long in each second, in which nothing is answered.
    Pausing(Duration, Duration),
    /// The same as the first, and so much later.
    Late(Duration, Duration),
    /// An error, after so long.
    Failing(Duration),
    /// An answer that says no, after so long.
    Declining(Duration),
    /// Not at all: its clients wait for so long.
    Silent(Duration),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Declined,
    Failed,
    GivenUp,
}

/// A request in flight. In the order in which they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    until: Instant,
    /// Tells those of one moment apart.
    count: u64,
    since: Instant,
    task: TaskId,
    end: End,
}

/// The tasks of one service, and how they answer.
pub(crate) struct World {
    loads: Loads,
    now: Instant,
    manners: BTreeMap<TaskId, Manner>,
    in_flight: BinaryHeap<Reverse<Sent>>,
    seed: u64,
    count: u64,
}

/// Over the 99th percentile of the normal distribution.
const SPREAD: f64 = std::f64::consts::LN_10 / 2.326_348;

impl World {
    /// All tasks are in rotation, and answer in the same manner.
    pub(crate) fn new(config: Config, tasks: u32, manner: Manner, seed: u64) -> Self {
        let tasks = (1..=tasks).map(TaskId);
        let mut loads = Loads::new(config, seed);
        loads.rotate(Instant::EPOCH, &Rotation::of(tasks.clone()));
        Self {
            loads,
            now: Instant::EPOCH,
            manners: tasks.map(|task| (task, manner)).collect(),
            in_flight: BinaryHeap::new(),
            seed,
            count: 0,
        }
    }

    /// From now on `task` answers in this manner.
    pub(crate) fn becomes(&mut self, task: u32, manner: Manner) {
        self.manners.insert(TaskId(task), manner);
    }

    /// From now on these tasks are in rotation.
    pub(crate) fn rotate(&mut self, tasks: impl IntoIterator<Item = u32>) {
        let rotation = Rotation::of(tasks.into_iter().map(TaskId));
        self.loads.rotate(self.now, &rotation);
    }

    /// For so long come so many requests a second, at random moments (Poisson). How many each task
    /// got.
    pub(crate) fn run(&mut self, length: Duration, rate: f64) -> BTreeMap<u32, u32> {
        let in_rotation = self.loads.tasks().filter(|(_, in_rotation)| *in_rotation);
        let mut got: BTreeMap<u32, u32> = in_rotation.map(|(task, _)| (task.0, 0)).collect();
        let until = self.now + length;
        loop {
            let pause = -(1.0 - self.draw(Stream::Arrivals)).ln() / rate;
            let next = self.now + Duration::from_secs_f64(pause);
            self.settle(next.min(until));
            if next > until {
                return got;
            }
            let pick = Pick { affinity: self.count, ..Pick::default() };
            let task = self.loads.pick(self.now, &pick).expect("there are tasks");
            self.send(task);
            *got.get_mut(&task.0).expect("it is in rotation") += 1;
        }
    }

    fn send(&mut self, task: TaskId) {
        let (after, end) = match self.manners[&task] {
            Manner::Noisy(median) => (self.noisy(median), End::Answered),
            Manner::Pausing(median, pause) => {
                let after = self.noisy(median);
                // Each task has its pauses at other moments.
                let moment = (self.now + after).as_nanos() + u64::from(task.0) * 271_828_182;
                let paused = Duration::from_nanos(moment % 1_000_000_000);
                (after + pause.saturating_sub(paused), End::Answered)
            }
            Manner::Late(median, more) => (self.noisy(median) + more, End::Answered),
            Manner::Failing(after) => (after, End::Failed),
            Manner::Declining(after) => (after, End::Declined),
            Manner::Silent(patience) => (patience, End::GivenUp),
        };
        self.loads.take(self.now, task);
        let (until, since, count) = (self.now + after, self.now, self.count);
        self.in_flight.push(Reverse(Sent { until, count, since, task, end }));
    }

    /// Lets time pass.
    fn settle(&mut self, until: Instant) {
        while let Some(Reverse(sent)) = self.in_flight.peek().filter(|next| next.0.until <= until) {
            let Sent { until: at, since, task, end, .. } = *sent;
            self.in_flight.pop();
            match end {
                End::Answered => self.loads.answered(at, task, at.since(since)),
                End::Declined => self.loads.declined(at, task, at.since(since)),
                End::Failed => self.loads.failed(at, task),
                End::GivenUp => {}
            }
            self.loads.release(at, task, end != End::GivenUp);
        }
        self.now = until;
    }

    fn noisy(&mut self, median: Duration) -> Duration {
        let (radius, turn) = (self.draw(Stream::Requests), self.draw(Stream::Requests));
        let normal = (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * turn).cos();
        median.mul_f64((normal * SPREAD).exp())
    }

    fn draw(&mut self, stream: Stream) -> f64 {
        self.count += 1;
        unit(self.seed, stream, self.count)
    }
}
