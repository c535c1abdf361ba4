//! When nobody is ejected, because it would hardly help.

use super::Config;
use crate::time::Instant;

/// What looks bad everywhere, or only since another task is out, is held against none for a while. If it is so
/// again when that is over, the next while is twice as long: where the load needs all tasks, one that is out makes
/// the others late, and what has gathered meanwhile takes its time.
#[derive(Debug, Default)]
pub(in crate::health) struct Hold {
    until: Instant,
    /// In a row.
    times: u32,
    /// Neither a hold nor an ejection since; forgotten by one for each window.
    calm: Instant,
}

// === impl Hold ===

impl Hold {
    /// Whether nobody is to be ejected now.
    pub(in crate::health) fn is_on(&self, now: Instant) -> bool {
        now < self.until
    }

    /// One more, from `now` on.
    pub(in crate::health) fn begin(&mut self, now: Instant, config: &Config) {
        self.forget(now, config);
        let length = config.ejection.saturating_mul(1 << self.times.min(16));
        self.times = self.times.saturating_add(1);
        self.until = now + length.min(config.longest_ejection);
        self.calm = self.until;
    }

    /// A task is out until then: that is no calm.
    pub(in crate::health) fn ejected(&mut self, now: Instant, until: Instant, config: &Config) {
        self.forget(now, config);
        self.calm = self.calm.max(until);
    }

    fn forget(&mut self, now: Instant, config: &Config) {
        let calm = now.since(self.calm).as_nanos() / config.window.as_nanos().max(1);
        self.times = self.times.saturating_sub(u32::try_from(calm).unwrap_or(u32::MAX));
    }
}
