//! How a task stands after the verdicts on it: in good standing, ejected, or on trial.

use std::time::Duration;

use super::{Config, Ejection};
use crate::time::Instant;

/// The verdicts on one task.
#[derive(Debug)]
pub(in crate::health) struct Standing {
    place: Place,
    /// Ejections in a row.
    times: u32,
    /// How long the last one was.
    length: Duration,
    /// It left good standing then, …
    left: Instant,
    /// … for being late, …
    late: bool,
    /// … and is in it again since then.
    calm: Instant,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::health) enum Place {
    /// Nothing is held against it.
    Good,
    /// It gets no requests until then.
    Ejected { until: Instant },
    /// It gets one request; if none has shown anything by then, it returns without.
    OnTrial { until: Instant },
}

// === impl Standing ===

impl Standing {
    /// As an earlier gateway left it, for as much longer as it had said.
    pub(in crate::health) fn new(now: Instant, earlier: Option<Ejection>, config: &Config) -> Self {
        let Ejection { times, left } =
            earlier.unwrap_or(Ejection { times: 0, left: Duration::ZERO });
        let length = config.lasts(times);
        let place = match earlier {
            None => Place::Good,
            Some(_) if left.is_zero() => Place::OnTrial { until: now + length },
            Some(_) => Place::Ejected { until: now + left },
        };
        // Before it came it was missing.
        let left = Instant::EPOCH;
        Self { place, times, length, left, late: false, calm: now }
    }

    pub(in crate::health) fn place(&self) -> Place {
        self.place
    }

    pub(in crate::health) fn is_good(&self) -> bool {
        self.place == Place::Good
    }

    pub(in crate::health) fn is_ejected(&self) -> bool {
        matches!(self.place, Place::Ejected { .. })
    }

    pub(in crate::health) fn is_on_trial(&self) -> bool {
        matches!(self.place, Place::OnTrial { .. })
    }

    /// Takes the task out; which one in a row it is, and for how long.
    pub(in crate::health) fn eject(
        &mut self,
        now: Instant,
        late: bool,
        config: &Config,
    ) -> (u32, Duration) {
        if self.is_good() {
            self.times = config.left_of(self.times, now.since(self.calm));
            self.left = now;
        }
        self.late = late;
        self.times = self.times.saturating_add(1);
        self.length = config.lasts(self.times);
        self.place = Place::Ejected { until: now + self.length };
        (self.times, self.length)
    }

    /// Nothing is held against it any more; but the next ejection would be one in a row.
    pub(in crate::health) fn pardon(&mut self, now: Instant) {
        (self.place, self.calm) = (Place::Good, now);
    }

    /// Whether it was last ejected for being late.
    pub(in crate::health) fn is_late(&self) -> bool {
        self.late
    }

    /// Whether it was out, or on trial, at that moment, which is not longer ago than its last return.
    pub(in crate::health) fn was_out(&self, at: Instant) -> bool {
        self.left <= at && (!self.is_good() || at < self.calm)
    }

    /// The time moves it on: from ejected to on trial, and from there to good standing. A trial that
    /// nobody gives, because nothing is asked that may be tried, must not cost a task for ever; it
    /// is waited for as long as the ejection was. True if it was moved.
    pub(in crate::health) fn move_on(&mut self, now: Instant) -> bool {
        match self.place {
            Place::Ejected { until } if until <= now => {
                self.place = Place::OnTrial { until: until + self.length };
            }
            Place::OnTrial { until } if until <= now => self.pardon(until),
            _ => return false,
        }
        true
    }

    /// A request of its trial shows what it has to show by then, and that is waited for; if it is nothing, as long
    /// again as if none had come.
    pub(in crate::health) fn await_trial(&mut self, until: Instant) {
        let length = self.length;
        if let Place::OnTrial { until: waits } = &mut self.place {
            *waits = until + length;
        }
    }

    /// When the time will move it on.
    pub(in crate::health) fn due(&self) -> Option<Instant> {
        match self.place {
            Place::Good => None,
            Place::Ejected { until } | Place::OnTrial { until } => Some(until),
        }
    }

    /// How long it was out, or will be.
    pub(in crate::health) fn length(&self) -> Duration {
        self.length
    }

    /// For whoever takes over.
    pub(in crate::health) fn ejection(&self, now: Instant) -> Option<Ejection> {
        let left = match self.place {
            Place::Good => return None,
            Place::Ejected { until } => until.since(now),
            Place::OnTrial { .. } => Duration::ZERO,
        };
        Some(Ejection { times: self.times, left })
    }
}
