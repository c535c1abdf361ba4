//! How many requests a bad task gets among good ones: the balancer of production chooses, request by request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::{Loads, Pick};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::http::HalfClose;
use seaworthy_core::health::Rotation;
use seaworthy_core::policy::bulkhead;
use seaworthy_core::time::Instant;

use super::{Candidate, Question};

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
    /// A request that is not answered ends after so many seconds,
    held: f64,
    /// for its deadline has passed, or else as its client has gone.
    is_overdue: bool,
    /// Requests that are under way at most.
    permits: u32,
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
        let spare = candidate.tasks > question.needed();
        let bulkhead = candidate.route.guard.bulkhead.as_ref().filter(|_| !question.is_part());
        let permits = bulkhead.filter(|_| !spare).map_or(u32::MAX, bulkhead::Config::largest);
        let timeout = candidate.route.guard.timeout.map(|timeout| timeout.as_secs_f64());
        let overdue = timeout.unwrap_or(f64::INFINITY);
        // By default a task keeps what its client does not wait for any more.
        let gone = match question.service.http.half_close {
            HalfClose::Serve => f64::INFINITY,
            HalfClose::Gone => question.world.patience,
        };
        let held = overdue.min(gone).min(2.0 * LONGEST);
        let is_overdue = overdue <= gone;
        Self { how, tasks: candidate.tasks, held, is_overdue, permits }
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
        let balancing = &question.service.balancing;
        let evenly = match balancing.algorithm {
            Algorithm::RoundRobin | Algorithm::WeightedRandom | Algorithm::ConsistentHash => {
                balancing.most_in_flight.is_none()
            }
            Algorithm::LeastOutstandingRequests | Algorithm::LatencyAware => false,
        };
        let load = question.load.filter(|_| !evenly && case.tasks > 1);
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
    /// When what is under way ends, and began, of which task, and whether that answers it.
    under_way: BinaryHeap<Reverse<(Instant, Instant, TaskId, bool)>>,
}

// === impl Course ===

impl<'a> Course<'a> {
    fn new(question: &'a Question<'a>, case: Case) -> Self {
        let mut loads = Loads::new(question.service.balancing.clone(), SEED);
        loads.rotate(Instant::EPOCH, &Rotation::of((1..=case.tasks).map(TaskId)));
        let free = vec![0.0; case.tasks as usize];
        Self { question, case, loads, free, under_way: BinaryHeap::new() }
    }

    /// When the bad one gets requests, if one comes every `1 / load` seconds for so long. Before that it is good, until
    /// all are known.
    fn times(mut self, load: f64, seconds: f64) -> Vec<f64> {
        let good = (seconds / KNOWN).max(KNOWN * self.question.world.latency);
        let last = ((good + seconds) * load) as u32;
        let moments = (0..last).map(|n| (n, f64::from(n) / load));
        moments
            .filter_map(|(n, time)| self.sent(n, time, time > good).then_some(time - good))
            .collect()
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
        let ends = match self.case.how {
            How::Fails if fails => {
                self.loads.failed(now, task);
                self.loads.release(now, task, true);
                return true;
            }
            How::Hangs if fails => time + self.case.held,
            // A good one begins as many as it bears, and then each takes as long as ever.
            How::Hangs | How::Fails => {
                let free = &mut self.free[task.0 as usize - 1];
                let begins = free.max(time);
                *free = begins + self.question.bears().map_or(0.0, |bears| 1.0 / bears);
                begins + self.question.world.latency
            }
        };
        self.under_way.push(Reverse((at(ends), now, task, !fails)));
        fails
    }

    /// What has ended by now.
    fn settle(&mut self, now: Instant) {
        while let Some(&Reverse((end, begun, task, answers))) = self.under_way.peek()
            && end <= now
        {
            self.under_way.pop();
            if answers {
                self.loads.answered(end, task, end.since(begun));
            } else if self.case.is_overdue {
                self.loads.failed(end, task);
            }
            self.loads.release(end, task, answers || self.case.is_overdue);
        }
    }
}

fn at(seconds: f64) -> Instant {
    Instant::EPOCH + Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests;
