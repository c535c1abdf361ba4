//! Guard: deadline, breaker and bulkhead of one service, in one fixed order.
//!
//! *What it protects*: see [`timeout`](super::timeout), [`breaker`] and [`bulkhead`]; each may be
//! left out. *When it trips*: the first that rejects decides. *How it recovers*: as they do. *What
//! it does not do*: wait, try again, or choose a fallback.
//!
//! The order is fixed because it has a meaning. Has the deadline passed? Is the breaker open, or
//! are its trials taken (nothing is taken yet)? Is there room in the bulkhead? Then the breaker's
//! pass, and with it a trial. So a full bulkhead never takes a trial and never counts for the
//! breaker, and a breaker that is open never takes a permit.

mod check;
mod finding;
mod trip;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::breaker::{self, Breaker};
use super::bulkhead::{self, Bulkhead, Permit};
use super::timeout::Timeout;
use super::{Ask, Outcome, Policy, Rejection};
use crate::health::Matcher;
use crate::time::Instant;

pub use check::check;
pub use finding::{Finding, Severity, Starvation};
pub use trip::time_to_trip;

/// What guards the calls to one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// A call may take so long.
    pub timeout: Option<Duration>,
    /// When no calls are made.
    pub breaker: Option<breaker::Config>,
    /// How many calls may be under way.
    pub bulkhead: Option<bulkhead::Config>,
    /// Which statuses are failures.
    pub failure_status: Matcher,
}

/// The guard of one service. Allocates when it is made, and never again.
#[derive(Debug)]
pub struct Guard {
    timeout: Option<Timeout>,
    breaker: Option<Breaker>,
    bulkhead: Option<Bulkhead>,
}

/// Leave to call. It must be settled when the work has ended.
#[derive(Debug)]
#[must_use = "how the call went must be told"]
pub struct Pass {
    deadline: Option<Instant>,
    breaker: Option<breaker::Pass>,
    permit: Option<Permit>,
}

// === impl Config ===

impl Config {
    /// How an answer with this status went.
    pub fn outcome(&self, status: u16) -> Outcome {
        if self.failure_status.matches(status) { Outcome::Failure } else { Outcome::Success }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Hystrix's and resilience4j's: longer than most calls between services take, shorter
            // than people wait.
            timeout: Some(Duration::from_secs(1)),
            breaker: Some(breaker::Config::default()),
            bulkhead: Some(bulkhead::Config::default()),
            // The service's own fault. A 4xx is the caller's, and no reason to stop calling.
            failure_status: "500-599".parse().expect("it is a range of statuses"),
        }
    }
}

// === impl Guard ===

impl Guard {
    /// A guard that has seen nothing yet. `seed` draws the breaker's jitter.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            timeout: config.timeout.map(Timeout::new),
            breaker: config.breaker.map(|config| Breaker::new(config, seed)),
            bulkhead: config.bulkhead.map(Bulkhead::new),
        }
    }

    /// The breaker, if there is one.
    pub fn breaker(&mut self) -> Option<&mut Breaker> {
        self.breaker.as_mut()
    }

    /// The bulkhead, if there is one.
    pub fn bulkhead(&self) -> Option<&Bulkhead> {
        self.bulkhead.as_ref()
    }

    /// The caller waits no longer and the work runs on. If the call is past its deadline or the
    /// slow threshold, the breaker has its slow failure now; if not, the work may still tell it
    /// something, or the deadline, if this is said again when it has passed. The bulkhead's permit
    /// stays where it is until the work ends and the pass is settled.
    pub fn abandon(&mut self, now: Instant, pass: &mut Pass) {
        if let Some(breaker) = &mut self.breaker
            && let Some(own) = pass.breaker.take_if(|own| breaker.is_overdue(now, own))
        {
            breaker.settle(now, own, Outcome::Cancelled);
        }
        self.abandon_permit(now, pass);
    }

    /// The caller waits no longer, and nobody will ever know how the work ended: the breaker hears
    /// `outcome` now. The bulkhead's permit stays where it is until the pass is settled.
    pub fn disown(&mut self, now: Instant, pass: &mut Pass, outcome: Outcome) {
        self.judge(now, pass, outcome);
        self.abandon_permit(now, pass);
    }

    /// It is known how the call went, although its work goes on and is waited for: the breaker hears
    /// `outcome` now, and nothing of the end. The bulkhead's permit stays where it is until the pass
    /// is settled.
    pub fn judge(&mut self, now: Instant, pass: &mut Pass, outcome: Outcome) {
        if let (Some(breaker), Some(own)) = (&mut self.breaker, pass.breaker.take()) {
            breaker.settle(now, own, outcome);
        }
    }

    fn abandon_permit(&mut self, now: Instant, pass: &mut Pass) {
        if let (Some(bulkhead), Some(permit)) = (&mut self.bulkhead, &mut pass.permit) {
            bulkhead.abandon(now, permit);
        }
    }

    /// The earlier of the caller's deadline and our own.
    pub(crate) fn deadline(
        &mut self,
        now: Instant,
        ask: &Ask,
    ) -> Result<Option<Instant>, Rejection> {
        match (&mut self.timeout, ask.deadline) {
            (Some(timeout), _) => timeout.admit(now, ask).map(|deadline| Some(deadline.0)),
            (None, Some(deadline)) if deadline <= now => Err(Rejection::DeadlinePassed),
            (None, deadline) => Ok(deadline),
        }
    }
}

// === impl Policy for Guard ===

impl Policy for Guard {
    type Pass = Pass;

    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Pass, Rejection> {
        let deadline = self.deadline(now, ask)?;
        let ask = Ask { deadline, ..*ask };
        if let Some(breaker) = &mut self.breaker {
            breaker.check(now)?;
        }
        let permit =
            self.bulkhead.as_mut().map(|bulkhead| bulkhead.admit(now, &ask)).transpose()?;
        match self.breaker.as_mut().map(|breaker| breaker.admit(now, &ask)).transpose() {
            Ok(breaker) => Ok(Pass { deadline, breaker, permit }),
            Err(why) => {
                let pass = Pass { deadline, breaker: None, permit };
                self.settle(now, pass, Outcome::Cancelled);
                Err(why)
            }
        }
    }

    fn settle(&mut self, now: Instant, pass: Pass, outcome: Outcome) {
        if let (Some(breaker), Some(own)) = (&mut self.breaker, pass.breaker) {
            breaker.settle(now, own, outcome);
        }
        if let (Some(bulkhead), Some(permit)) = (&mut self.bulkhead, pass.permit) {
            bulkhead.settle(now, permit, outcome);
        }
    }
}

// === impl Pass ===

impl Pass {
    /// When the call must be over, if it must.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
