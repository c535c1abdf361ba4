//! From cycles to an estimate with its interval.

use std::fmt;

/// A value and how well it is known: with 95 % confidence it lies within `half_width` of `value`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Half of the width of the 95 % interval. None if too little was seen for one.
    pub half_width: Option<f64>,
}

/// Of 95 % of a normal distribution, in standard deviations.
const NORMAL_95: f64 = 1.959_963_984_540_054;
/// From fewer repeats, or cycles with an outage, there is no interval: their sum is not yet near a
/// normal one.
const ENOUGH: u64 = 30;

/// Sums of pairs: what a cycle counted, and how long it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    count: u64,
    /// Cycles in which something was counted.
    seen: u64,
    y: f64,
    t: f64,
    yy: f64,
    tt: f64,
    yt: f64,
}

// === impl Interval ===

impl Interval {
    /// The mean of what independent repeats gave, of which there is at least one.
    pub fn of_mean(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|one| (one - value) * (one - value)).sum();
        let half_width = NORMAL_95 * (squares / (n - 1.0) / n).sqrt();
        let enough = values.len() as u64 >= ENOUGH;
        Self { value, half_width: enough.then_some(half_width) }
    }

    /// Whether the interval includes it. One that is not known includes nothing.
    pub fn covers(&self, truth: f64) -> bool {
        self.half_width.is_some_and(|half| (self.value - truth).abs() <= half)
    }

    /// Such a part of it.
    pub(crate) fn part(self, part: f64) -> Self {
        Self { value: self.value * part, half_width: self.half_width.map(|half| half * part) }
    }

    /// The sum with one that may be wrong in the same way.
    pub(crate) fn and(self, other: Self) -> Self {
        let half_width = self.half_width.zip(other.half_width).map(|(one, other)| one + other);
        Self { value: self.value + other.value, half_width }
    }

    /// The half-width as a share of the value.
    pub fn relative(&self) -> Option<f64> {
        self.half_width.map(|half| half / self.value)
    }
}

/// `3.0e-7 +- 4.8 %`
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.relative() {
            Some(relative) => write!(f, "{:.3e} +- {:.1} %", self.value, relative * 100.0),
            None => write!(f, "{:.3e}, too few outages for an interval", self.value),
        }
    }
}

// === impl Sums ===

impl Sums {
    pub(super) fn add(&mut self, y: f64, t: f64) {
        self.count += 1;
        self.seen += u64::from(y > 0.0);
        self.y += y;
        self.t += t;
        self.yy += y * y;
        self.tt += t * t;
        self.yt += y * t;
    }

    /// What was counted per unit of time, when each cycle tells both.
    pub(super) fn ratio(&self) -> Interval {
        let (n, ratio) = (self.count as f64, self.y / self.t);
        let [yy, tt, yt] = [self.variance_y(), self.variance_t(), self.covariance()];
        let variance = (yy - 2.0 * ratio * yt + ratio * ratio * tt) / n;
        self.interval(ratio, variance, self.t / n)
    }

    /// The same, when other cycles tell the time.
    pub(super) fn over(&self, times: &Self) -> Interval {
        let (n, m) = (self.count as f64, times.count as f64);
        let mean = times.t / m;
        let ratio = self.y / n / mean;
        let variance = self.variance_y() / n + ratio * ratio * times.variance_t() / m;
        self.interval(ratio, variance, mean)
    }

    fn interval(&self, value: f64, variance: f64, mean_time: f64) -> Interval {
        let half_width = NORMAL_95 * variance.max(0.0).sqrt() / mean_time;
        Interval { value, half_width: (self.seen >= ENOUGH).then_some(half_width) }
    }

    fn variance_y(&self) -> f64 {
        self.central(self.yy, self.y * self.y)
    }

    fn variance_t(&self) -> f64 {
        self.central(self.tt, self.t * self.t)
    }

    fn covariance(&self) -> f64 {
        self.central(self.yt, self.y * self.t)
    }

    /// `(Σab − ΣaΣb/n) / (n − 1)`
    fn central(&self, products: f64, product: f64) -> f64 {
        let n = self.count as f64;
        (products - product / n) / (n - 1.0)
    }
}
