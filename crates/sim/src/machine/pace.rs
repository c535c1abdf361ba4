//! How one kind of request differs from the others. A model says what a program does, and not that some requests are
//! more work than others; how long each flow of the load was answered shows it.

use std::time::Duration;

use seaworthy_core::experiment::model::Distribution;
use seaworthy_core::experiment::numbers::Numbers;
use serde::{Deserialize, Serialize};

use super::{Run, Spread};
use crate::distribution::quantiles;

/// So many times as long as that of all requests together takes what is done for this one, whoever does it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pace {
    pub(super) median: f64,
    pub(super) p99: f64,
}

/// Of each flow of the load, in their order; none where there is but one.
pub(super) fn paces(runs: &[Run]) -> Vec<Pace> {
    let flows = runs[0].measured.flows.len();
    let pace = |flow| Pace {
        median: factor(runs, flow, |numbers| numbers.latency_p50),
        p99: factor(runs, flow, |numbers| numbers.latency_p99),
    };
    (0..flows).filter(|_| flows > 1).map(pace).collect()
}

/// What is slow is so in all flows; this is how much more so in this one. 1 if nothing is known of it.
fn factor(runs: &[Run], flow: usize, figure: fn(&Numbers) -> Option<Duration>) -> f64 {
    let seconds = |numbers: &Numbers| figure(numbers).unwrap_or_default().as_secs_f64();
    let slow = |measured: &Numbers, simulated: &Numbers| seconds(measured) / seconds(simulated);
    let more = |Run { measured, simulated, .. }: &Run| {
        slow(&measured.flows[flow], &simulated.flows[flow])
            / slow(&measured.numbers, &simulated.numbers)
    };
    let known = Spread::of(runs.iter().map(more));
    if known.count == 0 { 1.0 } else { known.middle() }
}

// === impl Pace ===

/// As all others.
impl Default for Pace {
    fn default() -> Self {
        Self { median: 1.0, p99: 1.0 }
    }
}

impl Pace {
    /// How long it takes where others take `work`.
    pub(crate) fn of(&self, work: Distribution) -> Distribution {
        let [median, p99] = quantiles(work);
        if *self == Self::default() || p99.is_zero() {
            return work;
        }
        let median = median.mul_f64(self.median);
        Distribution::LogNormal { median, p99: p99.mul_f64(self.p99).max(median) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_one_kind_takes_longer_than_that_of_another() {
        let pace = Pace { median: 1.5, p99: 3.0 };
        let micros = Duration::from_micros;
        let work = Distribution::LogNormal { median: micros(100), p99: micros(1000) };
        let meant = Distribution::LogNormal { median: micros(150), p99: micros(3000) };
        assert_eq!(pace.of(work), meant);
        assert_eq!(pace.of(Distribution::default()), Distribution::default());
        assert_eq!(
            Pace::default().of(Distribution::Uniform(micros(1), micros(2))),
            Distribution::Uniform(micros(1), micros(2))
        );
    }
}
