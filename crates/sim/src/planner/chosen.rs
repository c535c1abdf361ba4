//! How many requests a bad task gets among good ones: the balancer of production chooses, request by request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use seaworthy_core::call::{Loads, Pick};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::Rotation;
use seaworthy_core::policy::budget::{self, Budget};
use seaworthy_core::policy::bulkhead;
use seaworthy_core::random::Stream;
use seaworthy_core::time::Instant;

use super::{Candidate, Question};
use crate::distribution::{Dice, Distribution};

/// How a task is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It answers nothing: each request stays with it until nobody waits any more.
    Hangs,
    /// It fails each request at once.
    Fails,
}

/// All that a balancer's choices depend on, but for what is the same for all candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Case {
    how: How,
    tasks: u32,
    /// It has a request that it does not do for so many seconds, and then this is how that ends.
    held: f64,
    ends: End,
    /// Requests that are under way at most.
    permits: u32,
    /// What is left for other tries of what it fails.
    budget: Option<budget::Config>,
}

/// How a request ends for its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    /// Its deadline has passed.
    Overdue,
    /// Its client has gone.
    Left,
    /// It failed before, and was kept for the case that it fails elsewhere, too.
    Kept,
}

/// What the bad one of all tasks gets.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    case: Case,
    /// Requests a second that are an even share; none if nobody knows.
    each: Option<f64>,
    /// When it got one, in seconds since it is bad. It is asked evenly if this is not known.
    times: Option<Vec<f64>>,
    /// Nobody looked for longer than that.
    looked: f64,
}

/// Nothing new comes later, in seconds, than in a minute, or in so many requests to each task; and what comes of those of
/// the second half goes on.
const LONGEST: f64 = 60.0;
const REQUESTS: f64 = 100.0;
/// Unless there are more than so many, and it is seen three times what becomes of a request.
const MOST: f64 = 40_000.0;
const TIMES: f64 = 3.0;
/// Nobody looks at more than so many, whatever is seen of them.
const LIMIT: f64 = 400_000.0;
/// All tasks are good for one part in so many of that, before one of them is not.
const KNOWN: f64 = 4.0;
/// Of what is drawn. It does not matter which.
const SEED: u64 = 1;
/// The bad one.
const BAD: TaskId = TaskId(1);

// === impl Case ===

impl Case {
    pub(super) fn new(question: &Question<'_>, candidate: &Candidate, how: How) -> Self {
        // What good ones bear does not matter as long as it is enough.
        let spare = candidate.has_spare(question);
        let bulkhead = candidate.own_bulkhead(question);
        let permits = bulkhead.filter(|_| !spare).map_or(u32::MAX, bulkhead::Config::largest);
        let (held, ends) = match (how, candidate.holds(question)) {
            (How::Hangs, (held, true)) => (held.min(2.0 * LONGEST), End::Overdue),
            (How::Hangs, (held, false)) => (held.min(2.0 * LONGEST), End::Left),
            (How::Fails, _) if candidate.tries_failures() => (question.world.latency, End::Kept),
            (How::Fails, _) => (0.0, End::Kept),
        };
        let budget = question.route.budget.filter(|_| how == How::Fails);
        Self { how, tasks: candidate.tasks, held, ends, permits, budget }
    }

    /// For how many seconds it is looked at what the bad task gets.
    fn looked(&self, load: f64) -> f64 {
        let enough = LONGEST.max(REQUESTS * f64::from(self.tasks) / load);
        enough.min((MOST / load).max(TIMES * self.held)).min(LIMIT / load)
    }
}

// === impl Chosen ===

impl Chosen {
    pub(super) fn new(question: &Question<'_>, case: Case) -> Self {
        let each = question.load.map(|load| load / f64::from(case.tasks));
        let matters = question.state_matters() && case.tasks > 1;
        let load = question.load.filter(|_| matters);
        let looked = load.map_or(0.0, |load| case.looked(load));
        let times = load.map(|load| Course::new(question, case).times(load, looked));
        Self { case, each, times, looked }
    }

    pub(super) fn is_of(&self, case: Case) -> bool {
        self.case == case
    }

    /// What it gets in so many seconds, in those of an even share.
    pub(super) fn by(&self, seconds: f64) -> f64 {
        let (Some(times), Some(each)) = (&self.times, self.each) else { return seconds };
        // One more is as likely to come at any moment before it does.
        let until = |moment: f64| {
            let count = times.partition_point(|time| *time <= moment);
            let last = count.checked_sub(1).map_or(0.0, |last| times[last]);
            let part = times.get(count).map_or(0.0, |next| (moment - last) / (next - last));
            (count as f64 + part) / each
        };
        let half = self.looked / 2.0;
        let later = (until(self.looked) - until(half)) / half;
        until(seconds) + later * (seconds - self.looked).max(0.0)
    }

