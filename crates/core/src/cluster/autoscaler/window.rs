//! What was seen in the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::reading::{Load, Range};
use super::{Observation, Reading, Target};
use crate::endpoints::Traffic;
use crate::time::Instant;

/// The samples of the last seconds. Their number is bounded however often somebody asks.
#[derive(Clone, Debug)]
pub(super) struct Window {
    length: Duration,
    /// The first one is as old as the window is long, once there is so much.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    traffic: Traffic,
    in_rotation: u32,
    /// What the tasks in rotation use, in thousandths of what they may use.
    cpu: Option<u32>,
    /// Tasks that answer for how long requests take: those that serve, but not the surplus of a
    /// deployment.
    answerable: u32,
}

/// More samples than this show nothing more.
const MOST: u32 = 20;
/// Whoever is asked once a second is never so late.
const PAUSE: Duration = Duration::from_secs(2);
/// Everything is reckoned in thousandths.
const PARTS: u128 = 1000;

// === impl Window ===

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, samples: VecDeque::new() }
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    /// Takes in what is seen. If it does not go on from what was seen before, the window begins anew.
    pub(super) fn push(&mut self, now: Instant, seen: &Observation) {
        if let Some(last) = self.samples.back() {
            let passed = now.since(last.at);
            if last.is_of_another_gateway(&seen.traffic) || passed > PAUSE.max(self.length / 2) {
                self.samples.clear();
            } else if passed < self.length / MOST {
                return;
            }
        }
        self.samples.push_back(Sample::new(now, seen));
        while self.samples.get(1).is_some_and(|second| now.since(second.at) >= self.length) {
            self.samples.pop_front();
        }
    }

    /// The figure of `target`, if enough is known. With nobody in rotation there is no such figure.
    pub(super) fn read(&self, target: Target) -> Option<Reading> {
        let (whole, late) = (self.last(self.length)?, self.last(self.part())?);
        let in_rotation = self.samples.back().map(|last| last.in_rotation).filter(|n| *n > 0)?;
        if let Target::P99(longest) = target {
            let answerable = self.samples.back()?.answerable;
            return Some(Reading::of_latency(target, longest, p99(whole)?, answerable));
        }
        let load = Load { whole: load(target, whole)?, late: load(target, late)?.least };
        Some(Reading::of_load(target, load, in_rotation))
    }

    /// Requests that came in a second, in thousandths.
    pub(super) fn rate(&self) -> Option<u128> {
        Some(requests(self.last(self.length)?)?.most)
    }

    /// So much of the window is enough to see how much a load has grown.
    pub(super) fn part(&self) -> Duration {
        self.length * 3 / 10
    }

    /// The samples of so long a time, the first one being as old as that.
    fn last(&self, length: Duration) -> Option<impl Iterator<Item = &Sample> + Clone> {
        let end = self.samples.back()?.at;
        let first = self.samples.iter().rposition(|sample| end.since(sample.at) >= length)?;
        Some(self.samples.iter().skip(first))
    }
}

/// What all tasks together have to do.
fn load<'a>(target: Target, samples: impl Iterator<Item = &'a Sample> + Clone) -> Option<Range> {
    match target {
        Target::RequestsPerTask(_) => requests(samples),
        Target::Concurrency(_) => mean(samples.map(|sample| Some(sample.traffic.running.into()))),
        Target::Cpu(_) => processors(samples),
        Target::P99(_) => None,
    }
}

/// Requests that came in a second. Nobody knows on which side of an end of the window one of them
/// belongs.
fn requests<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> Option<Range> {
    let (first, last) = (samples.clone().next()?, samples.last()?);
    let count = u128::from(last.begun().saturating_sub(first.begun()));
    let passed = last.at.since(first.at).as_nanos().max(1);
    let rate = |count: u128| count * PARTS * 1_000_000_000 / passed;
    Some(Range { least: rate(count.saturating_sub(1)), most: rate(count + 1) })
}

/// In percent. A thousandth is a whole one: what there is of the next is not told.
fn processors<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> Option<Range> {
    let of_all = |more: u128, sample: &Sample| {
        Some((u128::from(sample.cpu?) + more) * u128::from(sample.in_rotation))
    };
    let told = mean(samples.clone().map(|sample| of_all(0, sample)))?;
    let next = mean(samples.map(|sample| of_all(1, sample)))?;
    Some(Range { least: told.least / 10, most: next.most.div_ceil(10) })
}

/// A figure that most samples lack is not known.
fn mean(samples: impl Iterator<Item = Option<u128>> + Clone) -> Option<Range> {
    let all = samples.clone().count();
    let (count, sum) =
        samples.flatten().fold((0, 0), |(count, sum), n| (count + 1, sum + n * PARTS));
    let known = count * 2 > all;
    let count = count as u128;
    known.then(|| Range { least: sum / count, most: sum.div_ceil(count) })
}

/// The middle one of all: a slow second is none of a slow service.
fn p99<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> Option<Duration> {
    let all = samples.clone().count();
    let mut known: Vec<_> = samples.filter_map(|sample| sample.traffic.p99).collect();
    known.sort_unstable();
    known.get(known.len() / 2).copied().filter(|_| known.len() * 2 > all)
}

// === impl Sample ===

impl Sample {
    fn new(at: Instant, seen: &Observation) -> Self {
        let answerable = seen.in_rotation.min(seen.desired);
        let Observation { traffic, in_rotation, cpu, .. } = *seen;
        Self { at, traffic, in_rotation, cpu, answerable }
    }

    /// Not those that have ended: a service that is too slow ends fewer than come.
    fn begun(&self) -> u64 {
        self.traffic.ended.saturating_add(self.traffic.running.into())
    }

    fn is_of_another_gateway(&self, later: &Traffic) -> bool {
        later.ended < self.traffic.ended || later.failed < self.traffic.failed
    }
}
