//! What a task's requests have shown of it lately.

use std::time::Duration;

use super::suspects::Suspects;
use super::typical::Typical;
use crate::policy::breaker;
use crate::policy::breaker::window::{Counted, Sums, Window};
use crate::time::Instant;

/// What one task has done.
#[derive(Debug)]
pub(in crate::health) struct Conduct {
    /// How long a peer's word for a request counts.
    lately: Duration,
    window: Window,
    /// Answers that did not come in time, whosever fault that is.
    late: Window,
    /// Without an answer in between.
    failures: Streak,
    /// Without a quick answer in between.
    slow: Streak,
    typical: Typical,
    /// When its last quick answer came.
    quick: Option<Instant>,
}

/// Things that went wrong in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::health) struct Row {
    pub(in crate::health) count: u32,
    /// Of them, those that a peer did better.
    pub(in crate::health) surely: u32,
    pub(in crate::health) since: Instant,
    /// When the first of them was asked for.
    pub(in crate::health) asked: Instant,
}

/// The last row, and what may be in the next one.
#[derive(Debug, Default)]
struct Streak {
    row: Row,
    suspects: Suspects,
}

// === impl Conduct ===

impl Conduct {
    /// Nothing is known of it yet. Its share of failures is kept over `window`.
    pub(in crate::health) fn new(window: Duration) -> Self {
        Self {
            lately: window,
            window: Window::new(breaker::Window::Time(window)),
            late: Window::new(breaker::Window::Time(window)),
            failures: Streak::default(),
            slow: Streak::default(),
            typical: Typical::default(),
            quick: None,
        }
    }

    /// Forgets what was held against it.
    pub(in crate::health) fn pardon(&mut self) {
        self.window.clear();
        self.late.clear();
        self.failures = Streak::default();
        self.slow = Streak::default();
    }

    /// A proper answer came after so long.
    pub(in crate::health) fn answered(
        &mut self,
        now: Instant,
        latency: Duration,
        slow: bool,
        fingerprint: u64,
    ) {
        self.window.record(now, Counted { failed: false, slow });
        self.failures.end();
        self.typical.learn(latency);
        if slow {
            self.slow.add(now, latency, fingerprint, false, self.lately);
        } else {
            self.slow = Streak::default();
            self.quick = Some(now);
        }
    }

    /// Another task's answer came first. Whatever was asked, it can be answered sooner.
    pub(in crate::health) fn overtaken(&mut self, now: Instant, waited: Duration, print: u64) {
        self.window.record(now, Counted { failed: false, slow: true });
        self.typical.learn_at_least(waited);
        self.slow.add(now, waited, print, true, self.lately);
    }

    /// It failed a request. What may be the request's own doing counts once.
    pub(in crate::health) fn failed(
        &mut self,
        now: Instant,
        waited: Duration,
        fingerprint: u64,
        blamed: bool,
    ) {
        if self.failures.add(now, waited, fingerprint, blamed, self.lately) {
            self.window.record(now, Counted { failed: true, slow: false });
        }
    }

    /// An answer has not come in time, but was waited for so long.
    pub(in crate::health) fn saw_late(&mut self, now: Instant, waited: Duration) {
        self.late.record(now, Counted::default());
        self.typical.learn_at_least(waited);
    }

    /// Another task has answered this request, and perhaps quickly.
    pub(in crate::health) fn compare(&mut self, now: Instant, fingerprint: u64, quick: bool) {
        self.failures.suspects.clear(now, fingerprint);
        if quick {
            self.slow.suspects.clear(now, fingerprint);
        }
    }

    /// Failures in a row.
    pub(in crate::health) fn failures(&self) -> Row {
        self.failures.row
    }

    /// Slow answers in a row.
    pub(in crate::health) fn slow(&self) -> Row {
        self.slow.row
    }

    /// Requests in the window, and how many failed or were slow.
    pub(in crate::health) fn sums(&mut self, now: Instant) -> Sums {
        self.window.sums(now)
    }

    /// How many requests in the window were answered, and how many were not in time.
    pub(in crate::health) fn answered_and_late(&mut self, now: Instant) -> [u64; 2] {
        let Sums { calls, failures, .. } = self.window.sums(now);
        [calls - failures, self.late.sums(now).calls]
    }

    /// What it usually takes, if that is known.
    pub(in crate::health) fn typical(&self) -> Option<Duration> {
        self.typical.get()
    }

    /// Whether it has answered quickly since.
    pub(in crate::health) fn is_quick_since(&self, since: Instant) -> bool {
        self.quick.is_some_and(|at| at >= since)
    }
}

// === impl Streak ===

impl Streak {
    /// True if this counts: what another task did well surely does.
    fn add(
        &mut self,
        now: Instant,
        waited: Duration,
        fingerprint: u64,
        blamed: bool,
        lately: Duration,
    ) -> bool {
        if !(blamed || self.suspects.count(now, fingerprint, lately)) {
            return false;
        }
        let Row { count, surely, since, asked } = &mut self.row;
        if *count == 0 {
            (*since, *asked) = (now, now - waited);
        }
        *count = count.saturating_add(1);
        *surely = surely.saturating_add(u32::from(blamed));
        true
    }

    /// The row has ended; what was suspect stays so.
    fn end(&mut self) {
        (self.row.count, self.row.surely) = (0, 0);
    }
}
