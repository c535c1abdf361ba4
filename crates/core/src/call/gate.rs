//! What stands before the calls of one route: its guard, and the budget of its retries.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Route;
use crate::cluster::plan::Revision;
use crate::health::Matcher;
use crate::policy::breaker::State;
use crate::policy::budget::Budget;
use crate::policy::guard::{Guard, Pass};
use crate::policy::hedge::Hedge;
use crate::policy::{Ask, Outcome, Policy, Rejection};
use crate::random::{Stream, by_weight, draw};
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

/// The policies of one route at work.
#[derive(Debug)]
pub(super) struct Gate {
    name: String,
    guard: Guard,
    budget: Option<Budget>,
    hedge: Option<Hedge>,
    failure_status: Matcher,
    retry_status: Option<Matcher>,
    timeout: Option<Duration>,
    tries: u32,
    outlasts: Duration,
    weights: BTreeMap<Revision, u32>,
    seed: u64,
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
    /// The same of hedges.
    pub hedges_left: Option<u32>,
}

// === impl Standing ===

impl Standing {
    /// What can be said of a guard alone.
    pub fn of(now: Instant, guard: &mut Guard) -> Self {
        let (running, abandoned, limit) = match guard.bulkhead() {
            Some(bulkhead) => (bulkhead.running(), bulkhead.abandoned(), Some(bulkhead.limit())),
            None => (0, 0, None),
        };
        let breaker = guard.breaker().map(|breaker| breaker.state(now));
        Self { breaker, running, abandoned, limit, retries_left: None, hedges_left: None }
    }
}

// === impl Gate ===

impl Gate {
    /// Nothing has passed yet. `seed` is for what is drawn.
    pub(super) fn new(route: Route, seed: u64) -> Self {
        Self {
            name: route.name,
            hedge: route.hedge.map(Hedge::new),
            failure_status: route.guard.failure_status.clone(),
            retry_status: route.retry_status,
            timeout: route.guard.timeout,
            guard: Guard::new(route.guard, seed),
            // It is full, so it does not matter since when.
            budget: route.budget.map(|config| Budget::new(Instant::EPOCH, config)),
            tries: route.tries,
            outlasts: route.outlasts,
            weights: route.weights,
            seed,
            abandoned: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// How its policies stand.
    pub(super) fn standing(&mut self, now: Instant) -> Standing {
        Standing {
            retries_left: self.budget.as_mut().map(|budget| budget.left(now)),
            hedges_left: self.hedge.as_mut().map(|hedge| hedge.left(now)),
            ..Standing::of(now, &mut self.guard)
        }
    }

    pub(super) fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Pass, Rejection> {
        self.guard.admit(now, ask)
    }

    /// Of which revision the task of the `ordinal`-th call is to be, if that matters: by the route's
    /// weights, or by those of the `endpoints` if it has none.
    pub(super) fn revision(
        &self,
        ordinal: u64,
        endpoints: &BTreeMap<Revision, u32>,
    ) -> Option<Revision> {
        let weights = if self.weights.is_empty() { endpoints } else { &self.weights };
        if weights.is_empty() {
            return None;
        }
        let drawn = draw(self.seed, Stream::Revisions, ordinal);
        let hit = by_weight(drawn, weights.values().map(|weight| u64::from(*weight)))?;
        weights.keys().nth(hit).copied()
    }

    /// How an answer with this status went.
    pub(super) fn outcome(&self, status: u16) -> Outcome {
        if self.failure_status.matches(status) { Outcome::Failure } else { Outcome::Success }
    }

    /// The earlier of the caller's deadline and our own, for a call that begins.
    pub(super) fn deadline(
        &mut self,
        now: Instant,
        ask: &Ask,
    ) -> Result<Option<Instant>, Rejection> {
        self.guard.deadline(now, ask)
    }

    /// A call may take so long.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether a safe request is tried again when it is answered with this status: a failure, and one
    /// that another task may not share.
    pub(super) fn tries_again_on(&self, status: u16) -> bool {
        self.failure_status.matches(status)
            && self.retry_status.as_ref().is_some_and(|statuses| statuses.matches(status))
    }

    /// Whether a call may be tried once more after it was sent so often. A try of which a task has
    /// seen something may cost it as much as any other, so it is taken from the budget.
    pub(super) fn may_try_again(&mut self, now: Instant, sent: u32, seen: bool) -> bool {
        let within_budget = |budget: &mut Budget| !seen || budget.withdraw(now).is_ok();
        sent < self.tries && self.budget.as_mut().is_none_or(within_budget)
    }

    /// After so long a safe request without an answer is sent once more.
    pub(super) fn hedge_delay(&mut self, now: Instant) -> Option<Duration> {
        self.hedge.as_mut()?.delay(now)
    }

    /// Whether it may be, when it was sent so often.
    pub(super) fn may_hedge(&mut self, now: Instant, sent: u32) -> bool {
        sent < self.tries && self.hedge.as_mut().is_some_and(|hedge| hedge.withdraw(now))
    }

    /// An answer began after so long, or had not begun when another one did.
    pub(super) fn record(&mut self, now: Instant, latency: Duration) {
        if let Some(hedge) = &mut self.hedge {
            hedge.record(now, latency);
        }
    }

    /// The work of a call has ended, as far as anybody can tell.
    pub(super) fn settle(&mut self, now: Instant, pass: Pass, outcome: Outcome) {
        if outcome == Outcome::Success {
            self.budget.iter_mut().for_each(|budget| budget.deposit(now));
            self.hedge.iter_mut().for_each(|hedge| hedge.deposit(now));
        }
        self.guard.settle(now, pass, outcome);
    }

    /// It is known how a call went whose work goes on.
    pub(super) fn judge(&mut self, now: Instant, pass: &mut Pass, outcome: Outcome) {
        self.guard.judge(now, pass, outcome);
    }

    /// Nobody waits for a call that a task got at `sent`, if one did: perhaps it still works on it.
    pub(super) fn abandon(
        &mut self,
        now: Instant,
        mut pass: Pass,
        sent: Option<Instant>,
        how: Outcome,
    ) {
        let until = sent.map_or(now, |sent| sent + self.outlasts);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Config;

    #[test]
    fn revisions_are_drawn_by_weight() {
        let mut route = Config::plain(Duration::from_secs(1), 1).routes.remove(0);
        let of_endpoints = [(1, 90), (2, 0), (3, 10)].into();
        let of_route = [(1, 0), (2, 80), (3, 20)].into();
        let plain = Gate::new(route.clone(), 1);
        assert_eq!(plain.revision(1, &BTreeMap::new()), None, "they do not matter");
        assert_eq!(plain.revision(1, &[(1, 0), (2, 0)].into()), None, "there is nothing to draw");
        route.weights = of_route;
        let special = Gate::new(route, 1);
        for (gate, never, seldom, share) in [(plain, 2, 3, 1000), (special, 1, 3, 2000)] {
            let draw = |ordinal| gate.revision(ordinal, &of_endpoints);
            let drawn: Vec<_> = (0..10_000).filter_map(draw).collect();
            let count = |revision| drawn.iter().filter(|drawn| **drawn == revision).count();
            assert_eq!((drawn.len(), count(never)), (10_000, 0));
            assert!(count(seldom).abs_diff(share) < 120, "{} of {seldom}", count(seldom));
        }
    }
}
