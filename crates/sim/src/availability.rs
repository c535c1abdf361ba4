//! How often, and for how long, a group of tasks is down: in closed form, and by a reduced simulation.
//!
//! A group has `n` tasks of which `k` are needed. Each fails at the rate λ and is repaired at the
//! rate μ; `c` repairs go on at a time. That is the birth and death chain of every textbook (Trivedi,
//! "Probability and statistics with reliability, queuing, and computer science applications",
//! chapter 8), and [`Group`] has its closed forms. [`Model`] adds what decides in practice: causes that
//! take all tasks at once or those of a place, deployments, and repairs that take about as long each
//! time. What it loses is [`Model::lost`] in closed form, and [`chain`] simulates it.
//!
//! Rates are per second and times in seconds, unless an item says otherwise.

pub mod chain;
mod estimate;
mod lost;
mod members;
mod model;

pub use estimate::Interval;
pub use lost::Lost;
pub use members::Members;
pub use model::{Cause, Deployments, Late, Loss, Model, Place, Repair, Span};

/// Seconds of a year of 365 days.
pub const YEAR: f64 = 365.0 * DAY;
/// Seconds of a day.
pub const DAY: f64 = 86_400.0;
/// Seconds of a month, a twelfth of a [`YEAR`].
pub const MONTH: f64 = YEAR / 12.0;

/// Tasks that fail and are repaired independently, with exponential times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// How many there are.
    pub tasks: u32,
    /// How many of them must be up. At least 1 and at most `tasks`.
    pub needed: u32,
    /// Failures of one task, per second.
    pub failure_rate: f64,
    /// One over the mean time to repair, per second.
    pub repair_rate: f64,
    /// Repairs that go on at a time. At least 1.
    pub crews: u32,
}

// === impl Group ===

impl Group {
    /// The share of time in which as many tasks are down as the place says: 0, 1, … `tasks`.
    ///
    /// `π_j ∝ Π (n−i+1)·λ / (min(i, c)·μ)` over `i = 1..=j`.
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![1.0];
        for down in 1..=self.tasks {
            let ratio = f64::from(self.tasks - down + 1) * self.failure_rate / self.repairs(down);
            shares.push(shares[down as usize - 1] * ratio);
        }
        let sum: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / sum).collect()
    }

    /// The share of time in which fewer than `needed` tasks are up. With as many crews as tasks it
    /// depends on the mean of the repair time only, whatever its distribution.
    pub fn unavailability(&self) -> f64 {
        self.shares()[self.spares() as usize + 1..].iter().sum()
    }

    /// Outages per second: `π_s·kλ`, with `s` spares.
    pub fn outage_rate(&self) -> f64 {
        let edge = self.shares()[self.spares() as usize];
        edge * f64::from(self.needed) * self.failure_rate
    }

    /// How long an outage is on average, in seconds.
    pub fn mean_outage(&self) -> f64 {
        self.unavailability() / self.outage_rate()
    }

    /// Seconds from all up to the first outage, on average.
    ///
    /// `Σ h_i`, with `h_0 = 1/(nλ)` and `h_i = 1/((n−i)λ) + min(i, c)·μ/((n−i)λ)·h_{i−1}`.
    pub fn mttf(&self) -> f64 {
        let (mut sum, mut step) = (0.0, 0.0);
        for down in 0..=self.spares() {
            let failures = f64::from(self.tasks - down) * self.failure_rate;
            step = (1.0 + self.repairs(down) * step) / failures;
            sum += step;
        }
        sum
    }

    /// Tasks that may be down.
    fn spares(&self) -> u32 {
        self.tasks - self.needed
    }

    /// Repairs per second while so many are down.
    fn repairs(&self, down: u32) -> f64 {
        f64::from(down.min(self.crews)) * self.repair_rate
    }
}

/// The chance that one of the `others` fails within a window of so many seconds: `1 − e^{−(n−1)λD}`.
pub fn failure_within(others: u32, failure_rate: f64, window: f64) -> f64 {
    -libm::expm1(-f64::from(others) * failure_rate * window)
}

/// The same for a window of exponential length, by its rate: `(n−1)λ / ((n−1)λ + μ)`.
pub fn failure_before_repair(others: u32, failure_rate: f64, repair_rate: f64) -> f64 {
    let failures = f64::from(others) * failure_rate;
    failures / (failures + repair_rate)
}

/// The share of requests that fail because they go to a task that is broken and not yet known to be,
/// if none is tried again: `λ·T / (1 + λ·T)`, whatever the number of tasks, since `n` of them fail `n` times
/// as often and each gets `1/n` of the requests. Another task does not buy this; earlier detection and
/// another try do.
pub fn undetected_share(failure_rate: f64, detection: f64) -> f64 {
    failure_rate * detection / (1.0 + failure_rate * detection)
}

#[cfg(test)]
mod tests;
