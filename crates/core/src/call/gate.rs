//! What stands before the calls of one route: its guard, and the budget of its retries.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Route;
use crate::health::Matcher;
use crate::policy::breaker::State;
use crate::policy::budget::Budget;
use crate::policy::guard::{Guard, Pass};
use crate::policy::{Ask, Outcome, Policy, Rejection};
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

/// The policies of one route at work.
#[derive(Debug)]
pub(super) struct Gate {
    name: String,
    guard: Guard,
    budget: Option<Budget>,
    failure_status: Matcher,
    tries: u32,
    outlasts: Duration,
    /// Work that nobody waits for any more, by when it must have ended.
    abandoned: BTreeMap<(Instant, u64), Pass>,
    /// Abandoned so far, which tells those of one moment apart.
    count: u64,
}

/// How the policies before a route stand, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The breaker's state, if there is one.
    pub breaker: Option<State>,
    /// Calls that hold a place in the bulkhead, abandoned ones included; zero without one.
    pub running: u32,
    /// Those of them that nobody waits for any more.
    pub abandoned: u32,
    /// Places in the bulkhead, if there is one.
    pub limit: Option<u32>,
    /// Whole retries that the budget would pay for now, if there is one.
    pub retries_left: Option<u32>,
}

// === impl Gate ===

impl Gate {
    /// Nothing has passed yet. `seed` draws the breaker's jitter.
    pub(super) fn new(route: Route, seed: u64) -> Self {
        Self {
            name: route.name,
            failure_status: route.guard.failure_status.clone(),
            guard: Guard::new(route.guard, seed),
            // It is full, so it does not matter since when.
            budget: route.budget.map(|config| Budget::new(Instant::EPOCH, config)),
            tries: route.tries,
            outlasts: route.outlasts,
            abandoned: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// How its policies stand.
    pub(super) fn standing(&mut self, now: Instant) -> Standing {
        let (running, abandoned, limit) = match self.guard.bulkhead() {
            Some(bulkhead) => (bulkhead.running(), bulkhead.abandoned(), Some(bulkhead.limit())),
            None => (0, 0, None),
        };
        Standing {
            breaker: self.guard.breaker().map(|breaker| breaker.state(now)),
            running,
            abandoned,
            limit,
            retries_left: self.budget.as_mut().map(|budget| budget.left(now)),
        }
    }

    pub(super) fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Pass, Rejection> {
        self.guard.admit(now, ask)
    }

    /// How an answer with this status went.
    pub(super) fn outcome(&self, status: u16) -> Outcome {
        if self.failure_status.matches(status) { Outcome::Failure } else { Outcome::Success }
    }

    /// Whether a call may be tried once more after `tries`. A try of which a task has seen something
    /// may cost it as much as any other, so it is taken from the budget.
    pub(super) fn may_try_again(&mut self, now: Instant, tries: u32, sent: bool) -> bool {
        let within_budget = |budget: &mut Budget| !sent || budget.withdraw(now).is_ok();
        tries < self.tries && self.budget.as_mut().is_none_or(within_budget)
    }

    /// The work of a call has ended, as far as anybody can tell.
    pub(super) fn settle(&mut self, now: Instant, pass: Pass, outcome: Outcome) {
        if let (Some(budget), Outcome::Success) = (&mut self.budget, outcome) {
            budget.deposit(now);
        }
        self.guard.settle(now, pass, outcome);
    }

    /// Nobody waits for a call that a task got at `sent`: perhaps it still works on it.
    pub(super) fn abandon(&mut self, now: Instant, mut pass: Pass, sent: Instant, how: Outcome) {
        let until = sent + self.outlasts;
        if until <= now {
            return self.settle(now, pass, how);
        }
        self.guard.disown(now, &mut pass, how);
        self.count += 1;
        self.abandoned.insert((until, self.count), pass);
    }

    /// Counts out abandoned work that must have ended by now.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|until| until <= now) {
            if let Some((_, pass)) = self.abandoned.pop_first() {
                self.guard.settle(now, pass, Outcome::Cancelled);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.abandoned.first_key_value().map(|((until, _), _)| *until)
    }

    /// What the breaker has decided since it was last asked.
    pub(super) fn poll_record(&mut self) -> Option<Record> {
        let transition = self.guard.breaker()?.poll_transition()?;
        let cause = Cause::Breaker { route: self.name.clone(), transition };
        Some(Record { at: transition.at, task: None, decision: Decision::Switch, cause })
    }
}
