//! Who gets the next request.
//!
//! Every algorithm divides requests by weight when nothing else speaks against it, and each one is
//! capped in the same way while a task starts slowly. Draws come by seed and ordinal, so
//! the same inputs give the same choices.

mod affinity;
mod pulse;
mod ramp;
mod target;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::{Stream, below, by_weight, draw, unit};
use crate::time::Instant;

pub use affinity::Affinity;
pub(crate) use target::{Target, Welcome, usual_latency};

/// How a task is chosen among those in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Each in turn, as often as its weight says. Source: nginx, smooth weighted round robin.
    RoundRobin,
    /// The one with the fewest requests in flight for its weight; among equals, each in turn.
    LeastOutstandingRequests,
    /// By lot.
    WeightedRandom,
    /// Each in turn, but for a task that is clearly slower than the better one of two others, drawn
    /// by lot: its turn is passed on. Source: Mitzenmacher, "The power of two choices in randomized
    /// load balancing" (2001); Finagle's peak EWMA.
    LatencyAware,
    /// Requests with the same [`Affinity`] reach the same task as long as it is there, and no other
    /// requests move when it goes. Source: Thaler and Ravishankar, "Using name-based mappings to
    /// increase hit rates" (1998), rendezvous hashing.
    ConsistentHash,
}

/// How the requests of a service are divided among its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// How a task is chosen.
    pub algorithm: Algorithm,
    /// What is hashed by a consistent hash, and only there.
    pub affinity: Option<Affinity>,
    /// A task that enters the rotation has its full share only after so long. Zero: at once.
    pub slow_start: Duration,
    /// So many requests a task has in flight at most; none if that is not bounded.
    pub most_in_flight: Option<u32>,
}

/// Chooses among tasks. What it knows of each stands in its [`Target`].
#[derive(Debug)]
pub(crate) struct Balancer {
    algorithm: Algorithm,
    seed: u64,
    /// Choices so far.
    count: u64,
}

/// A turn is passed on if it costs more than so many times what another task costs …
const CLEARLY: u64 = 3;
/// … and so many nanoseconds more: among tasks that are all quick it does not matter who is quicker.
const SLACK: u64 = 2_000_000;
/// Into so many parts the claim to a turn is divided.
const PARTS: i64 = 16;

// === impl Algorithm ===

impl Algorithm {
    /// One after the other.
    pub const ALL: [Self; 5] = [
        Self::RoundRobin,
        Self::LeastOutstandingRequests,
        Self::WeightedRandom,
        Self::LatencyAware,
        Self::ConsistentHash,
    ];
}

// === impl Config ===

impl Config {
    /// This algorithm, and nothing else.
    pub const fn plain(algorithm: Algorithm) -> Self {
        Self { algorithm, affinity: None, slow_start: Duration::ZERO, most_in_flight: None }
    }
}

// === impl Balancer ===

impl Balancer {
    /// Nothing has been chosen yet.
    pub(crate) fn new(algorithm: Algorithm, seed: u64) -> Self {
        Self { algorithm, seed, count: 0 }
    }

    /// The place in `targets` of the task for the next request. `open` has the places of those that
    /// may get it, in ascending order, at least one; it is spoiled.
    pub(crate) fn pick(
        &mut self,
        now: Instant,
        targets: &mut [Target],
        open: &mut Vec<usize>,
        affinity: u64,
    ) -> usize {
        self.count += 1;
        if let [only] = open[..] {
            return only;
        }
        match self.algorithm {
            Algorithm::RoundRobin => open[turn(targets, open)],
            Algorithm::LeastOutstandingRequests => least(targets, open),
            Algorithm::WeightedRandom => self.lot(targets, open),
            Algorithm::LatencyAware => self.quick(now, targets, open),
            Algorithm::ConsistentHash => hashed(targets, open, affinity),
        }
    }

    fn draw_below(&self, bound: u64) -> u64 {
        below(draw(self.seed, Stream::Balance, self.count), bound)
    }

    /// Two different numbers below `bound`; the same one twice if there is just one.
    fn draw_two(&self, bound: usize) -> [usize; 2] {
        let distances = (bound - 1).max(1);
        let drawn = self.draw_below((bound * distances) as u64) as usize;
        let one = drawn / distances;
        [one, (one + 1 + drawn % distances) % bound]
    }

    fn lot(&self, targets: &[Target], open: &[usize]) -> usize {
        let weights = open.iter().map(|at| u64::from(targets[*at].weight()));
        let drawn = draw(self.seed, Stream::Balance, self.count);
        open[by_weight(drawn, weights).expect("no weight is zero")]
    }

    fn quick(&self, now: Instant, targets: &mut [Target], open: &[usize]) -> usize {
        let turn = turn(targets, open);
        let mine = targets[open[turn]].cost(now);
        if mine <= SLACK {
            return open[turn];
        }
        let other = |n: usize| open[n + usize::from(n >= turn)];
        let two = self.draw_two(open.len() - 1).map(other).map(|at| (targets[at].cost(now), at));
        let (others, other) = two.into_iter().min().expect("there are two");
        if mine <= others.saturating_mul(CLEARLY).saturating_add(SLACK) {
            return open[turn];
        }
        // It has most of its turn back, from the one that takes it now, so that all have their share in
        // the end. Not all of it: one that is slow for long would get everything it was spared.
        let weight = |at: &usize| i64::from(targets[*at].weight());
        let back = open.iter().map(weight).sum::<i64>() - weight(&open[turn]);
        targets[open[turn]].claim += back * (PARTS - 1);
        targets[other].claim -= back * (PARTS - 1);
        other
    }
}

/// Whose turn it is, as a place in `open`. Everybody's claim grows by its weight, and whoever has the
/// largest pays for all. A task that is not there neither gains nor loses.
fn turn(targets: &mut [Target], open: &[usize]) -> usize {
    let (mut sum, mut first, mut most) = (0, 0, i64::MIN);
    for (n, &at) in open.iter().enumerate() {
        let target = &mut targets[at];
        let weight = i64::from(target.weight()) * PARTS;
        target.claim += weight;
        sum += weight;
        if target.claim > most {
            (first, most) = (n, target.claim);
        }
    }
    targets[open[first]].claim -= sum;
    first
}

fn least(targets: &mut [Target], open: &mut Vec<usize>) -> usize {
    // In flight for each weight, compared as fractions.
    let load = |at: usize| (u64::from(targets[at].in_flight()), u64::from(targets[at].weight()));
    let least =
        open.iter().map(|at| load(*at)).reduce(|a, b| if b.0 * a.1 < a.0 * b.1 { b } else { a });
    let (in_flight, weight) = least.expect("somebody is open");
    open.retain(|at| load(*at).0 * weight == in_flight * load(*at).1);
    open[turn(targets, open)]
}

/// The highest score counts. By these scores each task has its weight's share of all affinities.
/// Source: Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005), logarithmic method.
fn hashed(targets: &[Target], open: &[usize], affinity: u64) -> usize {
    let score = |at: usize| {
        let drawn = unit(affinity, Stream::Affinity, u64::from(targets[at].task().0));
        -f64::from(targets[at].weight()) / libm::log(drawn)
    };
    let score = |at: &usize| (*at, score(*at));
    let best = open.iter().map(score).reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.expect("somebody is open").0
}

#[cfg(test)]
mod tests;
