//! Looks for settings that cannot work, or hardly mean what they say.

use std::time::Duration;

use super::{Config, Finding, Starvation, time_to_trip};
use crate::policy::breaker::{self, Mode, Window};
use crate::policy::{adaptive, bulkhead};

/// A breaker that takes longer is called late: a user has left by then.
const LATE: Duration = Duration::from_secs(60);

/// Looks for what cannot work and for what is likely wrong. With the calls a second, if known, it
/// finds more.
pub fn check(config: &Config, rate: Option<f64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.timeout == Some(Duration::ZERO) {
        findings.push(Finding::Zero { setting: "timeout" });
    }
    if let Some(breaker) = &config.breaker {
        findings.extend(breaker_ranges(breaker));
    }
    if let Some(bulkhead) = &config.bulkhead {
        findings.extend(bulkhead_ranges(bulkhead));
    }
    // The arithmetic is about settings that mean something.
    if findings.is_empty()
        && let Some(breaker) = &config.breaker
    {
        findings.extend(together(config, breaker));
        findings.extend(opening(config, breaker, rate));
    }
    findings
}

fn in_range(setting: &'static str, given: u32, least: u32, most: u32) -> Option<Finding> {
    let outside = !(least..=most).contains(&given);
    outside.then_some(Finding::OutOfRange { setting, given, least, most })
}

fn breaker_ranges(breaker: &breaker::Config) -> impl Iterator<Item = Finding> {
    let zero = |setting, time: Duration| time.is_zero().then_some(Finding::Zero { setting });
    let breaker::Opening { first, longest, jitter_percent } = breaker.open;
    let window = match breaker.window {
        Window::Calls(calls) => in_range("window", calls, 1, 1_000_000),
        Window::Time(length) => zero("window", length),
    };
    let slow = breaker.slow.map(|slow| {
        [
            in_range("slow percent", slow.percent, 1, 100),
            in_range("slow minimum_calls", slow.minimum_calls, 1, u32::MAX),
        ]
    });
    let others = [
        window,
        in_range("minimum_calls", breaker.minimum_calls, 1, u32::MAX),
        in_range("failure_percent", breaker.failure_percent, 1, 100),
        zero("open time", first),
        (first > longest).then_some(Finding::OpenTimes { first, longest }),
        in_range("jitter_percent", jitter_percent, 0, 100),
        in_range("trials", breaker.trials.calls, 1, 1000),
        zero("trial lease", breaker.trials.lease),
        in_range("ramp floor_percent", breaker.ramp.floor_percent, 0, 100),
    ];
    others.into_iter().chain(slow.into_iter().flatten()).flatten()
}

fn bulkhead_ranges(bulkhead: &bulkhead::Config) -> Vec<Finding> {
    match bulkhead {
        bulkhead::Config::Fixed(size) => {
            in_range("bulkhead", *size, 1, u32::MAX).into_iter().collect()
        }
        bulkhead::Config::Adaptive(config) => {
            let adaptive::Config { initial, smallest, largest, .. } = *config;
            let findings = [
                in_range("smallest bulkhead", smallest, 1, largest),
                in_range("initial bulkhead", initial, smallest, largest),
                in_range("tolerance_percent", config.tolerance_percent, 100, 1000),
                in_range("smoothing_percent", config.smoothing_percent, 1, 100),
                in_range("backoff_percent", config.backoff_percent, 50, 99),
            ];
            findings.into_iter().flatten().collect()
        }
    }
}

/// Settings that do not go together, whatever the rate.
fn together(config: &Config, breaker: &breaker::Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Window::Calls(window) = breaker.window
        && breaker.minimum_calls > window
    {
        findings.push(Finding::MinimumAboveWindow { minimum: breaker.minimum_calls, window });
    }
    let Some(timeout) = config.timeout else {
        findings.push(Finding::NoTimeout);
        return findings;
    };
    if let Some(slow) = breaker.slow.filter(|slow| slow.threshold >= timeout) {
        findings.push(Finding::SlowIsTooLate { threshold: slow.threshold, timeout });
    }
    let lease = breaker.trials.lease;
    if lease < timeout {
        findings.push(Finding::ShortLease { lease, timeout });
    }
    findings
}

/// Whether, and when, the breaker opens when calls hang.
fn opening(config: &Config, breaker: &breaker::Config, rate: Option<f64>) -> Option<Finding> {
    let timeout = config.timeout?;
    if matches!(breaker.mode, Mode::ForcedOpen | Mode::ForcedClosed) {
        return None;
    }
    if let (Window::Time(window), Some(rate)) = (breaker.window, rate) {
        let minimum = least_minimum(breaker);
        if window.as_secs_f64() * rate < f64::from(minimum) {
            return Some(Finding::TooFewCalls { rate, window, minimum });
        }
    }
    let starved = starvation(config, breaker, timeout);
    if let Some(starved) = starved.filter(|starved| starved.window <= timeout) {
        return Some(Finding::Starved(starved));
    }
    match rate {
        None => starved.map(Finding::NeedsThePast).or_else(|| opens_late(config, breaker, timeout)),
        Some(per_second) => match time_to_trip(config, per_second) {
            None => Some(Finding::NeverOpens { rate: per_second }),
            Some(_) if starved.is_some() => starved.map(Finding::NeedsThePast),
            Some(after) => (after > LATE).then_some(Finding::OpensLate { after, rate }),
        },
    }
}

/// The smaller of both rules' minimums: either may open the breaker.
fn least_minimum(breaker: &breaker::Config) -> u32 {
    breaker.slow.map_or(breaker.minimum_calls, |slow| slow.minimum_calls.min(breaker.minimum_calls))
}

/// A permit gives at most one outcome in each timeout that the window has begun.
fn starvation(config: &Config, breaker: &breaker::Config, timeout: Duration) -> Option<Starvation> {
    let Window::Time(window) = breaker.window else { return None };
    let (permits, minimum) = (config.bulkhead.as_ref()?.largest(), least_minimum(breaker));
    let turns = window.as_nanos().div_ceil(timeout.as_nanos().max(1));
    let outcomes = u64::from(permits) * u64::try_from(turns).unwrap_or(u64::MAX);
    let starved = outcomes < u64::from(minimum);
    starved.then_some(Starvation { permits, timeout, window, outcomes, minimum })
}

/// A full bulkhead gives its outcomes in rounds, at whatever rate calls come.
fn opens_late(config: &Config, breaker: &breaker::Config, timeout: Duration) -> Option<Finding> {
    let percent = breaker.slow.map_or(100, |slow| slow.percent).min(breaker.failure_percent);
    let failures = match breaker.window {
        Window::Calls(calls) => (u64::from(calls) * u64::from(percent)).div_ceil(100),
        Window::Time(_) => 1,
    };
    let permits = config.bulkhead.as_ref().map_or(u64::MAX, |b| u64::from(b.largest()));
    let rounds = u32::try_from(failures.div_ceil(permits)).unwrap_or(u32::MAX);
    let after = timeout.saturating_mul(rounds);
    (after > LATE).then_some(Finding::OpensLate { after, rate: None })
}
