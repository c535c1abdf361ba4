//! One policy for all calls, or one for each key.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use seaworthy_core::policy::per_key::{KeyPass, PerKey};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection};
use seaworthy_core::time::Instant;

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
pub(crate) struct Shared<K, P: Policy>(Mutex<Policies<K, P>>);

pub(crate) enum Policies<K, P: Policy> {
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
        Self(Mutex::new(match most {
            None => Policies::Whole(make()),
            Some(most) => Policies::Keyed { policies: PerKey::new(most), make: Box::new(make) },
        }))
    }

    /// A policy is whole between two decisions, whoever panicked meanwhile.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Policies<K, P>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, P: Policy> fmt::Debug for Shared<K, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

// === impl Policies ===

impl<K: KeyValue, P: Policy> Policies<K, P> {
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        key: K,
        ask: &Ask,
    ) -> Result<Pass<K, P>, Rejection> {
        match self {
            Self::Whole(policy) => policy.admit(now, ask).map(Pass::Whole),
            Self::Keyed { policies, make } => policies.admit(now, key, ask, make).map(Pass::Keyed),
        }
    }

    pub(crate) fn settle(&mut self, now: Instant, pass: Pass<K, P>, outcome: Outcome) {
        match (self, pass) {
            (Self::Whole(policy), Pass::Whole(pass)) => policy.settle(now, pass, outcome),
            (Self::Keyed { policies, .. }, Pass::Keyed(pass)) => {
                policies.settle(now, pass, outcome);
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
        match (self, pass) {
            (Self::Whole(policy), Pass::Whole(pass)) => turn(policy, pass),
            (Self::Keyed { policies, .. }, Pass::Keyed(pass)) => policies.with(pass, turn),
            _ => unreachable!("{OWN}"),
        }
    }

    /// The policy of `key`, if it has one yet.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut P> {
        match self {
            Self::Whole(policy) => Some(policy),
            Self::Keyed { policies, .. } => policies.get_mut(key),
        }
    }

    /// The keys that have a policy.
    pub(crate) fn keys(&self) -> Vec<K> {
        match self {
            Self::Whole(_) => Vec::new(),
            Self::Keyed { policies, .. } => policies.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

/// A seed that no other process has.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
