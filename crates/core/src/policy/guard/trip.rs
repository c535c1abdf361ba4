//! How long a breaker takes to open when every call hangs.

use std::time::Duration;

use super::Config;
use crate::policy::breaker::{Mode, Window};

/// The time from the moment at which every call begins to hang to the moment at which the breaker
/// opens; `None` if it never does, or there is none. Until then calls came at `rate` a second and
/// succeeded at once, for long enough to fill the window, and they go on coming.
///
/// It counts outcomes. The `k`-th call that hangs ends at `T + k / rate`. With a bulkhead of `B`
/// permits, fewer than come in `T`, outcomes come in rounds: `B` of them every `T`. A window of `N`
/// calls opens at the `θN`-th. A window of the last `W` opens when the failures in it are as large
/// a share of all it holds, and these are as many as the minimum; the successes grow old meanwhile.
///
/// A time window slides in tenths, so that the truth may be up to a tenth of it earlier.
pub fn time_to_trip(config: &Config, rate: f64) -> Option<Duration> {
    let breaker = config.breaker.as_ref()?;
    if matches!(breaker.mode, Mode::ForcedOpen | Mode::ForcedClosed) || rate <= 0.0 {
        return None;
    }
    let permits = config.bulkhead.as_ref().map(|bulkhead| u64::from(bulkhead.largest()));
    let hang = Hang::new(rate, config.timeout?, permits);
    // A call without an answer is a failure and slow: the rule that is met first opens it.
    let failures = Some((breaker.failure_percent, breaker.minimum_calls));
    let slow = breaker.slow.map(|slow| (slow.percent, slow.minimum_calls));
    let first =
        [failures, slow].into_iter().flatten().filter_map(|(percent, minimum)| {
            match breaker.window {
                Window::Calls(calls) => Some(hang.fill(calls, percent)),
                Window::Time(length) => hang.outweigh(nanos(length), percent, minimum.max(1)),
            }
        });
    first.min().map(Duration::from_nanos)
}

/// Calls that come evenly and all end at their timeout. Times in nanoseconds.
struct Hang {
    /// From one call to the next.
    spacing: u64,
    timeout: u64,
    /// Calls of one round.
    burst: u64,
}

// === impl Hang ===

impl Hang {
    fn new(rate: f64, timeout: Duration, permits: Option<u64>) -> Self {
        let (spacing, timeout) = (((1e9 / rate) as u64).max(1), nanos(timeout).max(1));
        // A bulkhead that is not full before the first permits come back bounds nothing.
        let bounds = |permits: &u64| permits.saturating_mul(spacing) < timeout;
        Self { spacing, timeout, burst: permits.filter(bounds).unwrap_or(u64::MAX).max(1) }
    }

    /// When the `nth` call ends: 1, 2, …
    fn end(&self, nth: u64) -> u64 {
        let (round, place) = ((nth - 1) / self.burst + 1, (nth - 1) % self.burst + 1);
        round.saturating_mul(self.timeout).saturating_add(place.saturating_mul(self.spacing))
    }

    /// How many have ended by then.
    fn ended(&self, by: u64) -> u64 {
        let places = |since: u64| ((by - since) / self.spacing).min(self.burst);
        match by / self.timeout {
            0 => 0,
            _ if self.burst == u64::MAX => places(self.timeout),
            round => (round - 1) * self.burst + places(round * self.timeout),
        }
    }

    /// When so large a share of a full window of `calls` has failed.
    fn fill(&self, calls: u32, percent: u32) -> u64 {
        let needed = (u64::from(calls.max(1)) * u64::from(percent)).div_ceil(100);
        self.end(needed.max(1))
    }

    /// When the failures are so large a share of what a window of `length` holds, and that is
    /// enough.
    fn outweigh(&self, length: u64, percent: u32, minimum: u32) -> Option<u64> {
        let opens = |nth: &u64| {
            let end = self.end(*nth);
            let failures = self.ended(end) - self.ended(end.saturating_sub(length));
            let calls = failures + length.saturating_sub(end) / self.spacing;
            calls >= u64::from(minimum) && failures * 100 >= calls * u64::from(percent)
        };
        // Within a round what is true stays true. Once the successes have left, each round is like
        // the one before it.
        let last = if self.burst == u64::MAX { 1 } else { length / self.timeout + 2 };
        let burst = self.burst.min(length / self.spacing + 1);
        let round = (0..last).find(|round| opens(&(round * burst + burst)))?;
        let (mut low, mut high) = (round * burst + 1, round * burst + burst);
        while low < high {
            let middle = low.midpoint(high);
            if opens(&middle) { high = middle } else { low = middle + 1 }
        }
        Some(self.end(low))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
