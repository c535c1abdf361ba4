//! What stands around the calls to one service.

use std::time::Duration;

use seaworthy_core::call::Standing;
use seaworthy_core::experiment::caller::Dependency;
use seaworthy_core::policy::fallback::Fallback;
use seaworthy_core::policy::guard::{self, Guard};
use seaworthy_core::policy::retry::Retry;
use seaworthy_core::policy::{Outcome, Rejection};
use seaworthy_core::time::Instant;

use super::request::Piece;

/// The patterns, inside the pool and outside of it.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) config: Dependency,
    pub(super) guard: Guard,
    pub(super) retry: Option<Retry>,
    last_good: Option<Fallback<String, ()>>,
}

/// What came of a call or of a try.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came {
    Status(u16),
    /// No answer, or not all of it.
    Broken,
    Timeout,
    Rejected(Rejection),
}

// === impl Stack ===

impl Stack {
    /// `seed` draws jitter.
    pub(super) fn new(now: Instant, config: Dependency, seed: u64) -> Self {
        Self {
            guard: Guard::new(config.guard.clone(), seed),
            retry: config.retry.map(|config| Retry::new(now, config, seed)),
            last_good: config.fallback.map(Fallback::new),
            config,
        }
    }

    /// How its policies stand.
    pub(super) fn standing(&mut self, now: Instant) -> Standing {
        let retries_left = self.retry.as_mut().map(|retry| retry.left(now));
        Standing { retries_left, ..Standing::of(now, &mut self.guard) }
    }

    /// What a request gets of a call: its answer, an old one, or nothing.
    pub(super) fn piece(&mut self, now: Instant, target: &str, came: Came) -> Piece {
        let good = came.outcome(&self.config.guard) == Outcome::Success;
        let Some(last_good) = &mut self.last_good else { return came.piece() };
        if good {
            if came.piece() == Piece::Fresh {
                // Nobody knows how large it is.
                last_good.keep(now, target.to_owned(), (), 1, Duration::ZERO);
            }
            return came.piece();
        }
        let old = last_good.instead(now, &target.to_owned());
        old.map_or_else(|_| came.piece(), |stale| Piece::Old(stale.age))
    }
}

// === impl Came ===

impl Came {
    /// As `layers` judges it.
    pub(super) fn outcome(self, guard: &guard::Config) -> Outcome {
        match self {
            Self::Status(status) => guard.outcome(status),
            Self::Broken => Outcome::Failure,
            Self::Timeout => Outcome::Timeout,
            Self::Rejected(_) => Outcome::Cancelled,
        }
    }

    fn piece(self) -> Piece {
        match self {
            Self::Status(..400) => Piece::Fresh,
            // What the user got wrong: no other piece makes up for it.
            Self::Status(status @ (400 | 404)) => Piece::Refusal(status),
            Self::Status(status) => Piece::Missing(status),
            Self::Broken => Piece::Missing(502),
            Self::Timeout | Self::Rejected(Rejection::DeadlinePassed) => Piece::Missing(504),
            Self::Rejected(_) => Piece::Missing(503),
        }
    }
}
