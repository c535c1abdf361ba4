//! A service in virtual time behind a guard: calls come evenly, and each ends when the service
//! says, or when its caller's patience does.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::policy::breaker::{Breaker, State, Transition};
use seaworthy_core::policy::bulkhead::Bulkhead;
use seaworthy_core::policy::guard::{Config, Guard, Pass};
use seaworthy_core::policy::{Ask, Outcome, Policy};
use seaworthy_core::time::Instant;

/// How the service answers a call that reaches it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Rightly, after so long.
    Right(Duration),
    /// With an error, after so long.
    Error(Duration),
}

/// What becomes of the work when the caller's deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The caller says that it timed out, and the work ends.
    Tells,
    /// The caller is dropped with the work; nobody says why.
    Dropped,
    /// The caller goes and the work runs on.
    Abandons,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When calls reached the service.
    pub(crate) reached: Vec<Instant>,
    /// Calls that were answered rightly in time.
    pub(crate) right: u64,
    pub(crate) rejected: u64,
    /// The most work that ran at once.
    pub(crate) most_running: u32,
    pub(crate) most_abandoned: u32,
    pub(crate) transitions: Vec<Transition>,
}

enum End {
    Work(Pass, Outcome),
    Patience(Pass, Duration),
}

/// The guard, and the calls under way.
pub(crate) struct World {
    pub(crate) guard: Guard,
    pub(crate) now: Instant,
    patience: Patience,
    /// Ordered by time, then by arrival.
    ends: BTreeMap<(Instant, u64), End>,
    running: u32,
    calls: u64,
    pub(crate) seen: Seen,
}

// === impl World ===

impl World {
    pub(crate) fn new(config: Config, patience: Patience) -> Self {
        Self {
            guard: Guard::new(config, 1),
            now: Instant::EPOCH,
            patience,
            ends: BTreeMap::new(),
            running: 0,
            calls: 0,
            seen: Seen::default(),
        }
    }

    /// Lets calls come every `spacing` for `length`, the first one after the first `spacing`.
    pub(crate) fn load(
        &mut self,
        spacing: Duration,
        length: Duration,
        mut service: impl FnMut(Instant) -> Answer,
    ) {
        let until = self.now + length;
        let mut next = self.now + spacing;
        while next <= until {
            self.wait(next);
            self.call(service(next));
            next = next + spacing;
        }
        self.wait(until);
    }

    /// Lets time pass without calls.
    pub(crate) fn wait(&mut self, until: Instant) {
        while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, id), end) = entry.remove_entry();
            self.now = at;
            self.end(id, end);
        }
        self.now = until;
        while let Some(transition) = self.guard.breaker().and_then(Breaker::poll_transition) {
            self.seen.transitions.push(transition);
        }
    }

    /// When the breaker first opened, after `since`.
    pub(crate) fn opened(&self, since: Instant) -> Option<Duration> {
        let opens = |t: &&Transition| matches!(t.after, State::Open { .. }) && t.at >= since;
        self.seen.transitions.iter().find(opens).map(|t| t.at.since(since))
    }

    fn call(&mut self, answer: Answer) {
        let Ok(pass) = self.guard.admit(self.now, &Ask { repeatable: true, deadline: None }) else {
            self.seen.rejected += 1;
            return;
        };
        self.calls += 1;
        self.running += 1;
        self.seen.most_running = self.seen.most_running.max(self.running);
        self.seen.reached.push(self.now);
        let (takes, outcome) = match answer {
            Answer::Right(takes) => (takes, Outcome::Success),
            Answer::Error(takes) => (takes, Outcome::Failure),
        };
        let ends = self.now + takes;
        let (at, end) = match pass.deadline() {
            Some(deadline) if deadline < ends => {
                (deadline, End::Patience(pass, ends.since(deadline)))
            }
            _ => (ends, End::Work(pass, outcome)),
        };
        self.ends.insert((at, self.calls), end);
    }

    fn end(&mut self, id: u64, end: End) {
        match (end, self.patience) {
            (End::Work(pass, outcome), _) => {
                self.seen.right += u64::from(outcome == Outcome::Success);
                self.settle(pass, outcome);
            }
            (End::Patience(pass, _), Patience::Tells) => self.settle(pass, Outcome::Timeout),
            (End::Patience(pass, _), Patience::Dropped) => self.settle(pass, Outcome::Cancelled),
            (End::Patience(mut pass, rest), Patience::Abandons) => {
                self.guard.abandon(self.now, &mut pass);
                self.ends.insert((self.now + rest, id), End::Work(pass, Outcome::Failure));
            }
        }
        let abandoned = self.guard.bulkhead().map_or(0, Bulkhead::abandoned);
        self.seen.most_abandoned = self.seen.most_abandoned.max(abandoned);
    }

    fn settle(&mut self, pass: Pass, outcome: Outcome) {
        self.running -= 1;
        self.guard.settle(self.now, pass, outcome);
    }
}
