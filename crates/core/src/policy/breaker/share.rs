//! After closing: the share of the calls that pass grows evenly, so that a cold service is not run
//! over by everybody at once.

use super::config::Ramp;
use crate::policy::Rejection;
use crate::time::Instant;

/// A whole call, in the unit in which shares of calls are added up.
const CALL: u64 = 1_000_000;

/// Lets a growing share of the calls pass: every so many-th, not a random one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    ramp: Ramp,
    since: Instant,
    /// What the shares of the calls so far add up to, less the calls that passed.
    credit: u64,
}

// === impl Share ===

impl Share {
    /// The first call passes: a trial has just succeeded.
    pub(super) fn new(since: Instant, ramp: Ramp) -> Self {
        Self { ramp, since, credit: CALL }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.since(self.since) >= self.ramp.length
    }

    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Rejection> {
        if self.is_over(now) {
            return Ok(());
        }
        let share = self.size(now);
        self.credit += share;
        if self.credit < CALL {
            return Err(Rejection::Ramp { percent: (share * 100 / CALL) as u32 });
        }
        self.credit -= CALL;
        Ok(())
    }

    /// How much of a call may pass, while the ramp is not over.
    fn size(&self, now: Instant) -> u64 {
        let floor = u64::from(self.ramp.floor_percent.min(100)) * CALL / 100;
        let passed = now.since(self.since).as_nanos();
        let grown = u128::from(CALL - floor) * passed / self.ramp.length.as_nanos().max(1);
        floor + grown as u64
    }
}
