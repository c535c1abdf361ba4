//! One policy for each key: a downstream service, a host, a tenant.
//!
//! A breaker in front of many services opens for all of them when one fails, and a breaker for each
//! task of one service sees too little to judge. Choose the key for what fails together.

use super::recent::Recent;
use super::{Ask, Outcome, Policy, Rejection};
use crate::time::Instant;

/// A bounded map of policies. Beyond the bound the one that was unused for longest goes; never one
/// whose passes are out.
#[derive(Debug)]
pub struct PerKey<K, P> {
    most: u32,
    policies: Recent<K, Kept<P>>,
}

#[derive(Debug)]
struct Kept<P> {
    policy: P,
    /// Passes not yet settled.
    out: u32,
}

/// A pass, and whose it is.
#[derive(Debug)]
#[must_use = "how the call went must be told"]
pub struct KeyPass<K, P> {
    key: K,
    pass: P,
}

// === impl PerKey ===

impl<K: Ord + Clone, P: Policy> PerKey<K, P> {
    /// Keeps at most so many policies.
    pub fn new(most: u32) -> Self {
        Self { most, policies: Recent::new() }
    }

    /// Asks the policy of `key`; `make` makes it if there is none.
    pub fn admit(
        &mut self,
        now: Instant,
        key: K,
        ask: &Ask,
        make: impl FnOnce() -> P,
    ) -> Result<KeyPass<K, P::Pass>, Rejection> {
        if self.policies.peek(&key).is_none() {
            self.make_room()?;
            self.policies.insert(key.clone(), Kept { policy: make(), out: 0 });
        }
        let kept = self.policies.get(&key).expect("it is there or was just put there");
        let pass = kept.policy.admit(now, ask)?;
        kept.out += 1;
        Ok(KeyPass { key, pass })
    }

    /// Tells the policy that gave it how it went.
    pub fn settle(&mut self, now: Instant, pass: KeyPass<K, P::Pass>, outcome: Outcome) {
        let kept = self.policies.get(&pass.key).expect("a policy stays while its passes are out");
        kept.out -= 1;
        kept.policy.settle(now, pass.pass, outcome);
    }

    /// Lets `turn` do something with the policy and its pass, as abandoning it.
    pub fn with<T>(
        &mut self,
        pass: &mut KeyPass<K, P::Pass>,
        turn: impl FnOnce(&mut P, &mut P::Pass) -> T,
    ) -> T {
        let kept = self.policies.get(&pass.key).expect("a policy stays while its passes are out");
        turn(&mut kept.policy, &mut pass.pass)
    }

    /// The policy of `key`, if there is one. Does not count as using it.
    pub fn get(&self, key: &K) -> Option<&P> {
        self.policies.peek(key).map(|kept| &kept.policy)
    }

    /// The policy of `key`, if there is one, to be brought to now or switched by hand. Does not
    /// count as using it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut P> {
        self.policies.peek_mut(key).map(|kept| &mut kept.policy)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &P)> {
        self.policies.iter().map(|(key, kept)| (key, &kept.policy))
    }

    fn make_room(&mut self) -> Result<(), Rejection> {
        let full = self.policies.len() >= self.most as usize;
        if full && self.policies.evict(|kept| kept.out == 0).is_none() {
            return Err(Rejection::KeysInUse { limit: self.most });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::bulkhead::{Bulkhead, Config};

    const ASK: Ask = Ask { repeatable: true, deadline: None };
    const NOW: Instant = Instant::EPOCH;

    fn keys(policies: &PerKey<&'static str, Bulkhead>) -> Vec<&'static str> {
        policies.iter().map(|(key, _)| *key).collect()
    }

    fn pass(
        policies: &mut PerKey<&'static str, Bulkhead>,
        key: &'static str,
    ) -> Result<KeyPass<&'static str, super::super::bulkhead::Permit>, Rejection> {
        policies.admit(NOW, key, &ASK, || Bulkhead::new(Config::Fixed(1)))
    }

    #[test]
    fn each_key_has_its_own() {
        let mut policies = PerKey::new(10);
        let first = pass(&mut policies, "a").unwrap();
        let full = Rejection::Full { limit: 1, running: 1, abandoned: 0 };
        assert_eq!(pass(&mut policies, "a").unwrap_err(), full);
        let other = pass(&mut policies, "b").unwrap();
        policies.settle(NOW, first, Outcome::Success);
        policies.settle(NOW, other, Outcome::Success);
        assert_eq!(policies.get(&"a").map(Bulkhead::running), Some(0));
    }

    #[test]
    fn the_longest_unused_goes_and_never_one_that_is_in_use() {
        let mut policies = PerKey::new(2);
        for key in ["a", "b", "a", "c"] {
            let pass = pass(&mut policies, key).unwrap();
            policies.settle(NOW, pass, Outcome::Success);
        }
        assert_eq!(keys(&policies), ["a", "c"]);
        let mut held = pass(&mut policies, "a").unwrap();
        policies.with(&mut held, |bulkhead, permit| bulkhead.abandon(NOW, permit));
        let newer = pass(&mut policies, "d").unwrap();
        assert_eq!(keys(&policies), ["a", "d"]);
        assert_eq!(pass(&mut policies, "e").unwrap_err(), Rejection::KeysInUse { limit: 2 });
        policies.settle(NOW, held, Outcome::Success);
        policies.settle(NOW, newer, Outcome::Success);
    }
}
