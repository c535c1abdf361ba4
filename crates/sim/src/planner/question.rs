//! What is asked, and of what world.

use std::fmt::Display;

use seaworthy_core::fleet::{ConfigError, Service};

use super::Evidence;
use crate::availability::Span;

/// What is asked of the planner.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// As the fleet file has it.
    pub service: &'a Service,
    /// The percentage of requests that must succeed: above 0 and below 100.
    pub target: f64,
    /// Requests per second that come, if that is known.
    pub load: Option<f64>,
    /// Requests per second that one task can bear, if that is known.
    pub capacity: Option<f64>,
    /// What one task costs a month, in whatever is paid.
    pub price: f64,
    /// What is taken for granted.
    pub world: World,
    /// What drills have measured; it takes the place of what is taken for granted.
    pub evidence: Option<Evidence>,
    /// From which the simulation draws.
    pub seed: u64,
}

/// What is taken for granted of tasks and of whoever uses them.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Seconds to the failure of one task, on average.
    pub mttf: f64,
    /// The percentage of all failures that take every task at once.
    pub common_percent: f64,
    /// The percentage of failures in which a task hangs instead of dying.
    pub hangs_percent: f64,
    /// The percentage of failures in which a task fails its requests and passes its checks.
    pub sick_percent: f64,
    /// Seconds until somebody stops such a task, if requests do not tell of it.
    pub noticed: f64,
    /// The percentage of requests that may not be sent twice.
    pub writes_percent: f64,
    /// Seconds that an answer takes.
    pub latency: f64,
    /// Seconds after which an answer comes too late.
    pub patience: f64,
    /// Seconds from the start of a task's process to its readiness.
    pub start: Span,
    /// Deployments a month.
    pub deployments: f64,
}

/// No service has more tasks.
pub(super) const MOST_TASKS: u32 = 100;

// === impl Question ===

impl Question<'_> {
    /// Says what of it cannot be meant.
    pub fn check(&self) -> Result<(), ConfigError> {
        let World {
            mttf,
            common_percent,
            hangs_percent,
            sick_percent,
            noticed,
            writes_percent,
            latency,
            patience,
            start,
            deployments,
        } = self.world;
        let target = |value: f64| value > 0.0 && value < 100.0;
        within("--target", self.target, target, "above 0 % and below 100 %: no fleet never fails")?;
        let count = f64::from(self.service.cluster.desired_count);
        within("desired_count", count, |count| count > 0.0, "1 to 100, to reckon from")?;
        let positive = |value: f64| value > 0.0;
        let allowed = "a number above 0";
        let rates = [("--load", self.load), ("--capacity", self.capacity)];
        for (key, value) in rates.iter().filter_map(|(key, value)| Some((key, (*value)?))) {
            within(key, value, positive, allowed)?;
        }
        within("--mttf", mttf, positive, "any time above 0, such as 30d")?;
        within("--latency", latency, positive, "any time above 0, such as 100ms")?;
        let beyond = format_args!("any time longer than --latency, {latency} s");
        within("--patience", patience, |value| value > latency, beyond)?;
        within("--noticed", noticed, positive, "any time above 0, such as 15min")?;
        let not_negative = |value: f64| value >= 0.0;
        within("--price", self.price, not_negative, "0 or more")?;
        within("--deployments", deployments, not_negative, "0 or more a month")?;
        within("--start", start.0, |low| low <= start.1, "a time, or a span from short to long")?;
        let percent = |value: f64| (0.0..=100.0).contains(&value);
        for (key, value) in [
            ("--common-cause", common_percent),
            ("--hangs", hangs_percent),
            ("--sick", sick_percent),
            ("--writes", writes_percent),
        ] {
            within(key, value, percent, "0 % to 100 %")?;
        }
        let both = hangs_percent + sick_percent;
        within("--hangs and --sick", both, percent, "0 % to 100 % together")?;
        self.check_load()
    }

    fn check_load(&self) -> Result<(), ConfigError> {
        let Some(load) = self.load else {
            let problem = "means nothing without --load; allowed is both";
            return self.capacity.map_or(Ok(()), |_| Err(ConfigError::new("--capacity", problem)));
        };
        let Some(needed) = self.demand() else { return Ok(()) };
        if needed.ceil() <= f64::from(MOST_TASKS) {
            return Ok(());
        }
        let problem = format!(
            "{load} requests a second need {} tasks, and a service has at most {MOST_TASKS}; allowed is \
             up to {} a second, or a larger --capacity",
            needed.ceil(),
            f64::from(MOST_TASKS) * load / needed
        );
        Err(ConfigError::new("--load", problem))
    }

    /// Tasks that the load needs.
    pub fn needed(&self) -> u32 {
        self.demand().map_or(1, |demand| (demand.ceil() as u32).max(1))
    }

    /// What comes, in what one task can bear; none if that is not known.
    pub fn demand(&self) -> Option<f64> {
        Some(self.load? / self.bears()?)
    }

    /// Requests per second that one task can bear: as given, or by what it may have in flight.
    pub(super) fn bears(&self) -> Option<f64> {
        let in_flight = self.service.balancing.most_in_flight;
        self.capacity.or_else(|| in_flight.map(|most| f64::from(most) / self.world.latency))
    }

    /// The share of requests that may fail.
    pub fn tolerated(&self) -> f64 {
        1.0 - self.target / 100.0
    }

    /// How long a task's own start takes: as measured, or as taken for granted.
    pub(super) fn start(&self) -> Span {
        let measured = self.evidence.as_ref().and_then(|evidence| evidence.starts().span());
        measured.unwrap_or(self.world.start)
    }
}

fn within(
    key: &str,
    value: f64,
    allowed: impl Fn(f64) -> bool,
    words: impl Display,
) -> Result<(), ConfigError> {
    if value.is_finite() && allowed(value) {
        return Ok(());
    }
    Err(ConfigError::new(key, format_args!("{value} is out of range; allowed is {words}")))
}
