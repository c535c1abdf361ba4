//! Bulkhead: a bound on the work that is under way.
//!
//! *What it protects*: everybody who does not need the service, from one that holds on to every
//! slot there is. *When it trips*: when as much work runs as may. *How it recovers*: as work ends.
//! *What it does not do*: queue (waiting belongs to the dispatcher), or stop work.
//!
//! The permit follows the work and not the caller's patience: when the caller goes away and the
//! work runs on, the permit is *abandoned* and still takes its place, for the service is still
//! busy with it. It comes free when it is settled, which is when the work has ended.

use serde::{Deserialize, Serialize};

use super::adaptive::{self, Adaptive};
use super::{Ask, Outcome, Policy, Rejection};
use crate::time::Instant;

/// How much work may be under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// So much.
    Fixed(u32),
    /// As much as its latency bears.
    Adaptive(adaptive::Config),
}

/// Counts the work of one service.
#[derive(Debug)]
pub struct Bulkhead {
    size: Size,
    running: u32,
    abandoned: u32,
    rejected: u64,
}

#[derive(Debug)]
enum Size {
    Fixed(u32),
    Adaptive(Adaptive),
}

/// A place for one piece of work. It must be settled when the work has ended.
#[derive(Debug)]
#[must_use = "a permit that is never settled never comes free"]
pub struct Permit {
    began: Instant,
    deadline: Option<Instant>,
    /// Permits in use when it was given, itself included.
    running: u32,
    abandoned: bool,
}

// === impl Config ===

impl Config {
    /// The most work that can be under way.
    pub fn largest(&self) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Adaptive(config) => config.largest,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        // Rate times p99 and some room: 30 calls a second of 0.2 s each keep 6 busy (Hystrix).
        Self::Fixed(10)
    }
}

// === impl Bulkhead ===

impl Bulkhead {
    /// Nothing is under way.
    pub fn new(config: Config) -> Self {
        let size = match config {
            Config::Fixed(size) => Size::Fixed(size),
            Config::Adaptive(config) => Size::Adaptive(Adaptive::new(config)),
        };
        Self { size, running: 0, abandoned: 0, rejected: 0 }
    }

    /// How much work may be under way.
    pub fn limit(&self) -> u32 {
        match &self.size {
            Size::Fixed(size) => *size,
            Size::Adaptive(adaptive) => adaptive.limit(),
        }
    }

    /// How much is, abandoned work included. It may be above the limit when that has just shrunk.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// How much of it nobody waits for any more.
    pub fn abandoned(&self) -> u32 {
        self.abandoned
    }

    /// How often it was full.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// The caller has gone and the work runs on. A second time changes nothing.
    pub fn abandon(&mut self, now: Instant, permit: &mut Permit) {
        if !std::mem::replace(&mut permit.abandoned, true) {
            self.abandoned += 1;
            self.learn(now, permit, Outcome::Cancelled);
        }
    }

    fn learn(&mut self, now: Instant, permit: &Permit, outcome: Outcome) {
        let Size::Adaptive(adaptive) = &mut self.size else { return };
        let overdue = permit.deadline.is_some_and(|deadline| deadline <= now);
        match outcome {
            Outcome::Success => adaptive.answered(now, now.since(permit.began), permit.running),
            Outcome::Timeout => adaptive.dropped(now, permit.running),
            Outcome::Cancelled if overdue => adaptive.dropped(now, permit.running),
            // An error may be quick or slow: its time says nothing about the load.
            Outcome::Failure | Outcome::Cancelled => {}
        }
    }
}

// === impl Policy for Bulkhead ===

impl Policy for Bulkhead {
    type Pass = Permit;

    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Permit, Rejection> {
        let (limit, running, abandoned) = (self.limit(), self.running, self.abandoned);
        if running >= limit {
            self.rejected += 1;
            return Err(Rejection::Full { limit, running, abandoned });
        }
        self.running += 1;
        Ok(Permit { began: now, deadline: ask.deadline, running: self.running, abandoned: false })
    }

    fn settle(&mut self, now: Instant, permit: Permit, outcome: Outcome) {
        self.running -= 1;
        if permit.abandoned {
            // What was to be learned was learned when the caller went.
            self.abandoned -= 1;
        } else {
            self.learn(now, &permit, outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The limit after so many rounds of twelve calls of one second, with a deadline of so many
    /// seconds and this outcome; it begins at 20, and each round is a window.
    fn limit(rounds: u32, deadline: u32, outcome: Outcome) -> u32 {
        let config = adaptive::Config { window_calls: 1, ..adaptive::Config::default() };
        let mut bulkhead = Bulkhead::new(Config::Adaptive(config));
        let mut now = Instant::EPOCH;
        for _ in 0..rounds {
            let ask = Ask { repeatable: true, deadline: Some(now + SECOND * deadline) };
            let permits: Vec<Permit> =
                (0..12).filter_map(|_| bulkhead.admit(now, &ask).ok()).collect();
            now = now + SECOND;
            for permit in permits {
                bulkhead.settle(now, permit, outcome);
            }
        }
        bulkhead.limit()
    }

    #[test]
    fn only_answers_grow_it_and_what_has_no_answer_in_time_shrinks_it() {
        assert_eq!(limit(1, 2, Outcome::Success), 20);
        // The first window ends with the first call, when hardly any of the limit was used.
        assert_eq!(limit(5, 2, Outcome::Success), 23);
        assert_eq!(limit(5, 2, Outcome::Timeout), 11);
        assert_eq!(limit(5, 1, Outcome::Cancelled), 11, "dropped past the deadline");
        assert_eq!(limit(5, 2, Outcome::Cancelled), 20, "dropped before it");
        assert_eq!(limit(5, 2, Outcome::Failure), 20);
    }

    #[test]
    fn an_abandoned_call_is_learned_from_when_it_is_abandoned_and_not_again() {
        let config = adaptive::Config { window_calls: 1, ..adaptive::Config::default() };
        let mut bulkhead = Bulkhead::new(Config::Adaptive(config));
        let late = Instant::EPOCH + SECOND;
        let ask = Ask { repeatable: true, deadline: Some(late) };
        let mut permit = bulkhead.admit(Instant::EPOCH, &ask).unwrap();
        bulkhead.abandon(late, &mut permit);
        assert_eq!((bulkhead.limit(), bulkhead.running(), bulkhead.abandoned()), (18, 1, 1));
        bulkhead.settle(late + SECOND, permit, Outcome::Timeout);
        assert_eq!((bulkhead.limit(), bulkhead.running(), bulkhead.abandoned()), (18, 0, 0));
    }
}
