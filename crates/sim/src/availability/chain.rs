//! The reduced model, simulated: events only, cycle by cycle.
//!
//! A cycle goes from all up to all up again. Failures are exponential, so nothing that was before is
//! left in that moment, and a long run is a row of independent cycles: the share of time in outages is
//! the mean downtime of a cycle over its mean length (a regenerative ratio estimator). The quiet time
//! at the beginning of a cycle is not simulated at all: its mean is known.
//!
//! [`Method::Crude`] waits for outages to happen. [`Method::Biased`] makes them happen and takes back
//! by weights what it has made up. Repairs are left as they are, so they may take any time: when the
//! next repair ends is known, a failure before that is *forced* with the chance of a half, at a time
//! drawn as if it had happened by itself, and which kind of failure it is, is drawn evenly. Weights are
//! chances over made-up chances, at each step, and stay bounded. After the first loss of a cycle
//! nothing more is made up. That is balanced failure biasing with forced transitions (Lewis and Böhm
//! 1984; Shahabuddin 1994; Nicola, Shahabuddin and Nakayama 2001). How long a cycle is, is not rare:
//! cycles of their own, without weights, tell that.

mod cycle;

use super::estimate::Sums;
use super::{Interval, Model, YEAR};
use cycle::Simulation;

/// How outages are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As they come.
    Crude,
    /// By importance sampling.
    Biased,
}

/// When there are enough cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Until {
    /// After so many; at least 2.
    Cycles(u64),
    /// When the half-width of the unavailability is hardly more than this share of it, and after
    /// `most` cycles in any case. How many cycles that takes is told by a first run whose cycles are
    /// not used again, or the interval would stop at what it likes.
    HalfWidth {
        /// Above 0.
        share: f64,
        /// Cycles, at most.
        most: u64,
    },
}

/// What a simulation comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The share of time in which fewer tasks are up than needed, or of requests that fail because of
    /// that, as the model's [`Loss`](super::Loss) has it.
    pub unavailability: Interval,
    /// Outages per second.
    pub outage_rate: Interval,
    /// Cycles that were simulated for it.
    pub cycles: u64,
    /// The time they stand for, in years: a time in which the fleet was lived through.
    pub years: f64,
    /// What was taken for granted, in plain words.
    pub assumptions: String,
}

/// Of the first run: a tenth of a second at most.
const PILOT: u64 = 20_000;
/// The pilot's half-width is itself an estimate.
const MARGIN: f64 = 1.3;

/// What one row of cycles told.
#[derive(Default)]
struct Row {
    down: Sums,
    outages: Sums,
    years: f64,
}

// === impl Model ===

impl Model {
    /// Simulates it. The same `seed` gives the same result on every machine.
    pub fn estimate(&self, method: Method, seed: u64, until: Until) -> Estimate {
        let (share, most) = match until {
            Until::Cycles(cycles) => return self.run(method, seed, cycles),
            Until::HalfWidth { share, most } => (share, most),
        };
        let mut cycles = PILOT.min(most);
        // Outages that the pilot did not see need a longer one.
        loop {
            let pilot = self.run(method, seed ^ cycles, cycles);
            let Some(relative) = pilot.unavailability.relative() else {
                if cycles >= most {
                    return pilot;
                }
                cycles = (cycles * 8).min(most);
                continue;
            };
            let times = relative / share;
            let needed = cycles as f64 * times * times * MARGIN;
            return self.run(method, seed, (needed as u64).clamp(PILOT.min(most), most));
        }
    }

    fn run(&self, method: Method, seed: u64, cycles: u64) -> Estimate {
        let mut simulation = Simulation::new(self, seed);
        let row = simulation.row(method, cycles);
        let (unavailability, outage_rate, years) = match method {
            Method::Crude => (row.down.ratio(), row.outages.ratio(), row.years),
            Method::Biased => {
                let times = simulation.row(Method::Crude, cycles / 4 + 2);
                let over = |sums: Sums| sums.over(&times.down);
                (over(row.down), over(row.outages), times.years)
            }
        };
        let assumptions = self.assumptions();
        Estimate { unavailability, outage_rate, cycles, years, assumptions }
    }
}

// === impl Simulation ===

impl Simulation<'_> {
    fn row(&mut self, method: Method, cycles: u64) -> Row {
        let mut row = Row::default();
        let mut seconds = 0.0;
        for _ in 0..cycles {
            let cycle = self.cycle(method == Method::Biased);
            row.down.add(cycle.weight * cycle.down, cycle.length);
            row.outages.add(cycle.weight * cycle.outages, cycle.length);
            seconds += cycle.length;
        }
        row.years = seconds / YEAR;
        row
    }
}

#[cfg(test)]
mod tests;
