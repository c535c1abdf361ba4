//! How something differs from run to run: by factors, so that their logarithms are about normal.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::distribution::{Dice, Distribution, NINETY_NINE};

/// Nothing is slower by a larger factor than e to the power of that: about a million.
pub(super) const SLOWEST: f64 = 14.0;

/// Few runs may agree by chance: no machine is the same from run to run to less than a hundredth.
const FINEST: f64 = 0.01;

/// 95 of a hundred are nearer than so many deviations, also with the fewest runs. Further out there is nothing to be
/// learnt but how slow a simulation can be.
const FURTHEST: f64 = 5.0;

/// Logarithms of factors: how they are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    #[serde(deserialize_with = "with_null_for_none")]
    pub(super) mean: f64,
    #[serde(deserialize_with = "with_null_for_none")]
    pub(super) deviation: f64,
    pub(super) count: usize,
}

/// JSON has no word for what is no number.
fn with_null_for_none<'de, D: Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    Option::deserialize(number).map(|number| number.unwrap_or(f64::NAN))
}

// === impl Spread ===

impl Spread {
    pub(super) fn of(factors: impl Iterator<Item = f64>) -> Self {
        let all: Vec<f64> = factors.map(libm::log).filter(|log| log.is_finite()).collect();
        let count = all.len();
        let mean = all.iter().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = all.iter().map(|log| (log - mean) * (log - mean)).sum();
        let deviation = libm::sqrt(squares / count.saturating_sub(1).max(1) as f64);
        Self { mean, deviation: deviation.max(FINEST), count }
    }

    /// The factor in the middle.
    pub fn middle(&self) -> f64 {
        libm::exp(self.mean)
    }

    /// How far one more may be from the middle.
    pub(super) fn one_more(&self, dice: &mut Dice) -> f64 {
        self.off((self.drawn(dice) * dice.normal()).clamp(-FURTHEST, FURTHEST))
    }

    /// How far the middle itself may be off.
    pub(super) fn of_the_middle(&self, dice: &mut Dice) -> f64 {
        self.deviation * dice.normal() / libm::sqrt(self.count.max(1) as f64)
    }

    /// What so few values may be of: where more of them would lie.
    pub(super) fn one_of_those(&self, dice: &mut Dice) -> Self {
        let deviation = self.deviation * self.drawn(dice).min(FURTHEST);
        let spread = Self { deviation, ..*self };
        Self { mean: self.mean + spread.of_the_middle(dice), ..spread }
    }

    /// How many times larger its deviation may be, by so few values.
    fn drawn(&self, dice: &mut Dice) -> f64 {
        dice.deviation(self.count.saturating_sub(1).max(1) as u32)
    }

    /// The same, of seconds, as a distribution.
    pub(super) fn one_more_in_seconds(&self) -> Distribution {
        let [median, p99] = [self.middle(), self.off(NINETY_NINE)].map(Duration::from_secs_f64);
        Distribution::LogNormal { median, p99 }
    }

    /// A distribution about as spread as these.
    pub(super) fn of_times(times: &[Duration]) -> Distribution {
        if times.iter().all(Duration::is_zero) {
            return Distribution::default();
        }
        Self::of(times.iter().map(Duration::as_secs_f64)).one_more_in_seconds()
    }

    /// One more that is so many deviations from the middle.
    fn off(&self, deviations: f64) -> f64 {
        let wider = libm::sqrt(1.0 + 1.0 / self.count.max(1) as f64);
        libm::exp((self.mean + self.deviation * wider * deviations).min(SLOWEST))
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::random::Stream;

    use super::*;

    /// One more of few values is where as many of them would be.
    #[test]
    fn one_more_run_is_as_far_off_as_few_runs_can_tell() {
        let spread = Spread::of([0.8, 1.0, 1.25].into_iter());
        assert!((spread.middle() - 1.0).abs() < 1e-9, "{spread:?}");
        let mut dice = Dice::new(7, Stream::Machine);
        let mut all: Vec<f64> = (0..10_000).map(|_| spread.one_more(&mut dice)).collect();
        all.sort_unstable_by(f64::total_cmp);
        // Student's t with two degrees of freedom: 97.5 % lie below 4.303.
        let end = libm::exp(libm::log(1.25) * 4.303 * libm::sqrt(4.0 / 3.0));
        assert!((all[9_750] / end - 1.0).abs() < 0.1, "{} instead of {end}", all[9_750]);
        assert!((all[250] * end - 1.0).abs() < 0.1, "{} instead of {}", all[250], 1.0 / end);
    }

    #[test]
    fn what_one_start_took_is_not_what_most_take() {
        let seconds = [0.9, 1.0, 1.1, 0.95, 1.05, 1.0, 2.9];
        let Distribution::LogNormal { median, p99 } =
            Spread::of(seconds.into_iter()).one_more_in_seconds()
        else {
            panic!("starts are log-normal");
        };
        let [median, p99] = [median, p99].map(|time| time.as_secs_f64());
        assert!((1.0..1.3).contains(&median) && (2.9..4.0).contains(&p99), "{median} {p99}");
    }
}
