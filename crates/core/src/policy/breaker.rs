//! Circuit breaker: stops calling what does not answer, and finds out when it does again.
//!
//! *What it protects*: a service that is down, from calls that hold it down; and its callers, from
//! waiting for it. *When it trips*: when, of the outcomes in its window, a share as large as the
//! threshold or larger has failed, or was slow, and there are enough to judge by. *How it
//! recovers*: after the open time a few trials find out; when they go well it closes, and a growing
//! share of the calls passes. Each further opening in a row lasts twice as long. *What it does not
//! do*: bound the calls that hang before it trips (that is the bulkhead), or judge single tasks of
//! a service (that is the balancer's business).
//!
//! What counts as a failure is said by whoever settles. The rules, each learned from a library that
//! lacks it:
//!
//! - Every pass belongs to the state that gave it: a late outcome of an earlier one is counted in
//!   the metrics and judged by nobody. A call that began before the breaker opened cannot decide
//!   whether it closes.
//! - A trial is a lease with a time limit, there are never more than the verdict needs, and one
//!   that is cancelled gives its place back.
//! - A call dropped past its deadline or the slow threshold is a slow failure: an outer timeout
//!   must not hide a service that hangs.
//! - Time moves the state by itself: nobody need call for an open breaker to become half-open.

mod config;
mod leases;
mod metrics;
mod share;
mod transition;
mod verdict;
pub(crate) mod window;

use std::collections::VecDeque;

use super::{Ask, Outcome, Policy, Rejection};
use crate::time::Instant;
use leases::{Leases, TrialId};
use share::Share;
use window::{Counted, Sums};

pub use config::{Config, Mode, Opening, Ramp, Slow, Trials, Window};
pub use metrics::{Metrics, Rates, Rejected};
pub use transition::{Cause, State, Transition};

/// So many transitions are kept for whoever fetches them.
const TRANSITIONS: usize = 64;

/// The breaker of one service. Allocates when it is made, and never again.
#[derive(Debug)]
pub struct Breaker {
    /// Its mode is the one it is in.
    config: Config,
    seed: u64,
    phase: Phase,
    /// Of the phase: each has its own, beginning with 1.
    generation: u64,
    window: window::Window,
    leases: Leases,
    /// Since the beginning; numbers the draws.
    openings: u64,
    /// Since calls last came back in full.
    openings_in_a_row: u32,
    metrics: Metrics,
    transitions: VecDeque<Transition>,
}

/// What a breaker does when it decides by itself.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed(Option<Share>),
    Open { until: Instant },
    HalfOpen,
}

