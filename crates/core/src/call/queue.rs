//! Where calls wait while no task may get them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CallId;

/// How many calls may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// So many calls,
    pub most_calls: usize,
    /// which hold so many bytes together.
    pub most_bytes: usize,
}

/// Calls in the order in which they are served: first come, first served. They leave it when their
/// deadline passes, so nothing old is served to nobody.
#[derive(Debug)]
pub(super) struct Queue {
    /// None if nothing may wait.
    config: Option<Config>,
    waiting: BTreeMap<Ticket, (CallId, usize)>,
    bytes: usize,
    /// The next ticket at the back; those at the front are counted down from zero.
    back: i64,
    front: i64,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(i64);

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        // Half a second of 2,000 requests a second: as long as a quick start takes. Their memory is
        // that of their buffers, so it is bound as well.
        Self { most_calls: 1000, most_bytes: 16 << 20 }
    }
}

// === impl Queue ===

impl Queue {
    /// Nobody waits.
    pub(super) fn new(config: Option<Config>) -> Self {
        Self { config, waiting: BTreeMap::new(), bytes: 0, back: 0, front: 0 }
    }

    /// Nobody may wait from now on; those who do are to be told.
    pub(super) fn close(&mut self) -> Vec<CallId> {
        self.config = None;
        self.calls().collect()
    }

    /// Calls that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<CallId> {
        self.waiting.first_key_value().map(|(_, (call, _))| *call)
    }

    /// All that wait.
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> {
        self.waiting.values().map(|(call, _)| *call)
    }

    /// One more at the end.
    pub(super) fn push_back(&mut self, call: CallId, bytes: usize) -> Option<Ticket> {
        self.back += 1;
        self.push(Ticket(self.back), call, bytes)
    }

    /// One that has waited, and been tried, before all others.
    pub(super) fn push_front(&mut self, call: CallId, bytes: usize) -> Option<Ticket> {
        self.front -= 1;
        self.push(Ticket(self.front), call, bytes)
    }

    /// None if the queue is full.
    fn push(&mut self, ticket: Ticket, call: CallId, bytes: usize) -> Option<Ticket> {
        let config = self.config?;
        if self.len() >= config.most_calls || self.bytes + bytes > config.most_bytes {
            return None;
        }
        self.bytes += bytes;
        self.waiting.insert(ticket, (call, bytes));
        Some(ticket)
    }

    /// One that does not wait any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Some((_, bytes)) = self.waiting.remove(&ticket) {
            self.bytes -= bytes;
        }
    }
}
