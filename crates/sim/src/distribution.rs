//! How long things take: draws from distributions.

use std::time::Duration;

pub use seaworthy_core::experiment::model::Distribution;
use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

/// 99 % of a normal distribution lie below so many standard deviations.
pub(crate) const NINETY_NINE: f64 = 2.326_347_874_040_841;

/// All but one in a billion lie below so many,
const ALL_BUT_ONE: f64 = 5.997_807_015_007_686;
/// and the logarithm of a billion, for what is exponential.
pub(crate) const LN_BILLION: f64 = 20.723_265_836_946_41;

/// The median and the 99th percentile.
pub(crate) fn quantiles(distribution: Distribution) -> [Duration; 2] {
    match distribution {
        Distribution::Constant(duration) => [duration; 2],
        Distribution::Uniform(low, high) => {
            [0.5, 0.99].map(|share| low + high.saturating_sub(low).mul_f64(share))
        }
        Distribution::Exponential(mean) => {
            [2.0, 100.0].map(|one_in| mean.mul_f64(libm::log(one_in)))
        }
        Distribution::LogNormal { median, p99 } => [median, p99],
    }
}

/// More seconds than that are drawn once in a billion times at most.
pub(crate) fn hardly_ever_above(distribution: Distribution) -> f64 {
    match distribution {
        Distribution::Constant(time) | Distribution::Uniform(_, time) => time.as_secs_f64(),
        Distribution::Exponential(mean) => mean.as_secs_f64() * LN_BILLION,
        Distribution::LogNormal { median, p99 } => {
            let (median, p99) = (median.as_secs_f64(), p99.as_secs_f64());
            median * libm::pow(p99 / median, ALL_BUT_ONE / NINETY_NINE)
        }
    }
}

/// Draws by seed and ordinal: the same on any machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    seed: u64,
    stream: Stream,
    next: u64,
    /// The last log-normal distribution that was drawn from: mostly it is the next one, too.
    last: LogNormal,
}

/// What is reckoned with where logarithms are normal.
#[derive(Clone, Copy, Debug, Default)]
struct LogNormal {
    median: Duration,
    p99: Duration,
    /// The median in nanoseconds,
    nanos: f64,
    /// and the deviation of the logarithms.
    sigma: f64,
}

// === impl Dice ===

impl Dice {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        Self { seed, stream, next: 0, last: LogNormal::default() }
    }

    /// In `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.next += 1;
        unit(self.seed, self.stream, self.next)
    }

    /// Some part of this time. Of none it is none, and nothing is drawn.
    pub(crate) fn part_of(&mut self, time: Duration) -> Duration {
        if time.is_zero() { time } else { time.mul_f64(self.unit()) }
    }

    /// Whether something happens that has this chance.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.unit() < share
    }

    /// One of these, each equally likely. There is at least one.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.unit() * all.len() as f64) as usize]
    }

    /// A whole number between these, both included.
    pub(crate) fn between(&mut self, lowest: u32, highest: u32) -> u32 {
        lowest + (self.unit() * f64::from(highest - lowest + 1)) as u32
    }

    pub(crate) fn duration(&mut self, distribution: Distribution) -> Duration {
        match distribution {
            Distribution::Constant(duration) => duration,
            Distribution::Uniform(shortest, longest) => {
                let span = nanos(longest) - nanos(shortest);
                shortest + Duration::from_nanos((self.unit() * span.max(0.0)) as u64)
            }
            Distribution::Exponential(mean) => {
                Duration::from_nanos((-libm::log(1.0 - self.unit()) * nanos(mean)) as u64)
            }
            Distribution::LogNormal { median, p99 } => self.log_normal(median, p99),
        }
    }

    fn log_normal(&mut self, median: Duration, p99: Duration) -> Duration {
        if (self.last.median, self.last.p99) != (median, p99) {
            self.last = LogNormal::new(median, p99);
        }
        let LogNormal { nanos, sigma, .. } = self.last;
        Duration::from_nanos((nanos * self.factor(sigma)) as u64)
    }

    /// Log-normal, with median 1: how far its logarithm is from 0 is by this deviation.
    pub(crate) fn factor(&mut self, deviation: f64) -> f64 {
        libm::exp(deviation * self.normal())
    }

    /// How many times larger a deviation is than that of few values, with so many degrees of freedom, 1 at least: by the
    /// mean of so many squares of normal draws. Times a normal one it is Student's t.
    pub(crate) fn deviation(&mut self, freedom: u32) -> f64 {
        let squares: f64 = (0..freedom).map(|_| self.normal()).map(|normal| normal * normal).sum();
        libm::sqrt(f64::from(freedom) / squares)
    }

    /// Normal, with mean 0 and deviation 1: Box and Muller's transform, of which only one half is used.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }
}

// === impl LogNormal ===

impl LogNormal {
    fn new(median: Duration, p99: Duration) -> Self {
        let sigma = libm::log(nanos(p99) / nanos(median)) / NINETY_NINE;
        Self { median, p99, nanos: nanos(median), sigma }
    }
}

/// Centuries are enough: a processor makes a float of 64 bits by itself, and of more it does not.
fn nanos(duration: Duration) -> f64 {
    (Instant::EPOCH + duration).as_nanos() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(distribution: Distribution) -> Vec<Duration> {
        let mut dice = Dice::new(7, Stream::Service);
        let mut all: Vec<_> = (0..100_000).map(|_| dice.duration(distribution)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn hardly_anything_is_above_what_hardly_ever_is() {
        let millis = Duration::from_millis;
        let near = |distribution, seconds: f64| {
            let above = hardly_ever_above(distribution);
            assert!((above / seconds - 1.0).abs() < 0.001, "{above} is not {seconds}");
            assert!(sorted(distribution)[99_999].as_secs_f64() <= above);
        };
        near(Distribution::Constant(millis(3)), 0.003);
        near(Distribution::Uniform(millis(60), millis(90)), 0.09);
        near(Distribution::Exponential(millis(10)), 0.207_23);
        near(Distribution::LogNormal { median: millis(100), p99: millis(400) }, 3.566);
    }

    /// The standard error of each figure here is below half a percent.
    #[test]
    fn each_distribution_has_the_figures_it_is_named_for() {
        let millis = Duration::from_millis;
        let near = |is: Duration, meant: Duration| {
            let ratio = is.as_secs_f64() / meant.as_secs_f64();
            assert!((0.97..1.03).contains(&ratio), "{is:?} is not {meant:?}");
        };
        let mean = |all: &[Duration]| all.iter().sum::<Duration>() / all.len() as u32;
        let normal = sorted(Distribution::LogNormal { median: millis(10), p99: millis(80) });
        near(normal[50_000], millis(10));
        near(normal[99_000], millis(80));
        near(mean(&sorted(Distribution::Exponential(millis(10)))), millis(10));
        let uniform = sorted(Distribution::Uniform(millis(60), millis(90)));
        near(mean(&uniform), millis(75));
        assert!(uniform[0] >= millis(60) && uniform[99_999] <= millis(90));
        assert_eq!(sorted(Distribution::Constant(millis(3)))[0], millis(3));
    }
}
