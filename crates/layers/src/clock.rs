//! The one place where tokio's clock becomes core's time.
//!
//! Tokio's and not the standard one, so that a test with paused time drives everything here.

use std::sync::LazyLock;
use std::time::Duration;

use seaworthy_core::time::Instant;
use tokio::time::Instant as Moment;

/// The process's epoch: an hour before anybody asked, because a paused clock stands still at the
/// time at which its runtime began.
static EPOCH: LazyLock<Moment> = LazyLock::new(|| {
    let now = std::time::Instant::now();
    Moment::from_std(now.checked_sub(Duration::from_secs(3600)).unwrap_or(now))
});

/// What a timer that is never meant to end is set to.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Now, as core has it.
pub(crate) fn now() -> Instant {
    Instant::EPOCH + Moment::now().saturating_duration_since(*EPOCH)
}

/// The moment to which a timer is set.
pub(crate) fn moment(at: Instant) -> Moment {
    *EPOCH + at.since(Instant::EPOCH).min(FAR)
}
