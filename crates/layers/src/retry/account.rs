//! A budget, as a policy that lets everything pass and learns from it.

use std::sync::Arc;

use seaworthy_core::policy::budget::{self, Budget};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection};
use seaworthy_core::time::Instant;

use super::View;
use crate::clock;
use crate::keys::{KeyValue, Pass, Shared};

/// The budget of one key, and what was done with it.
#[derive(Debug)]
pub(super) struct Tries {
    budget: Budget,
    retries: u64,
    spent: u64,
}

/// A call's hold on its budget: the budget stays while the call lasts.
pub(super) struct Account<K: KeyValue> {
    shared: Arc<Shared<K, Tries>>,
    /// `None` if every budget that may be kept is in use, and once it is settled.
    pass: Option<Pass<K, Tries>>,
}

// === impl Tries ===

impl Tries {
    pub(super) fn new(config: budget::Config) -> Self {
        Self { budget: Budget::new(clock::now(), config), retries: 0, spent: 0 }
    }

    pub(super) fn view(&mut self, now: Instant) -> View {
        View { left: self.budget.left(now), retries: self.retries, spent: self.spent }
    }

    /// Takes a retry out of the budget, and numbers it.
    fn again(&mut self, now: Instant) -> Option<u64> {
        if self.budget.withdraw(now).is_err() {
            self.spent += 1;
            return None;
        }
        self.retries += 1;
        Some(self.retries)
    }
}

impl Policy for Tries {
    type Pass = ();

    fn admit(&mut self, _now: Instant, _ask: &Ask) -> Result<(), Rejection> {
        Ok(())
    }

    fn settle(&mut self, now: Instant, _pass: (), outcome: Outcome) {
        if outcome == Outcome::Success {
            self.budget.deposit(now);
        }
    }
}

// === impl Account ===

impl<K: KeyValue> Account<K> {
    pub(super) fn open(shared: Arc<Shared<K, Tries>>, key: K) -> Self {
        let ask = Ask { repeatable: true, deadline: None };
        let pass = shared.turn().admit(key, &ask).ok();
        Self { shared, pass }
    }

    /// Takes a retry out of the budget and numbers it, if one is left.
    pub(super) fn again(&mut self) -> Option<u64> {
        let pass = self.pass.as_mut()?;
        let mut turn = self.shared.turn();
        let now = turn.now;
        turn.with(pass, |tries, ()| tries.again(now))
    }

    /// Tells how the last try went.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            self.shared.turn().settle(pass, outcome);
        }
    }
}

impl<K: KeyValue> Drop for Account<K> {
    fn drop(&mut self) {
        self.settle(Outcome::Cancelled);
    }
}
