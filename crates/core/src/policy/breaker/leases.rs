//! Half-open: a few calls find out whether the service is back.
//!
//! A trial is a lease: whoever takes it must bring a result before it ends, or it has failed. So a
//! call that hangs, or that somebody forgot, cannot keep a breaker half-open.

use std::collections::VecDeque;

use super::config::Trials;
use super::window::{Counted, Sums};
use crate::time::Instant;

/// Names one trial among all of a breaker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrialId(u64);

/// The trials of one half-open time. Allocates when it is made, and never again.
#[derive(Debug)]
pub(super) struct Leases {
    config: Trials,
    /// In the order in which they end, which is that in which they began.
    under_way: VecDeque<Lease>,
    results: Sums,
    last: TrialId,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    trial: TrialId,
    ends: Instant,
}

// === impl Leases ===

impl Leases {
    pub(super) fn new(config: Trials) -> Self {
        let config = Trials { calls: config.calls.max(1), ..config };
        Self {
            under_way: VecDeque::with_capacity(config.calls as usize),
            config,
            results: Sums::default(),
            last: TrialId(0),
        }
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.under_way.clear();
        self.results = Sums::default();
    }

    /// How many there are, under way or with a result.
    pub(super) fn taken(&self) -> u32 {
        (self.under_way.len() as u64 + self.results.calls) as u32
    }

    /// Whether the verdict needs no more than there are.
    pub(super) fn are_taken(&self) -> bool {
        self.taken() >= self.config.calls
    }

    pub(super) fn take(&mut self, now: Instant) -> TrialId {
        self.last = TrialId(self.last.0 + 1);
        self.under_way.push_back(Lease { trial: self.last, ends: now + self.config.lease });
        self.last
    }

    /// Gives the place of `trial` to another one. False if its lease is over.
    pub(super) fn give_back(&mut self, trial: TrialId) -> bool {
        let place = self.under_way.iter().position(|lease| lease.trial == trial);
        place.and_then(|place| self.under_way.remove(place)).is_some()
    }

    /// Counts the result of `trial`. False if its lease is over.
    pub(super) fn finish(&mut self, trial: TrialId, outcome: Counted) -> bool {
        let in_time = self.give_back(trial);
        if in_time {
            self.results.add(Sums::of(outcome));
        }
        in_time
    }

    /// Fails one trial whose lease is over, and says when it ended.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let lease = *self.under_way.front().filter(|lease| lease.ends <= now)?;
        self.finish(lease.trial, Counted { failed: true, slow: true });
        Some(lease.ends)
    }

    /// The results so far.
    pub(super) fn results(&self) -> Sums {
        self.results
    }

    /// What the verdict is about: so many trials.
    pub(super) fn needed(&self) -> u64 {
        u64::from(self.config.calls)
    }
}
