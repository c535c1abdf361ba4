//! What matters of a request to those who carry it out.

use super::RouteId;
use crate::endpoints::TaskId;
use crate::policy::Ask;

/// What matters of a request to those who carry it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// From [`Config::route`](super::Config::route).
    pub route: RouteId,
    /// What matters to its policies.
    pub ask: Ask,
    /// Nothing changes by it, and all of it is at hand: it may be sent to two tasks at once.
    pub safe: bool,
    /// The task its client is used to: it gets the call if it is in rotation.
    pub preferred: Option<TaskId>,
    /// Requests that are to reach the same task, as long as it is there, have the same one. Only
    /// for a consistent hash.
    pub affinity: u64,
    /// Requests for the same thing have the same one: what it does to one task it does to others.
    pub fingerprint: u64,
    /// So much memory it holds while it waits.
    pub bytes: usize,
}

/// Whether a request with this method changes nothing.
///
/// Source: RFC 9110, section 9.2.1.
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// Whether one more of it changes no more than the first.
///
/// Source: RFC 9110, section 9.2.2.
pub fn is_idempotent(method: &str) -> bool {
    is_safe(method) || matches!(method, "PUT" | "DELETE")
}

// === impl Request ===

impl Request {
    /// With nothing special about it: not safe, used to no task.
    pub fn new(route: RouteId, ask: Ask) -> Self {
        Self { route, ask, safe: false, preferred: None, affinity: 0, fingerprint: 0, bytes: 0 }
    }
}
