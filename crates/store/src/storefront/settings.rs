//! How the storefront protects itself, and what of that cannot work.

use std::time::Duration;

use seaworthy_core::policy::guard::{self, Severity};
use seaworthy_core::policy::{breaker, bulkhead};

use super::piece::Piece;
use crate::Error;

/// The patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// So many calls may be under way, to all dependencies together.
    pub concurrency: u32,
    /// Who may have how many of them.
    pub bulkheads: Bulkheads,
    /// A call may take so long: waiting for a slot, all its tries and the answer.
    pub timeout: Option<Duration>,
    /// How long a breaker stays open at the longest, if there are breakers.
    pub breaker: Option<Duration>,
    /// What is given instead of an error.
    pub fallback: Fallback,
    /// Whether a call that failed may be tried again.
    pub retry: bool,
}

/// Who may have how many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulkheads {
    /// Anybody as many as there are. A call that finds none waits for one, as in the queue of a
    /// pool of threads. The worse way, kept for comparison.
    Shared,
    /// Each dependency its share. A call that finds it used up is refused at once.
    Divided,
}

/// What is given instead of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing.
    Error,
    /// The last good answer, with its age.
    Cached,
}

// === impl Settings ===

impl Settings {
    /// The guard's settings for the calls to `piece`.
    pub(super) fn guard(&self, piece: Piece) -> guard::Config {
        guard::Config {
            timeout: self.timeout,
            breaker: self.breaker.map(|longest| self.breaker_config(longest)),
            bulkhead: Some(bulkhead::Config::Fixed(self.slots(piece))),
            ..guard::Config::default()
        }
    }

    /// What is likely wrong with these settings. An error is what cannot work.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let mut warnings = Vec::new();
        for piece in Piece::ALL {
            for finding in guard::check(&self.guard(piece), None) {
                let told = format!("{}: {finding}", piece.name());
                if finding.severity() == Severity::Refused {
                    return Err(Error::Settings(told));
                }
                warnings.push(told);
            }
        }
        Ok(warnings)
    }

    /// How many slots the calls to `piece` may have. What cannot be divided evenly goes to the
    /// first ones.
    pub(super) fn slots(&self, piece: Piece) -> u32 {
        let pieces = Piece::ALL.len() as u32;
        match self.bulkheads {
            Bulkheads::Shared => self.concurrency,
            Bulkheads::Divided => {
                let rest = self.concurrency % pieces;
                self.concurrency / pieces + u32::from((piece as u32) < rest)
            }
        }
    }

    fn breaker_config(&self, longest: Duration) -> breaker::Config {
        let default = breaker::Config::default();
        let first = default.open.first.min(longest);
        // A trial that its caller still waits for has not failed.
        let lease = default.trials.lease.max(self.timeout.unwrap_or_default());
        breaker::Config {
            open: breaker::Opening { first, longest, ..default.open },
            trials: breaker::Trials { lease, ..default.trials },
            ..default
        }
    }
}

impl Default for Settings {
    /// All patterns.
    fn default() -> Self {
        Self {
            concurrency: 100,
            bulkheads: Bulkheads::Divided,
            timeout: Some(Duration::from_secs(1)),
            breaker: Some(Duration::from_secs(5)),
            fallback: Fallback::Cached,
            retry: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_divided_without_rest() {
        let slots = |concurrency, bulkheads| {
            let settings = Settings { concurrency, bulkheads, ..Settings::default() };
            Piece::ALL.map(|piece| settings.slots(piece))
        };
        assert_eq!(slots(100, Bulkheads::Divided), [34, 33, 33]);
        assert_eq!(slots(101, Bulkheads::Divided), [34, 34, 33]);
        assert_eq!(slots(3, Bulkheads::Divided), [1, 1, 1]);
        assert_eq!(slots(100, Bulkheads::Shared), [100; 3]);
    }

    #[test]
    fn the_defaults_are_beyond_reproach() {
        assert_eq!(Settings::default().check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_arithmetic() {
        let told = |settings: Settings| settings.check().unwrap_err().to_string();
        let starved = Settings {
            concurrency: 30,
            timeout: Some(Duration::from_secs(30)),
            ..Settings::default()
        };
        let expected = "products: 10 permits held for 30s come free 0.33 times a second, which \
                        gives a window of 10s at most 10 outcomes, and the breaker's minimum is \
                        20: while calls hang the breaker can never open";
        assert_eq!(told(starved), expected);
        let none = Settings { concurrency: 2, ..Settings::default() };
        assert_eq!(told(none), "orders: bulkhead is 0; allowed is 1 to 4294967295");
    }

    #[test]
    fn a_breaker_without_a_timeout_is_warned_of() {
        let warnings = Settings { timeout: None, ..Settings::default() }.check().unwrap();
        assert_eq!(warnings.len(), 3);
        assert!(warnings[0].starts_with("products: without a timeout"), "{warnings:?}");
    }
}
