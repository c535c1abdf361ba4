//! Requests that may themselves be what is wrong.

use std::time::Duration;

use crate::time::Instant;

/// So many are remembered of one task: more different requests that all go wrong at it, and at
/// nobody else, are the task's doing.
const KEPT: usize = 16;

/// Requests that went wrong at a task, by their fingerprint, the oldest first. Mostly there are none.
#[derive(Debug, Default)]
pub(super) struct Suspects(Vec<Suspect>);

#[derive(Debug)]
struct Suspect {
    fingerprint: u64,
    /// When another task last did well by it.
    cleared: Option<Instant>,
}

// === impl Suspects ===

impl Suspects {
    /// Whether this counts against the task: the request is another one than before, or a peer did
    /// well by it no longer ago than `lately`.
    pub(super) fn count(&mut self, now: Instant, fingerprint: u64, lately: Duration) -> bool {
        if let Some(known) = self.0.iter().find(|known| known.fingerprint == fingerprint) {
            return known.cleared.is_some_and(|at| now.since(at) <= lately);
        }
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(Suspect { fingerprint, cleared: None });
        true
    }

    /// Another task has done well by this request.
    pub(super) fn clear(&mut self, now: Instant, fingerprint: u64) {
        if let Some(known) = self.0.iter_mut().find(|known| known.fingerprint == fingerprint) {
            known.cleared = Some(now);
        }
    }
}
