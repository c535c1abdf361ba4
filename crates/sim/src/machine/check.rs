//! What was written by whoever knows, and what has become of it: a machine that there cannot be is refused by the
//! name of its value.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use seaworthy_core::fleet::LONGEST;

use super::{Calibration, Distribution, Pace, Spread};
use crate::world::MOST_CROWDED;

/// No factor is larger than e to the power of that, nor smaller.
const LARGEST: f64 = 20.0;

/// Nor is one kind of request more work than all, nor less.
const LARGEST_FACTOR: f64 = 1e6;

const MOST_RUNS: usize = 10_000;

// === impl Calibration ===

impl Calibration {
    /// Whether there can be such a machine, on which just these services were; if not, which value is wrong and
    /// what is allowed.
    pub fn check(&self, services: &[&str]) -> Result<(), String> {
        self.median.check("median")?;
        self.p99.check("p99")?;
        self.stall.check("stall")?;
        within("median.count", self.median.count, self.each.len().max(1)..=MOST_RUNS)?;
        for (n, both) in self.each.iter().enumerate() {
            for (place, log) in both.iter().enumerate() {
                within(format_args!("each[{n}][{place}]"), *log, -LARGEST..=LARGEST)?;
            }
        }
        within("prepare", self.prepare, Duration::ZERO..=LONGEST)?;
        within("every", self.every, Duration::from_millis(1)..=LONGEST)?;
        for (name, start) in &self.starts {
            if !services.contains(&name.as_str()) {
                let services = services.join(", ");
                return Err(format!("starts.{name}: is no service; allowed is one of {services}"));
            }
            distribution(&format!("starts.{name}"), *start)?;
        }
        distribution("start", self.entry_start.unwrap_or_default())?;
        for (n, pace) in self.flows.iter().enumerate() {
            pace.check(&format!("flows[{n}]"))?;
        }
        let physics = &self.physics;
        within("physics.hop", physics.hop, Duration::ZERO..=LONGEST)?;
        within("physics.link.loss", physics.link.loss, 0.0..=1.0)?;
        within("physics.crowd", physics.crowd, 0.0..=MOST_CROWDED)?;
        distribution("physics.link.latency", physics.link.latency)?;
        within("physics.first", physics.first, Duration::ZERO..=LONGEST)?;
        distribution("physics.late", physics.late)?;
        within("physics.tick", physics.tick, Duration::ZERO..=LONGEST)?;
        distribution("physics.write", physics.write)?;
        distribution("physics.spawn", physics.spawn)?;
        distribution("physics.end", physics.end)?;
        distribution("physics.lag", physics.lag)
    }
}

// === impl Pace ===

impl Pace {
    fn check(&self, key: &str) -> Result<(), String> {
        let factors = 1.0 / LARGEST_FACTOR..=LARGEST_FACTOR;
        within(format_args!("{key}.median"), self.median, factors.clone())?;
        within(format_args!("{key}.p99"), self.p99, factors)
    }
}

// === impl Spread ===

impl Spread {
    fn check(&self, key: &str) -> Result<(), String> {
        within(format_args!("{key}.mean"), self.mean, -LARGEST..=LARGEST)?;
        within(format_args!("{key}.deviation"), self.deviation, 0.0..=LARGEST)?;
        within(format_args!("{key}.count"), self.count, 1..=MOST_RUNS)
    }
}

fn distribution(key: &str, distribution: Distribution) -> Result<(), String> {
    match distribution {
        Distribution::Constant(time) | Distribution::Exponential(time) => {
            within(key, time, Duration::ZERO..=LONGEST)
        }
        Distribution::Uniform(shortest, longest) => {
            within(format_args!("{key}.uniform[2]"), longest, Duration::ZERO..=LONGEST)?;
            within(format_args!("{key}.uniform[1]"), shortest, Duration::ZERO..=longest)
        }
        Distribution::LogNormal { median, p99 } => {
            within(format_args!("{key}.log_normal.p99"), p99, Duration::from_nanos(1)..=LONGEST)?;
            let median_key = format_args!("{key}.log_normal.median");
            within(median_key, median, Duration::from_nanos(1)..=p99)
        }
    }
}

/// What is no number is nowhere.
fn within<T: PartialOrd + Copy + Debug>(
    key: impl Display,
    value: T,
    allowed: RangeInclusive<T>,
) -> Result<(), String> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let (low, high) = allowed.into_inner();
    Err(format!("{key}: {value:?} is out of range; allowed is {low:?} to {high:?}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const KNOWN: &str = r#"
        median = { mean = 0.0, deviation = 0.1, count = 5 }
        p99 = { mean = 0.2, deviation = 0.3, count = 5 }
        stall = { mean = -6.5, deviation = 1.5, count = 5 }
        each = []
        every = "10s"
        prepare = "60ms"
        start = { uniform = ["40ms", "80ms"] }
        starts.back = { uniform = ["50ms", "60ms"] }
        [physics]
        hop = "40us"
        link = { latency = { constant = "200us" }, loss = 0.0 }
        crowd = 0.4
        late = { exponential = "700us" }
        tick = "1ms"
        first = "2ms"
        write = { log_normal = { median = "1ms", p99 = "4ms" } }
    "#;

    #[test]
    fn a_machine_that_cannot_be_is_refused() {
        let cases = [
            ("0.1", "1e6", "median.deviation: 1000000.0"),
            ("each = []", "each = [[0.1, 0.2], [21.0, 0.0]]", "each[1][0]: 21.0"),
            ("0.3", "-0.3", "p99.deviation: -0.3"),
            ("0.2", "inf", "p99.mean: inf"),
            ("-6.5", "nan", "stall.mean: NaN"),
            ("count = 5", "count = 0", "median.count: 0"),
            ("10s", "0s", "every: 0ns"),
            ("60ms", "2h", "prepare: 7200s"),
            ("40ms", "90ms", "start.uniform[1]: 90ms"),
            ("80ms", "2h", "start.uniform[2]: 7200s"),
            ("50ms", "61ms", "starts.back.uniform[1]: 61ms"),
            ("loss = 0.0", "loss = 1.5", "physics.link.loss: 1.5"),
            ("crowd = 0.4", "crowd = -1.0", "physics.crowd: -1.0"),
            ("700us", "1day", "physics.late: 86400s"),
            ("2ms", "2h", "physics.first: 7200s"),
            ("tick = \"1ms\"", "tick = \"2h\"", "physics.tick: 7200s"),
            ("\"1ms\", p99", "\"5ms\", p99", "physics.write.log_normal.median: 5ms"),
        ];
        let check =
            |text: &str| toml::from_str::<Calibration>(text).unwrap().check(&["back", "front"]);
        assert_eq!(check(KNOWN), Ok(()));
        let told = "starts.bach: is no service; allowed is one of back, front";
        assert_eq!(check(&KNOWN.replace("back", "bach")), Err(told.to_owned()));
        for (from, to, refused) in cases {
            let told = check(&KNOWN.replacen(from, to, 1)).expect_err(refused);
            let expected = format!("{refused} is out of range; allowed is ");
            assert!(told.starts_with(&expected), "{told}, and not {expected}");
        }
    }
}
