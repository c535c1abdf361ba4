//! Values as people write them in a file: durations, spans, shares.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

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

/// Reads text by a function. What is allowed is said of other text and of what is no text at all.
struct Text<T> {
    allowed: &'static str,
    read: fn(&str) -> Option<T>,
}

// === impl Text ===

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::custom(format_args!("`{text}` is not {}", self.allowed)))
    }
}

// === impl Written ===

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = "a duration: a number with its unit, such as \"250ms\", \"90s\" or \"5m\"";
        deserializer.deserialize_str(Text { allowed, read: |text| duration(text).map(Self) })
    }
}

// === impl Span ===

impl Span {
    fn read(text: &str) -> Option<Self> {
        let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
        let span = Self { shortest: duration(shortest)?, longest: duration(longest)? };
        (span.shortest <= span.longest).then_some(span)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed =
            "a duration, such as \"75s\", or the shortest and the longest, such as \"60s..90s\"";
        deserializer.deserialize_str(Text { allowed, read: Self::read })
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

    fn read(text: &str) -> Option<Self> {
        let percent: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
        let millionths = (percent * 10_000.0).round();
        // What would be rounded is refused: "99.99999%" is not all of it.
        let exact = (percent * 10_000.0 - millionths).abs() < 1e-6;
        (exact && (0.0..=100.0).contains(&percent))
            .then_some(Self { millionths: millionths as u32 })
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = "a share: \"0%\" to \"100%\" with up to four decimals, such as \"99.9%\"";
        deserializer.deserialize_str(Text { allowed, read: Self::read })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.millionths) / 10_000.0)
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}
