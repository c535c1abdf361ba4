//! How a breaker is set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a breaker opens, for how long, and how it closes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Which outcomes count.
    pub window: Window,
    /// No verdict before so many outcomes are in the window, at least 1. A window of fewer calls
    /// is judged when it is full.
    pub minimum_calls: u32,
    /// Opens when so large a share of the window has failed, or a larger one: 1 to 100.
    pub failure_percent: u32,
    /// When slowness counts, if it does.
    pub slow: Option<Slow>,
    /// For how long it stays open.
    pub open: Opening,
    /// How it finds out that the service is back.
    pub trials: Trials,
    /// How calls come back after closing.
    pub ramp: Ramp,
    /// Whether it decides by itself.
    pub mode: Mode,
}

/// Which outcomes count. The oldest leave as new ones come: a long healthy past does not outweigh
/// a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last so many: 1 to 1,000,000.
    Calls(u32),
    /// Those of the last so long, dated by their end. It slides in tenths of its length: between
    /// nine tenths and all of it count.
    Time(Duration),
}

/// When slowness counts. Slow answers are no failures; they have a share of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// A call that takes longer is slow. One that takes just as long is not.
    pub threshold: Duration,
    /// Opens when so large a share of the window was slow, or a larger one: 1 to 100.
    pub percent: u32,
    /// Like that of failures, on its own.
    pub minimum_calls: u32,
}

/// For how long a breaker stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// After the first opening in a row; each further one lasts twice as long. The row ends when
    /// calls have come back in full.
    pub first: Duration,
    /// But never longer than this.
    pub longest: Duration,
    /// Up to so large a share is taken off at random, so that many breakers do not come back at
    /// the same moment: 0 to 100.
    pub jitter_percent: u32,
}

/// How a half-open breaker finds out that the service is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trials {
    /// The verdict is about so many: 1 to 1000. It falls as soon as the rest cannot change it.
    pub calls: u32,
    /// A trial without a result by then has failed, whatever comes of it later.
    pub lease: Duration,
}

/// How calls come back after closing: the share that may pass grows evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ramp {
    /// From closing to all calls. Zero: all at once.
    pub length: Duration,
    /// The share at the beginning: 0 to 100.
    pub floor_percent: u32,
}

/// Whether a breaker decides by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does.
    Normal,
    /// No call passes.
    ForcedOpen,
    /// Every call passes. Outcomes are counted and nothing is judged.
    ForcedClosed,
    /// Every call passes, and the breaker says what it would have done. So settings can be tried.
    MetricsOnly,
}

// === impl Config ===

impl Config {
    /// Changes every duration.
    pub(crate) fn durations(&mut self, change: impl Fn(&mut Duration)) {
        if let Window::Time(length) = &mut self.window {
            change(length);
        }
        self.slow.iter_mut().for_each(|slow| change(&mut slow.threshold));
        let Self { open, trials, ramp, .. } = self;
        [&mut open.first, &mut open.longest, &mut trials.lease, &mut ramp.length]
            .into_iter()
            .for_each(change);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Time, because the share of *lately* is what matters, at any rate. Ten seconds and
            // twenty calls are Hystrix's: two calls a second are enough to open it.
            window: Window::Time(Duration::from_secs(10)),
            minimum_calls: 20,
            // Half: below that more calls would be refused that succeed than that fail.
            failure_percent: 50,
            // Only the user knows from when on an answer is worth less than none.
            slow: None,
            open: Opening {
                // A restart takes seconds; a trial is cheap.
                first: Duration::from_secs(5),
                // A minute of refusing after the service is back is the most that is explained.
                longest: Duration::from_secs(60),
                jitter_percent: 20,
            },
            trials: Trials {
                // One lucky answer is not enough, and three slots are no herd.
                calls: 3,
                // Ten times the default timeout: it is for what never comes back.
                lease: Duration::from_secs(10),
            },
            // A cold cache needs time; Envoy's slow start begins with a tenth, too.
            ramp: Ramp { length: Duration::from_secs(10), floor_percent: 10 },
            mode: Mode::Normal,
        }
    }
}
