//! How long things take, by arithmetic from settings. All in seconds.

use std::time::Duration;

use seaworthy_core::health;

use super::{Candidate, Question};
use crate::availability::{Repair, Span};

/// The times of one candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// From the moment at which a task hangs to the end of its requests.
    pub(super) detection: Span,
    /// From the end of a task to its replacement in rotation.
    pub(super) replacement: Span,
    /// From the start of a deployment to its end.
    pub(super) deployment: f64,
    /// The share of failures that are hangs.
    hangs: f64,
}

// === impl Timing ===

impl Timing {
    pub(super) fn new(question: &Question<'_>, candidate: &Candidate) -> Self {
        let cluster = candidate.cluster(question.service);
        let (shortest, longest) = cluster.provisioning;
        let start = question.start();
        // A new task is checked every fast interval, so the first check is up to one away.
        let first_check = candidate.health.fast_interval;
        let replacement =
            (shortest.as_secs_f64() + start.0, (longest + first_check).as_secs_f64() + start.1);
        // New tasks start beyond those that stay, as many at a time as the ceiling lets in.
        let at_once = (cluster.ceiling() - cluster.floor()).max(1);
        let waves = f64::from(candidate.tasks.div_ceil(at_once));
        let wave =
            f64::midpoint(replacement.0, replacement.1) + cluster.deployment.settle.as_secs_f64();
        Self {
            detection: detection(&candidate.health),
            replacement,
            deployment: waves * wave,
            hangs: question.world.hangs_percent / 100.0,
        }
    }

    /// How long the repair of a task takes. That a task has died is known at once; that it hangs is
    /// found out first.
    pub(super) fn repair(&self) -> Repair {
        let (low, high) = self.replacement;
        let second = (low + self.detection.0, high + self.detection.1);
        Repair::Mixed { share: self.hangs, first: self.replacement, second }
    }

    /// The shortest and the longest repair there may be.
    pub(super) fn window(&self) -> Span {
        let hang = if self.hangs > 0.0 { self.detection } else { (0.0, 0.0) };
        let low = if self.hangs < 1.0 { 0.0 } else { hang.0 };
        (self.replacement.0 + low, self.replacement.1 + hang.1)
    }

    /// The same times with all luck, or with none.
    pub(super) fn at(self, luck: impl Fn(Span) -> f64) -> Self {
        let fixed = |span| (luck(span), luck(span));
        let (detection, replacement) = (fixed(self.detection), fixed(self.replacement));
        Self { detection, replacement, ..self }
    }
}

/// A steady task is checked once an interval, and it hangs at any moment of it. Each check then fails
/// by its timeout, and after the first the next ones come at the fast interval, but none before the
/// one under way has ended. What requests show of a task may take it out sooner; that is not
/// reckoned with, for it needs requests.
fn detection(health: &health::Config) -> Span {
    let again = health.fast_interval.max(health.timeout) * (health.unhealthy_threshold - 1);
    let checks: Duration = again + health.timeout;
    (checks.as_secs_f64(), (health.interval + checks).as_secs_f64())
}
