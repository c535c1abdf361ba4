//! A breaker as written.

use std::time::Duration;

use serde::Deserialize;

use crate::fleet::ConfigError;
use crate::fleet::range::{duration, duration_or_zero, number};
use crate::fleet::written::{Number, Written};
use crate::policy::breaker::{Config, Mode, Opening, Ramp, Slow, Trials, Window};

/// `[service.NAME.breaker]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RawBreaker {
    enabled: Option<bool>,
    mode: Option<Mode>,
    window: Option<Written>,
    window_calls: Option<Number>,
    minimum_calls: Option<Number>,
    failure_percent: Option<Number>,
    slow_threshold: Option<Written>,
    slow_percent: Option<Number>,
    slow_minimum_calls: Option<Number>,
    open: Option<Written>,
    longest_open: Option<Written>,
    jitter_percent: Option<Number>,
    trials: Option<Number>,
    trial_lease: Option<Written>,
    ramp: Option<Written>,
    ramp_floor_percent: Option<Number>,
}

const MOST_CALLS: u32 = 1_000_000;

// === impl RawBreaker ===

impl RawBreaker {
    /// None if it is switched off.
    pub(crate) fn read(&self) -> Result<Option<Config>, ConfigError> {
        let Config { minimum_calls, failure_percent, ramp, mode, .. } = Config::default();
        let floor = ramp.floor_percent;
        let config = Config {
            window: self.read_window()?,
            minimum_calls: number(
                "minimum_calls",
                self.minimum_calls,
                minimum_calls,
                1..=MOST_CALLS,
            )?,
            failure_percent: number(
                "failure_percent",
                self.failure_percent,
                failure_percent,
                1..=100,
            )?,
            slow: self.read_slow(minimum_calls)?,
            open: self.read_opening()?,
            trials: self.read_trials()?,
            ramp: Ramp {
                length: duration_or_zero("ramp", self.ramp, ramp.length)?,
                floor_percent: number(
                    "ramp_floor_percent",
                    self.ramp_floor_percent,
                    floor,
                    0..=100,
                )?,
            },
            mode: self.mode.unwrap_or(mode),
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }

    fn read_window(&self) -> Result<Window, ConfigError> {
        match (self.window, self.window_calls) {
            (None, None) => Ok(Config::default().window),
            (length @ Some(_), None) => {
                duration("window", length, Duration::ZERO).map(Window::Time)
            }
            (None, calls @ Some(_)) => {
                number("window_calls", calls, 0, 1..=MOST_CALLS).map(Window::Calls)
            }
            (Some(_), Some(_)) => {
                let problem = "is given beside `window`; allowed is just one of them";
                Err(ConfigError::new("window_calls", problem))
            }
        }
    }

    fn read_slow(&self, minimum: u32) -> Result<Option<Slow>, ConfigError> {
        if self.slow_threshold.is_some() {
            return Ok(Some(Slow {
                threshold: duration("slow_threshold", self.slow_threshold, Duration::ZERO)?,
                percent: number("slow_percent", self.slow_percent, 50, 1..=100)?,
                minimum_calls: number(
                    "slow_minimum_calls",
                    self.slow_minimum_calls,
                    minimum,
                    1..=MOST_CALLS,
                )?,
            }));
        }
        let others =
            [("slow_percent", self.slow_percent), ("slow_minimum_calls", self.slow_minimum_calls)];
        match others.into_iter().find(|(_, given)| given.is_some()) {
            None => Ok(None),
            Some((key, _)) => {
                let problem = "means nothing without `slow_threshold`; allowed is both";
                Err(ConfigError::new(key, problem))
            }
        }
    }

    fn read_opening(&self) -> Result<Opening, ConfigError> {
        let Opening { first, longest, jitter_percent } = Config::default().open;
        let first = duration("open", self.open, first)?;
        Ok(Opening {
            first,
            // Left out, it is no shorter than the first open time that is given.
            longest: duration("longest_open", self.longest_open, longest.max(first))?,
            jitter_percent: number("jitter_percent", self.jitter_percent, jitter_percent, 0..=100)?,
        })
    }

    fn read_trials(&self) -> Result<Trials, ConfigError> {
        let Trials { calls, lease } = Config::default().trials;
        Ok(Trials {
            calls: number("trials", self.trials, calls, 1..=1000)?,
            lease: duration("trial_lease", self.trial_lease, lease)?,
        })
    }
}
