//! Counts of what became of requests: one set for each worker and route, summed when asked for.
//!
//! Nobody but its worker writes to a set, so counting needs neither a lock nor a bus cycle of its
//! own. What the metrics are called and what they mean stands in `docs/metrics.md`.

mod histogram;
mod page;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seaworthy_core::record::Record;
use seaworthy_core::time::Instant;
use serde::Serialize;
use serde_json::Value;

use crate::account::Account;
use crate::door::Door;
use crate::service::Service;
use histogram::Histogram;

pub(crate) use page::page;
pub(crate) use text::Format;

/// Statuses are counted one by one from here on.
const FIRST_STATUS: u16 = 100;
/// Up to 599, then all others, then those who got none.
const STATUSES: usize = 502;
const OTHER: usize = STATUSES - 2;
const NONE: usize = STATUSES - 1;

/// Names a set: the service and the route; an empty one is for requests whose head was not taken.
type Key = (String, String);

/// The sets of one worker.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<Key, Arc<Counts>>>);

/// The sets of one service on one worker.
pub(crate) struct Accounts {
    /// By route; the last one is for requests whose head was not taken.
    routes: Vec<Arc<Counts>>,
}

/// What one worker has seen of one route.
pub(crate) struct Counts {
    statuses: [Count; STATUSES],
    duration: Histogram,
    tries: Tries,
    received: Count,
    sent: Count,
    /// By cause. Answers of our own are rare, or nothing else matters.
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Default)]
struct Tries {
    first: Count,
    retries: Count,
    hedges: Count,
}

/// A number that only one thread changes.
#[derive(Default)]
struct Count(AtomicU64);

/// Decisions of all services, by service, decision and cause.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<BTreeMap<(String, String, String), u64>>);

// === impl Count ===

impl Count {
    fn add(&self, more: u64) {
        // A plain load and store: there is no other writer.
        self.0.store(self.get() + more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Ledger ===

impl Ledger {
    /// The sets for the routes of `service`. One that is there already goes on.
    pub(crate) fn of(&self, service: &Service) -> Accounts {
        let name = &service.config.name;
        let routes = service.config.call.routes.iter().map(|route| route.name.clone());
        let mut sets = self.lock();
        let mut set = |route| Arc::clone(sets.entry((name.clone(), route)).or_default());
        Accounts { routes: routes.chain([String::new()]).map(&mut set).collect() }
    }

    /// Lets go of the sets of services and routes that are not there any more.
    fn prune(&self, doors: &[Arc<Door>]) {
        let is_of = |(name, route): &Key, door: &Arc<Door>| {
            let routes = &door.service().config.call.routes;
            door.name == *name && (route.is_empty() || routes.iter().any(|r| r.name == *route))
        };
        let wanted = |key: &Key| doors.iter().any(|door| is_of(key, door));
        self.lock().retain(|key, set| Arc::strong_count(set) > 1 || wanted(key));
    }

    fn sets(&self) -> Vec<(Key, Arc<Counts>)> {
        self.lock().iter().map(|(key, set)| (key.clone(), Arc::clone(set))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Counts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Accounts ===

impl Accounts {
    /// Counts a request that is over.
    pub(crate) fn settle(&self, now: Instant, account: &Account) {
        let set = &self.routes[account.route.0];
        set.statuses[account.status.map_or(NONE, place)].add(1);
        set.duration.add(now.since(account.begun));
        set.tries.add(account);
        set.received.add(account.received);
        set.sent.add(account.sent);
        if let Some(cause) = account.cause {
            let mut refusals = set.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            *refusals.entry(cause).or_default() += 1;
        }
    }
}

/// Where a status is counted.
fn place(status: u16) -> usize {
    match status.checked_sub(FIRST_STATUS).map(usize::from) {
        Some(place) if place < OTHER => place,
        _ => OTHER,
    }
}

/// What is counted there, as a label.
fn status(place: usize) -> String {
    match place {
        OTHER => "other".to_owned(),
        NONE => "none".to_owned(),
        place => (usize::from(FIRST_STATUS) + place).to_string(),
    }
}

// === impl Tries ===

impl Tries {
    fn add(&self, account: &Account) {
        self.first.add(u64::from(account.task.is_some()));
        self.retries.add(account.retries.into());
        self.hedges.add(account.hedges.into());
    }
}

// === impl Counts ===

impl Default for Counts {
    fn default() -> Self {
        Self {
            statuses: [const { Count(AtomicU64::new(0)) }; STATUSES],
            duration: Histogram::default(),
            tries: Tries::default(),
            received: Count::default(),
            sent: Count::default(),
            refusals: Mutex::default(),
        }
    }
}

// === impl Decisions ===

impl Decisions {
    /// Counts a decision about `service`.
    pub(crate) fn add(&self, service: &str, record: &Record) {
        let key = (service.to_owned(), word(&record.decision), word(&record.cause));
        *self.lock().entry(key).or_default() += 1;
    }

    fn all(&self) -> Vec<((String, String, String), u64)> {
        self.lock().iter().map(|(key, count)| (key.clone(), *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String, String), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which variant a value is, in the word by which it stands in JSON; its numbers are left out.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(Value::Object(table)) => table.into_iter().next().map_or_else(String::new, |(k, _)| k),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_place_of_its_own_as_far_as_there_are_any() {
        let told = [0, 99, 100, 200, 599, 600, 999].map(|n| status(place(n)));
        assert_eq!(told, ["other", "other", "100", "200", "599", "other", "other"]);
        assert_eq!(status(NONE), "none");
    }
}
