//! A budget, reckoned as its definition has it and not as core does.

use seaworthy_core::policy::budget;
use seaworthy_core::time::Instant;

/// A budget of retries or hedges: full at first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purse {
    config: budget::Config,
    /// In parts of a hundredth of a retry, each of which a nanosecond may bring.
    holds: u128,
    /// Until when the seconds are counted.
    at: Instant,
}

const PERCENT: u128 = 1_000_000_000;
const WHOLE: u128 = 100 * PERCENT;

// === impl Purse ===

impl Purse {
    pub(super) fn full(config: budget::Config) -> Self {
        Self { config, holds: u128::from(config.cap) * WHOLE, at: Instant::EPOCH }
    }

    /// The same one, full again.
    pub(super) fn fill(&mut self) {
        *self = Self::full(self.config);
    }

    /// A call has succeeded.
    pub(super) fn succeed(&mut self, now: Instant) {
        self.wait(now);
        self.earn(u128::from(self.config.success_percent) * PERCENT);
    }

    /// Whether it can.
    pub(super) fn pay(&mut self, now: Instant) -> bool {
        self.wait(now);
        let rest = self.holds.checked_sub(WHOLE);
        self.holds = rest.unwrap_or(self.holds);
        rest.is_some()
    }

    /// Whole ones that are left.
    pub(super) fn left(&mut self, now: Instant) -> u32 {
        self.wait(now);
        (self.holds / WHOLE) as u32
    }

    fn wait(&mut self, until: Instant) {
        let nanos = until.since(std::mem::replace(&mut self.at, until)).as_nanos();
        self.earn(nanos * 100 * u128::from(self.config.per_second));
    }

    fn earn(&mut self, amount: u128) {
        self.holds = (self.holds + amount).min(u128::from(self.config.cap) * WHOLE);
    }
}
