//! How a load goes, for those who watch while it does.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The length of a slice of time.
const SLICE: Duration = Duration::from_millis(100);

/// Requests that succeeded and failed so far, by their intended send. Shared between threads.
#[derive(Debug)]
pub struct Progress {
    slices: Vec<[AtomicU32; 2]>,
}

/// Requests of a period whose outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Right answers in time.
    pub(crate) right: u32,
    /// All others.
    pub(crate) failed: u32,
}

impl Progress {
    /// Of a load of `duration`, of which nothing is known yet.
    pub fn new(duration: Duration) -> Self {
        let slices = duration.as_nanos().div_ceil(SLICE.as_nanos()) as usize;
        Self { slices: (0..slices).map(|_| Default::default()).collect() }
    }

    /// The outcome of a request that was meant to be sent at `intended`.
    pub(crate) fn note(&self, intended: Duration, succeeded: bool) {
        if let Some(slice) = self.slices.get(index(intended)) {
            // Nothing else is read after it, so no order is needed.
            slice[usize::from(!succeeded)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Of the last whole second before `now`.
    pub(crate) fn last_second(&self, now: Duration) -> Tally {
        let end = SLICE * index(now) as u32;
        self.tally(end.saturating_sub(Duration::from_secs(1))..end)
    }

    /// Of the slices that `period` touches.
    pub(crate) fn tally(&self, period: Range<Duration>) -> Tally {
        let end = period.end.as_nanos().div_ceil(SLICE.as_nanos()) as usize;
        let end = end.min(self.slices.len());
        let slices = &self.slices[index(period.start).min(end)..end];
        let sum = |n: usize| slices.iter().map(|slice| slice[n].load(Ordering::Relaxed)).sum();
        Tally { right: sum(0), failed: sum(1) }
    }
}

fn index(at: Duration) -> usize {
    (at.as_nanos() / SLICE.as_nanos()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_where_they_were_intended() {
        let ms = Duration::from_millis;
        let progress = Progress::new(ms(250));
        for (at, succeeded) in [(0, true), (99, true), (100, false), (249, true), (999, true)] {
            progress.note(ms(at), succeeded);
        }
        assert_eq!(progress.tally(ms(0)..ms(50)), Tally { right: 2, failed: 0 });
        assert_eq!(progress.tally(ms(100)..ms(9999)), Tally { right: 1, failed: 1 });
        assert_eq!(progress.tally(ms(9000)..ms(9999)), Tally::default());
        assert_eq!(progress.last_second(ms(199)), Tally { right: 2, failed: 0 });
    }
}
