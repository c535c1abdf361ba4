//! When nobody is ejected for being late, because it would hardly help.

use super::Config;
use crate::time::Instant;

/// It lasts twice as long each time, but not longer than sixteen times.
const MOST_DOUBLED: u32 = 4;

/// Where the load needs all tasks, one that is out makes the others late. So what is late everywhere, or only
/// since another is out, is held against none for a while. If it is so again when that is over, the next while is
/// twice as long: what has gathered meanwhile takes its time. Where nothing was late for a window it is over.
#[derive(Debug, Default)]
pub(in crate::health) struct Hold {
    until: Instant,
    /// In a row.
    times: u32,
    /// Neither a hold nor an ejection since; forgotten by one for each window.
    calm: Instant,
    /// When something was late last.
    late: Instant,
}

// === impl Hold ===

impl Hold {
    /// Whether nobody is to be ejected for being late now.
    pub(in crate::health) fn is_on(&self, now: Instant) -> bool {
        now < self.until
    }

    /// One more, from `now` on.
    pub(in crate::health) fn begin(&mut self, now: Instant, config: &Config) {
        self.times = config.left_of(self.times, now.since(self.calm));
        let length = config.ejection.saturating_mul(1 << self.times.min(MOST_DOUBLED));
        self.times = self.times.saturating_add(1);
        self.until = now + length.min(config.longest_ejection);
        self.calm = self.until;
    }

    /// Something is late; if that is the first for long, the hold was over.
    pub(in crate::health) fn saw_late(&mut self, now: Instant, config: &Config) {
        if now >= self.late + config.window {
            self.until = self.until.min(now);
        }
        self.late = now;
    }

    /// A task is out until then: that is no calm.
    pub(in crate::health) fn ejected(&mut self, now: Instant, until: Instant, config: &Config) {
        self.times = config.left_of(self.times, now.since(self.calm));
        self.calm = self.calm.max(until);
    }
}
