//! Values as people write them in a file: durations, spans, shares.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};

/// A duration with its unit: `"250ms"`, `"90s"`, `"1m 30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written(pub Duration);

/// One duration, or all between two: `"75s"`, `"60s..90s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

/// A share, written in percent: `"99.9%"`. Kept in millionths, so that it compares exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    millionths: u32,
}

// === impl Written ===

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration(&text).map(Self).map_err(D::Error::custom)
    }
}

// === impl Span ===

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (shortest, longest) = text.split_once("..").unwrap_or((&text, &text));
        let span = Self {
            shortest: duration(shortest).map_err(D::Error::custom)?,
            longest: duration(longest).map_err(D::Error::custom)?,
        };
        if span.shortest > span.longest {
            let problem = format!("`{text}` ends before it begins; allowed is \"60s..90s\"");
            return Err(D::Error::custom(problem));
        }
        Ok(span)
    }
}

// === impl Share ===

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { millionths: 1_000_000 };

    /// Whether `part` of `whole` is at least this share. Nothing of nothing is.
    pub fn is_met(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 >= u128::from(whole) * u128::from(self.millionths)
    }

    /// As a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let percent =
            text.trim().strip_suffix('%').map(str::trim).and_then(|n| n.parse::<f64>().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => {
                Ok(Self { millionths: (percent * 10_000.0).round() as u32 })
            }
            _ => Err(D::Error::custom(format!(
                "`{text}` is not a share; allowed is \"0%\" to \"100%\", such as \"99.9%\""
            ))),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.millionths) / 10_000.0)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|_| {
        format!("`{text}` is not a duration; allowed is a number with its unit, such as \"250ms\", \"90s\" or \"5m\"")
    })
}
