//! Waiting for a moment, on a machine that is never quite on time.

use std::time::Duration;

use seaworthy_core::random::{Stream, unit};
use seaworthy_core::time::Instant;

use super::physics::Stalls;
use crate::distribution::{Dice, Distribution};

/// When somebody wants to be told the time, and when that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    meant: Option<Instant>,
    pub(super) wakes: Option<Instant>,
}

// === impl Due ===

impl Due {
    /// At this moment, and not before.
    pub(super) fn at(at: Instant) -> Self {
        Self { meant: Some(at), wakes: Some(at) }
    }

    /// It is `meant` now. Whoever waits for the same moment as before does not begin to wait anew.
    pub(super) fn next(self, meant: Option<Instant>, late: Distribution, dice: &mut Dice) -> Self {
        if meant == self.meant {
            return self;
        }
        Self { meant, wakes: meant.map(|at| at + dice.duration(late)) }
    }
}

// === impl Stalls ===

impl Stalls {
    /// When what is due at `at` is done.
    pub(super) fn done(&self, seed: u64, at: Instant) -> Instant {
        let Stalls { every, length } = *self;
        let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let number = at.as_nanos() / every;
        let begin = number * every + (unit(seed, Stream::Machine, number) * every as f64) as u64;
        let begin = Instant::EPOCH + Duration::from_nanos(begin);
        if (begin..begin + length).contains(&at) { begin + length } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_each_time_nothing_is_done_for_a_while() {
        let millis = Duration::from_millis;
        let stalls = Stalls { every: millis(1000), length: millis(10) };
        let at = |n: u64| Instant::EPOCH + millis(n);
        let late = |n: &u64| stalls.done(7, at(*n)) > at(*n);
        let held: Vec<u64> = (0..10_000).filter(late).collect();
        assert!((90..=110).contains(&held.len()), "{held:?}");
        let ends: Vec<Instant> = held.iter().map(|n| stalls.done(7, at(*n))).collect();
        assert!(ends.is_sorted(), "nobody overtakes");
    }
}