    /// After how many seconds it has got so many requests; none if it never does, or if nobody knows how many come.
    pub(super) fn when(&self, requests: f64) -> Option<f64> {
        let each = self.each?;
        match &self.times {
            None => Some(requests / each),
            Some(times) => times.get((requests.ceil() as usize).saturating_sub(1)).copied(),
        }
    }

    /// The share of all requests that is, on average.
    pub(super) fn share(&self, seconds: f64) -> f64 {
        self.by(seconds) / seconds / f64::from(self.case.tasks)
    }
}

/// A service in which one task goes bad.
struct Course<'a> {
    question: &'a Question<'a>,
    case: Case,
    loads: Loads,
    /// When each task has begun all that it got.
    free: Vec<f64>,
    /// When what is under way ends, and began, of which task, and how.
    under_way: BinaryHeap<Reverse<(Instant, Instant, TaskId, End)>>,
    /// What is left for other tries.
    budget: Option<Budget>,
    /// When requests come, and what they are.
    arrivals: Dice,
    kinds: Dice,
}

// === impl Course ===

impl<'a> Course<'a> {
    fn new(question: &'a Question<'a>, case: Case) -> Self {
        let mut loads = Loads::new(question.service.balancing.clone(), SEED);
        loads.rotate(Instant::EPOCH, &Rotation::of((1..=case.tasks).map(TaskId)));
        let free = vec![0.0; case.tasks as usize];
        let [arrivals, kinds] = [Stream::Arrivals, Stream::Requests].map(|of| Dice::new(SEED, of));
        let budget = case.budget.map(|config| Budget::new(Instant::EPOCH, config));
        let under_way = BinaryHeap::new();
        Self { question, case, loads, free, under_way, budget, arrivals, kinds }
    }

    /// When the bad one gets requests, if so many come a second, for so long. Before that it is good, until all are
    /// known.
    fn times(mut self, load: f64, seconds: f64) -> Vec<f64> {
        let good = (seconds / KNOWN).max(KNOWN * self.question.world.latency).min(LIMIT / load);
        let gap = Distribution::Exponential(Duration::from_secs_f64(1.0 / load));
        let (mut time, mut times) = (0.0, Vec::new());
        for n in 0.. {
            time += self.arrivals.duration(gap).as_secs_f64();
            if time > good + seconds {
                break;
            }
            if self.sent(n, time, time > good) {
                times.push(time - good);
            }
        }
        times
    }

    /// Whether the `n`-th request is one that the bad task gets.
    fn sent(&mut self, n: u32, time: f64, is_bad: bool) -> bool {
        let now = at(time);
        self.settle(now);
        let pick = Pick { affinity: n.into(), ..Pick::default() };
        if self.under_way.len() >= self.case.permits as usize {
            return false;
        }
        let Some(task) = self.loads.pick(now, &pick) else { return false };
        self.loads.take(now, task);
        let fails = is_bad && task == BAD;
        if !fails {
            // A good one begins as many as it bears, and then each takes as long as ever.
            let free = &mut self.free[task.0 as usize - 1];
            let begins = free.max(time);
            *free = begins + self.question.bears().map_or(0.0, |bears| 1.0 / bears);
            let end = at(begins + self.question.world.latency);
            self.under_way.push(Reverse((end, now, task, End::Answered)));
            return false;
        }
        let mut held = self.case.held;
        if self.case.how == How::Fails {
            self.loads.failed(now, task);
            // What may not be sent twice is over, and what no budget is left for.
            let may = !self.kinds.chance(self.question.world.writes_percent / 100.0);
            let budget = self.budget.as_mut().filter(|_| held > 0.0 && may);
            if !may || budget.is_some_and(|budget| budget.withdraw(now).is_err()) {
                held = 0.0;
            }
        }
        self.under_way.push(Reverse((at(time + held), now, task, self.case.ends)));
        true
    }

    /// What has ended by now.
    fn settle(&mut self, now: Instant) {
        while let Some(&Reverse((end, begun, task, how))) = self.under_way.peek()
            && end <= now
        {
            self.under_way.pop();
            match how {
                End::Answered => {
                    self.loads.answered(end, task, end.since(begun));
                    self.budget.iter_mut().for_each(|budget| budget.deposit(end));
                }
                End::Overdue => self.loads.failed(end, task),
                End::Left | End::Kept => {}
            }
            self.loads.release(end, task, how != End::Left);
        }
    }
}

fn at(seconds: f64) -> Instant {
    Instant::EPOCH + Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests;
