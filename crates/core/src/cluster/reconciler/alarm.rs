//! What clients got, as far as it matters for a deployment.

use std::collections::VecDeque;
use std::time::Duration;

use super::Reconciler;
use crate::cluster::deployment::Alarm;
use crate::endpoints::Traffic;
use crate::record::Cause;
use crate::time::Instant;

/// A window is looked at in so many parts.
const PARTS: u32 = 32;

/// What the gateway counted.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The last word.
    last: Option<Traffic>,
    /// When a request was last seen to begin or to end. One that goes on, such as a stream, is no news.
    busy: Option<Instant>,
    /// Requests ended and failed, at moments of the last window.
    counts: VecDeque<(Instant, u64, u64)>,
    /// Since when requests take too long.
    slow_since: Option<Instant>,
    /// What is wrong now, if anything is.
    ringing: Option<Cause>,
}

// === impl Watch ===

impl Watch {
    /// When there was last news of a request.
    pub(super) fn busy(&self) -> Option<Instant> {
        self.busy
    }

    /// A deployment begins: what was before does not count for it. Returns whether something was wrong.
    pub(super) fn begin(&mut self) -> bool {
        self.counts.clear();
        self.slow_since = None;
        self.ringing.take().is_some()
    }

    fn note(&mut self, now: Instant, traffic: Traffic) {
        let last = self.last.replace(traffic);
        if last.is_some_and(|last| traffic.ended < last.ended || traffic.failed < last.failed) {
            // Another gateway counts anew.
            self.begin();
        }
        let ended = last.is_some_and(|last| traffic.ended > last.ended);
        if ended || traffic.running > last.map_or(0, |last| last.running) {
            self.busy = Some(now);
        }
    }

    /// What is wrong, if anything is.
    fn judge(&mut self, now: Instant, traffic: Traffic, alarm: &Alarm) -> Option<Cause> {
        let Traffic { ended, failed, .. } = traffic;
        // One from before the window stays, so that all of the window is covered.
        while self.counts.get(1).is_some_and(|(at, ..)| now.since(*at) >= alarm.window) {
            self.counts.pop_front();
        }
        let part = alarm.window / PARTS;
        if self.counts.back().is_none_or(|(at, ..)| now.since(*at) >= part.max(MOMENT)) {
            self.counts.push_back((now, ended, failed));
        }
        let (_, ended_before, failed_before) = *self.counts.front()?;
        let (ended, failed) =
            (ended.saturating_sub(ended_before), failed.saturating_sub(failed_before));
        self.slow(now, traffic, alarm);
        if ended < u64::from(alarm.minimum_requests.max(1)) {
            return None;
        }
        let percent = alarm.failed_percent.filter(|p| failed * 100 > u64::from(*p) * ended);
        if let Some(percent) = percent {
            return Some(Cause::TooManyFailedRequests { failed, ended, percent });
        }
        let (p99, limit) = (traffic.p99?, alarm.p99?);
        let long = self.slow_since.is_some_and(|since| now.since(since) >= alarm.window);
        long.then_some(Cause::TooSlow { p99, limit })
    }

    /// One slow moment is not a slow window.
    fn slow(&mut self, now: Instant, traffic: Traffic, alarm: &Alarm) {
        let slow = traffic.p99.zip(alarm.p99).is_some_and(|(p99, limit)| p99 > limit);
        self.slow_since = slow.then(|| self.slow_since.unwrap_or(now));
    }
}

/// However short the window is.
const MOMENT: Duration = Duration::from_millis(1);

impl Reconciler {
    /// Takes note of what clients got, and gives the deployment up if that is too bad.
    pub(super) fn watch(&mut self, now: Instant, traffic: Traffic) {
        self.watch.note(now, traffic);
        let deployment = &self.deployment;
        // Where there was nothing before, or only a way back is left, giving up is no help.
        let matters =
            deployment.state.is_under_way() && deployment.from.is_some() && !deployment.rollback;
        let matters = matters && !deployment.rang_before && !self.down;
        let alarm = self.config.deployment.alarm;
        self.watch.ringing = alarm.and_then(|alarm| self.watch.judge(now, traffic, &alarm));
        if let Some(cause) = self.watch.ringing.clone().filter(|_| matters) {
            self.fail(now, &cause);
        }
    }
}
