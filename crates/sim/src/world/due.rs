//! Waiting for a moment, on a machine that is never quite on time.

use seaworthy_core::time::Instant;

use crate::distribution::{Dice, Distribution};

/// When somebody wants to be told the time, and when that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    meant: Option<Instant>,
    pub(super) wakes: Option<Instant>,
}

// === impl Due ===

impl Due {
    /// It is `meant` now. Whoever waits for the same moment as before does not begin to wait anew.
    pub(super) fn next(self, meant: Option<Instant>, late: Distribution, dice: &mut Dice) -> Self {
        if meant == self.meant {
            return self;
        }
        Self { meant, wakes: meant.map(|at| at + dice.duration(late)) }
    }
}
