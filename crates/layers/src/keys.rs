//! One policy for all calls, or one for each key.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use seaworthy_core::policy::per_key::{KeyPass, PerKey};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection};
use seaworthy_core::time::Instant;

use crate::clock;

/// Says which key a request belongs to.
pub trait Key<Request, K> {
    /// Its key.
    fn key(&self, request: &Request) -> K;
}

/// All requests belong together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whole;

impl<Request> Key<Request, ()> for Whole {
    fn key(&self, _request: &Request) {}
}

impl<Request, K, F> Key<Request, K> for F
where
    F: Fn(&Request) -> K,
{
    fn key(&self, request: &Request) -> K {
        self(request)
    }
}

/// What can be a key.
pub trait KeyValue: Ord + Clone + Send + 'static {}

impl<K: Ord + Clone + Send + 'static> KeyValue for K {}

/// Policies that all clones of a service share. The lock is held for a decision and never across a
/// wait or a closure of the user's.
pub(crate) struct Shared<K, P: Policy>(Mutex<Timed<K, P>>);

/// Policies that see time go on only: of two threads that have looked at the clock, the later one
/// may come first.
struct Timed<K, P: Policy> {
    latest: Instant,
    policies: Policies<K, P>,
}

/// Policies for the time of one decision.
pub(crate) struct Turn<'a, K, P: Policy> {
    pub(crate) now: Instant,
    timed: MutexGuard<'a, Timed<K, P>>,
}

enum Policies<K, P: Policy> {
    Whole(P),
    Keyed { policies: PerKey<K, P>, make: Box<dyn FnMut() -> P + Send> },
}

/// A pass of the one policy, or of a key's.
pub(crate) enum Pass<K, P: Policy> {
    Whole(P::Pass),
    Keyed(KeyPass<K, P::Pass>),
}

const OWN: &str = "a pass goes back to the policy that gave it";

// === impl Shared ===

impl<K: KeyValue, P: Policy + 'static> Shared<K, P> {
    /// With `most` keys, one policy for each; without, one for all.
    pub(crate) fn new(most: Option<u32>, mut make: impl FnMut() -> P + Send + 'static) -> Self {
        let policies = match most {
            None => Policies::Whole(make()),
            Some(most) => Policies::Keyed { policies: PerKey::new(most), make: Box::new(make) },
        };
        Self(Mutex::new(Timed { latest: Instant::EPOCH, policies }))
    }

    /// A policy is whole between two decisions, whoever panicked meanwhile.
    pub(crate) fn turn(&self) -> Turn<'_, K, P> {
        let now = clock::now();
        let mut timed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        timed.latest = timed.latest.max(now);
        Turn { now: timed.latest, timed }
    }
}

impl<K, P: Policy> fmt::Debug for Shared<K, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

// === impl Turn ===

impl<K: KeyValue, P: Policy> Turn<'_, K, P> {
    pub(crate) fn admit(&mut self, key: K, ask: &Ask) -> Result<Pass<K, P>, Rejection> {
        match &mut self.timed.policies {
            Policies::Whole(policy) => policy.admit(self.now, ask).map(Pass::Whole),
            Policies::Keyed { policies, make } => {
                policies.admit(self.now, key, ask, make).map(Pass::Keyed)
            }
        }
    }

    pub(crate) fn settle(&mut self, pass: Pass<K, P>, outcome: Outcome) {
        match (&mut self.timed.policies, pass) {
            (Policies::Whole(policy), Pass::Whole(pass)) => policy.settle(self.now, pass, outcome),
            (Policies::Keyed { policies, .. }, Pass::Keyed(pass)) => {
                policies.settle(self.now, pass, outcome);
            }
            _ => unreachable!("{OWN}"),
        }
    }

    /// Lets `turn` do something with a pass and its policy.
    pub(crate) fn with<T>(
        &mut self,
        pass: &mut Pass<K, P>,
        turn: impl FnOnce(&mut P, &mut P::Pass) -> T,
    ) -> T {
        match (&mut self.timed.policies, pass) {
            (Policies::Whole(policy), Pass::Whole(pass)) => turn(policy, pass),
            (Policies::Keyed { policies, .. }, Pass::Keyed(pass)) => policies.with(pass, turn),
            _ => unreachable!("{OWN}"),
        }
    }

    /// The policy of `key`, if it has one yet.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut P> {
        match &mut self.timed.policies {
            Policies::Whole(policy) => Some(policy),
            Policies::Keyed { policies, .. } => policies.get_mut(key),
        }
    }

    /// The keys that have a policy.
    pub(crate) fn keys(&self) -> Vec<K> {
        match &self.timed.policies {
            Policies::Whole(_) => Vec::new(),
            Policies::Keyed { policies, .. } => {
                policies.iter().map(|(key, _)| key.clone()).collect()
            }
        }
    }
}

/// A seed that no other process has.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