/// Leave to call. It must be settled; a trial that is not fails when its lease ends.
#[derive(Debug)]
#[must_use = "how the call went must be told"]
pub struct Pass {
    /// 0 if no phase has given it.
    generation: u64,
    began: Instant,
    deadline: Option<Instant>,
    trial: Option<TrialId>,
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker. `seed` draws the jitter; breakers that must not move in step need
    /// different ones.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            phase: Phase::Closed(None),
            generation: 1,
            window: window::Window::new(config.window),
            leases: Leases::new(config.trials),
            openings: 0,
            openings_in_a_row: 0,
            metrics: Metrics::default(),
            transitions: VecDeque::with_capacity(TRANSITIONS),
            config,
            seed,
        }
    }

    /// Its state `now`.
    pub fn state(&mut self, now: Instant) -> State {
        self.advance(now);
        self.shown()
    }

    /// What its window holds `now`.
    pub fn rates(&mut self, now: Instant) -> Rates {
        self.advance(now);
        let sums = self.window.sums(now);
        Rates::new(&self.config, sums, |minimum| self.window.reachable(minimum))
    }

    /// What it has seen so far.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The next decision that nobody has fetched yet, the oldest first. Beyond a bound the oldest
    /// are lost, and counted as lost.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// Says whether a call can pass at all, taking no place: `Err` if it is open, or half-open with
    /// all its trials. Only the rejection is counted.
    pub fn check(&mut self, now: Instant) -> Result<(), Rejection> {
        self.advance(now);
        match self.refusal(now) {
            Some(why) if self.config.mode != Mode::MetricsOnly => Err(self.rejected(why)),
            _ => Ok(()),
        }
    }

    /// Whether a call that ended `now` without a result would be a slow failure: it is past its
    /// deadline or the slow threshold.
    pub fn is_overdue(&self, now: Instant, pass: &Pass) -> bool {
        pass.deadline.is_some_and(|deadline| deadline <= now)
            || self.config.is_slow(now.since(pass.began))
    }

    /// Takes the decision out of its hands, or gives it back. The breaker begins anew: closed, or
    /// with a ramp if calls did not pass until now.
    pub fn switch(&mut self, now: Instant, mode: Mode) {
        let before = self.state(now);
        if mode == self.config.mode {
            return;
        }
        let refusing = matches!(before, State::Open { .. } | State::HalfOpen | State::ForcedOpen);
        let cold = refusing && self.config.mode != Mode::MetricsOnly;
        self.config.mode = mode;
        self.openings_in_a_row = 0;
        let phase = Phase::Closed(cold.then(|| Share::new(now, self.config.ramp)));
        self.enter(now, before, phase, Cause::ByHand(mode));
    }

    fn shown(&self) -> State {
        match (self.config.mode, self.phase) {
            (Mode::ForcedOpen, _) => State::ForcedOpen,
            (Mode::ForcedClosed, _) => State::ForcedClosed,
            (_, Phase::Closed(_)) => State::Closed,
            (_, Phase::Open { until }) => State::Open { until },
            (_, Phase::HalfOpen) => State::HalfOpen,
        }
    }

    /// Brings the state to `now`. Each round ends a phase or a lease, and a half-open phase begins
    /// without leases.
    fn advance(&mut self, now: Instant) {
        loop {
            match self.phase {
                Phase::Open { until } if until <= now => {
                    self.enter(until, self.shown(), Phase::HalfOpen, Cause::OpenTimeOver);
                }
                Phase::HalfOpen => match self.leases.expire(now) {
                    Some(at) => {
                        self.metrics.expired += 1;
                        self.judge_trials(at);
                    }
                    None => return,
                },
                Phase::Closed(_) | Phase::Open { .. } => return,
            }
        }
    }

    /// Why no call at all can pass.
    fn refusal(&self, now: Instant) -> Option<Rejection> {
        match (self.config.mode, self.phase) {
            (Mode::ForcedOpen, _) => Some(Rejection::ForcedOpen),
            (_, Phase::Open { until }) => Some(Rejection::Open { retry_after: until.since(now) }),
            (_, Phase::HalfOpen) if self.leases.are_taken() => {
                Some(Rejection::TrialsTaken { trials: self.leases.taken() })
            }
            _ => None,
        }
    }

    /// Takes a place for one call.
    fn take(&mut self, now: Instant) -> Result<Option<TrialId>, Rejection> {
        if let Some(why) = self.refusal(now) {
            return Err(why);
        }
        match &mut self.phase {
            Phase::Closed(Some(share)) => share.admit(now).map(|()| None),
            Phase::HalfOpen => Ok(Some(self.leases.take(now))),
            Phase::Closed(None) | Phase::Open { .. } => Ok(None),
        }
    }

    fn rejected(&mut self, why: Rejection) -> Rejection {
        self.metrics.rejected(why);
        why
    }

    /// Counts the outcome of a pass of this generation. False if it came too late all the same.
    fn judge(&mut self, now: Instant, pass: &Pass, outcome: Option<Counted>) -> bool {
        match (pass.trial, outcome) {
            (None, None) => true,
            (None, Some(outcome)) => {
                self.window.record(now, outcome);
                self.judge_calls(now);
                true
            }
            (Some(trial), None) => self.leases.give_back(trial),
            (Some(trial), Some(outcome)) => {
                let in_time = self.leases.finish(trial, outcome);
                self.judge_trials(now);
                in_time
            }
        }
    }

    fn judge_calls(&mut self, now: Instant) {
        if self.config.mode == Mode::ForcedClosed {
            return;
        }
        let sums = self.window.sums(now);
        let enough = |minimum| sums.calls >= self.window.reachable(minimum);
        if let Some(cause) = self.config.excess(sums, sums.calls, enough) {
            self.open(now, cause);
        }
    }

    /// Decides as soon as the trials that are left cannot change it.
    fn judge_trials(&mut self, now: Instant) {
        let (results, of) = (self.leases.results(), self.leases.needed());
        if let Some(cause) = self.config.excess(results, of, |_| true) {
            return self.open(now, cause);
        }
        let left = of - results.calls;
        let (failures, slow) = (results.failures + left, results.slow + left);
        if self.config.excess(Sums { calls: of, failures, slow }, of, |_| true).is_none() {
            let cause =
                Cause::TrialsPassed { failures: results.failures, results: results.calls, of };
            let share = Share::new(now, self.config.ramp);
            self.enter(now, self.shown(), Phase::Closed(Some(share)), cause);
        }
    }

    fn open(&mut self, at: Instant, cause: Cause) {
        let recovered = |share: Option<Share>| share.is_none_or(|share| share.is_over(at));
        if matches!(self.phase, Phase::Closed(share) if recovered(share)) {
            self.openings_in_a_row = 0;
        }
        let until = at + self.config.open.time(self.openings_in_a_row, self.seed, self.openings);
        self.openings += 1;
        self.openings_in_a_row = self.openings_in_a_row.saturating_add(1);
        self.enter(at, self.shown(), Phase::Open { until }, cause);
    }

    fn enter(&mut self, at: Instant, before: State, phase: Phase, cause: Cause) {
        match phase {
            Phase::Closed(_) => self.window.clear(),
            Phase::HalfOpen => self.leases.clear(),
            Phase::Open { .. } => {}
        }
        self.phase = phase;
        self.generation += 1;
        if self.transitions.len() == TRANSITIONS {
            self.transitions.pop_front();
            self.metrics.transitions_lost += 1;
        }
        self.transitions.push_back(Transition { at, before, after: self.shown(), cause });
    }
}

// === impl Policy for Breaker ===

impl Policy for Breaker {
    type Pass = Pass;

    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Pass, Rejection> {
        self.advance(now);
        let pass =
            |generation, trial| Pass { generation, began: now, deadline: ask.deadline, trial };
        match self.take(now) {
            Ok(trial) => Ok(pass(self.generation, trial)),
            Err(why) if self.config.mode == Mode::MetricsOnly => {
                self.metrics.rejected(why);
                Ok(pass(0, None))
            }
            Err(why) => Err(self.rejected(why)),
        }
    }

    fn settle(&mut self, now: Instant, pass: Pass, outcome: Outcome) {
        self.advance(now);
        let (age, overdue) = (now.since(pass.began), self.is_overdue(now, &pass));
        let outcome = self.config.weigh(age, overdue, outcome);
        self.metrics.settled(outcome);
        let in_time = pass.generation == self.generation && self.judge(now, &pass, outcome);
        self.metrics.late += u64::from(!in_time);
    }
}
