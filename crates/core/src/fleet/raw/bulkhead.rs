//! A bulkhead as written.

use serde::Deserialize;

use crate::fleet::ConfigError;
use crate::fleet::range::number;
use crate::fleet::written::Number;
use crate::policy::{adaptive, bulkhead};

/// `[service.NAME.bulkhead]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RawBulkhead {
    enabled: Option<bool>,
    size: Option<Number>,
    adaptive: Option<RawAdaptive>,
}

/// `adaptive = { … }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawAdaptive {
    initial: Option<Number>,
    smallest: Option<Number>,
    largest: Option<Number>,
    tolerance_percent: Option<Number>,
}

const LARGEST: u32 = 1_000_000;
/// A gateway's bulkhead stands before a whole fleet: the report's pool of 100.
const SIZE: u32 = 100;

// === impl RawBulkhead ===

impl RawBulkhead {
    /// None if it is switched off.
    pub(crate) fn read(&self) -> Result<Option<bulkhead::Config>, ConfigError> {
        let config = match (self.size, &self.adaptive) {
            (size, None) => bulkhead::Config::Fixed(number("size", size, SIZE, 1..=LARGEST)?),
            (None, Some(adaptive)) => {
                let config = adaptive.read().map_err(|error| error.below("adaptive"))?;
                bulkhead::Config::Adaptive(config)
            }
            (Some(_), Some(_)) => {
                let problem = "is given beside `adaptive`; allowed is just one of them";
                return Err(ConfigError::new("size", problem));
            }
        };
        Ok(self.enabled.unwrap_or(true).then_some(config))
    }
}

// === impl RawAdaptive ===

impl RawAdaptive {
    fn read(&self) -> Result<adaptive::Config, ConfigError> {
        let default = adaptive::Config::default();
        let largest = number("largest", self.largest, default.largest, 1..=LARGEST)?;
        let smallest = default.smallest.min(largest);
        let smallest = number("smallest", self.smallest, smallest, 1..=largest)?;
        let initial = default.initial.clamp(smallest, largest);
        Ok(adaptive::Config {
            initial: number("initial", self.initial, initial, smallest..=largest)?,
            smallest,
            largest,
            tolerance_percent: number(
                "tolerance_percent",
                self.tolerance_percent,
                default.tolerance_percent,
                100..=1000,
            )?,
            ..default
        })
    }
}
