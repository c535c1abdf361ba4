//! Policies from outside: what they see, and switches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::policy::breaker::{Metrics, Mode, Rates, State, Transition};
use seaworthy_core::policy::guard::Guard as Policies;
use seaworthy_core::time::Instant;

use crate::keys::{KeyValue, Shared};

/// Reads and switches the policies of a layer. Cheap to clone.
pub struct Handle<K: KeyValue = ()> {
    shared: Arc<Shared<K, Policies>>,
}

/// What the policies see now.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The breaker, if there is one.
    pub breaker: Option<Breaker>,
    /// The bulkhead, if there is one.
    pub bulkhead: Option<Bulkhead>,
}

/// What a breaker sees.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// Whether calls pass.
    pub state: State,
    /// If it is open, trials begin after so long.
    pub trials_in: Option<Duration>,
    /// What its window holds.
    pub rates: Rates,
    /// Counts since the beginning.
    pub metrics: Metrics,
}

/// What a bulkhead sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulkhead {
    /// So much work may be under way.
    pub limit: u32,
    /// So much is, abandoned work included.
    pub running: u32,
    /// So much of it nobody waits for any more.
    pub abandoned: u32,
    /// So many calls found it full.
    pub rejected: u64,
}

// === impl Handle ===

impl<K: KeyValue> Handle<K> {
    pub(super) fn new(shared: Arc<Shared<K, Policies>>) -> Self {
        Self { shared }
    }

    /// The keys that have policies: those that were used lately.
    pub fn keys(&self) -> Vec<K> {
        self.shared.turn().keys()
    }

    /// What the policies of `key` see, if it has any yet.
    pub fn view_of(&self, key: &K) -> Option<View> {
        self.turn(key, |now, policies| View {
            breaker: policies.breaker().map(|breaker| {
                let state = breaker.state(now);
                let trials_in = match state {
                    State::Open { until } => Some(until.since(now)),
                    _ => None,
                };
                let (rates, metrics) = (breaker.rates(now), *breaker.metrics());
                Breaker { state, trials_in, rates, metrics }
            }),
            bulkhead: policies.bulkhead().map(|bulkhead| Bulkhead {
                limit: bulkhead.limit(),
                running: bulkhead.running(),
                abandoned: bulkhead.abandoned(),
                rejected: bulkhead.rejected(),
            }),
        })
    }

    /// Takes the decision out of the hands of the breaker of `key`, or gives it back. False if
    /// there is no such breaker yet.
    pub fn switch_of(&self, key: &K, mode: Mode) -> bool {
        let switch = |now, policies: &mut Policies| {
            policies.breaker().map(|breaker| breaker.switch(now, mode)).is_some()
        };
        self.turn(key, switch).unwrap_or(false)
    }

    /// The next decision of the breaker of `key` that nobody has fetched yet, the oldest first.
    pub fn poll_transition_of(&self, key: &K) -> Option<Transition> {
        self.turn(key, |now, policies| {
            let breaker = policies.breaker()?;
            // Time moves it by itself.
            breaker.state(now);
            breaker.poll_transition()
        })?
    }

    fn turn<T>(&self, key: &K, turn: impl FnOnce(Instant, &mut Policies) -> T) -> Option<T> {
        let mut shared = self.shared.turn();
        let now = shared.now;
        shared.get(key).map(|policies| turn(now, policies))
    }
}

impl Handle<()> {
    /// What the policies see.
    pub fn view(&self) -> View {
        self.view_of(&()).expect("without keys there is one of each")
    }

    /// Takes the decision out of the breaker's hands, or gives it back: held open, held closed, or
    /// counting only. False if there is no breaker.
    pub fn switch(&self, mode: Mode) -> bool {
        self.switch_of(&(), mode)
    }

    /// The breaker's next decision that nobody has fetched yet, the oldest first.
    pub fn poll_transition(&self) -> Option<Transition> {
        self.poll_transition_of(&())
    }
}

impl<K: KeyValue> Clone for Handle<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K: KeyValue> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
