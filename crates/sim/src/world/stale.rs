//! Answers that the gateway has kept for the case that there is nothing but an error, by core's [`Fallback`]. Requests of a
//! simulation say nothing of whose they are, and answers nothing of whom they are good for: each with 200 to a `GET` is
//! kept, and its size is not known.

use std::time::Duration;

use seaworthy_core::call::{Config, RouteId};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::policy::fallback::Fallback;
use seaworthy_core::time::Instant;

/// The kept answers of one service, by route: of which task each is, by path and query.
#[derive(Debug)]
pub(super) struct StaleAnswers {
    routes: Vec<Option<Fallback<String, TaskId>>>,
}

/// By what an answer is found again.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) route: RouteId,
    target: String,
}

// === impl StaleAnswers ===

impl StaleAnswers {
    /// Nothing is kept yet.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            routes: config.routes.iter().map(|route| route.fallback.map(Fallback::new)).collect(),
        }
    }

    /// None if no answer may stand in for an error.
    pub(super) fn key(&self, route: RouteId, method: &str, target: &str) -> Option<Key> {
        let keeps = method == "GET" && self.routes[route.0].is_some();
        keeps.then(|| Key { route, target: target.to_owned() })
    }

    /// Keeps a whole answer.
    pub(super) fn keep(&mut self, now: Instant, key: Key, status: u16, task: TaskId) {
        if let Some(kept) = self.routes[key.route.0].as_mut().filter(|_| status == 200) {
            kept.keep(now, key.target, task, 1, Duration::ZERO);
        }
    }

    /// Of which task the answer is that stands in for an error, and how many seconds old.
    pub(super) fn instead(&mut self, now: Instant, key: &Key) -> Option<(TaskId, u32)> {
        let stale = self.routes[key.route.0].as_mut()?.instead(now, &key.target).ok()?;
        Some((*stale.value, u32::try_from(stale.age.as_secs()).unwrap_or(u32::MAX)))
    }
}
