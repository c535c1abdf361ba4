//! Slow start: a task that has just entered the rotation gets less than its share at first.
//!
//! The share is a cap that is paid in requests: with each request of the service a task saves up a
//! part of its share, and it may be chosen when it has saved up a whole request. So it counts in
//! every algorithm. A small weight would not do: where it only says who is next, a task waits for
//! long by what it was and then gets all that it has waited for.

use std::time::Duration;

use crate::time::Instant;

/// A slow start that is not over yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    since: Instant,
    /// Requests it may have, in [`WHOLE`]s.
    saved: u64,
}

/// One request.
const WHOLE: u64 = 1 << 32;
/// Of its share in percent, from the beginning. Source: Envoy's `min_weight_percent`.
const FLOOR: u64 = 10;

// === impl Ramp ===

impl Ramp {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, saved: 0 }
    }

    pub(super) fn is_over(&self, now: Instant, length: Duration) -> bool {
        now.since(self.since) >= length
    }

    /// The service gets a request, of which `part` in `whole` would be its share.
    pub(super) fn save(&mut self, now: Instant, length: Duration, part: u64, whole: u64) {
        let hundredths = 100 * now.since(self.since).as_micros() / length.as_micros().max(1);
        let hundredths = u64::try_from(hundredths).unwrap_or(100).clamp(FLOOR, 100);
        // A request that could not be had at once may be had later, but no more than one.
        self.saved = (self.saved + WHOLE / 100 * hundredths * part / whole).min(2 * WHOLE);
    }

    pub(super) fn may_take(&self) -> bool {
        self.saved >= WHOLE
    }

    pub(super) fn take(&mut self) {
        self.saved = self.saved.saturating_sub(WHOLE);
    }
}
