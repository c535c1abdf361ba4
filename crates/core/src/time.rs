//! Core's own moment in time, so that a test can write one down and a trace can be a golden file.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the driver's epoch.
///
/// The live shells use the machine's monotonic clock, so that moments of different processes on
/// one machine compare; a simulator starts at zero. Arithmetic saturates: a moment beyond the end
/// of time (584 years) is never reached, which is what a deadline of "never" wants.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const EPOCH: Self = Self(0);

    /// The moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A duration as people read it, to three places but not beyond whole seconds: `408ms`, `5.93s`, `1234s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let places = nanos.checked_ilog10().unwrap_or(0).saturating_sub(2);
        let unit = 10_u128.pow(places.min(9));
        let nanos = (nanos + unit / 2) / unit * unit;
        write!(f, "{:?}", Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// Seconds with three decimals: `12.250s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        write!(f, "{}.{:03}s", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_duration_has_three_places_and_whole_seconds() {
        let short = |nanos| Short(Duration::from_nanos(nanos)).to_string();
        let small = [0, 12, 999_499, 408_500_000, 999_600_000].map(short);
        assert_eq!(small, ["0ns", "12ns", "999µs", "409ms", "1s"]);
        let large = [5_925_963_211, 10_998_000_000, 300_000_000_000, 1_234_499_999_999].map(short);
        assert_eq!(large, ["5.93s", "11s", "300s", "1234s"]);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::from_nanos(u64::MAX - 1) + Duration::from_secs(1);
        assert_eq!(late.as_nanos(), u64::MAX);
        assert_eq!(Instant::EPOCH - Duration::from_secs(1), Instant::EPOCH);
        assert_eq!(Instant::EPOCH.since(late), Duration::ZERO);
        assert_eq!((Instant::EPOCH + Duration::from_millis(12_250)).to_string(), "12.250s");
    }
}
