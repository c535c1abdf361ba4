//! The machine's monotonic clock as core's time.

use rustix::time::{ClockId, clock_gettime};
use seaworthy_core::time::Instant;

#[cfg(test)]
thread_local! {
    /// When tokio's clock, which can be paused, became that of this thread, and 0.
    pub(crate) static VIRTUAL_SINCE: std::cell::Cell<Option<tokio::time::Instant>> =
        const { std::cell::Cell::new(None) };
}

/// Now, on a clock that all processes of this machine share.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(begin) = VIRTUAL_SINCE.get() {
        return Instant::EPOCH + begin.elapsed();
    }
    let time = clock_gettime(ClockId::Monotonic);
    Instant::from_nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

/// Sleeps until `deadline`; for ever if there is none.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(now())).await,
        None => std::future::pending().await,
    }
}
