//! What a balancer knows of one task.

use std::time::Duration;

use super::pulse::Pulse;
use super::ramp::Ramp;
use crate::endpoints::TaskId;
use crate::health::Member;
use crate::time::Instant;

/// A task that is in rotation, or still has requests in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    member: Member,
    in_rotation: bool,
    in_flight: u32,
    /// It has the one request of its trial, or had it, and nothing says that another one may come.
    tried: bool,
    /// What it is owed of its turns, in weights; see [`super::turn`].
    pub(super) claim: i64,
    pulse: Pulse,
    ramp: Option<Ramp>,
}

/// How a task is taken for one of many when it enters: as the middle of those that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcome {
    claim: i64,
    latency: u64,
    /// Slowly, because somebody is there who carries the others' share meanwhile.
    slowly: bool,
}

/// An error counts as an answer that took so many nanoseconds, or whoever fails fast gets
/// everything. Source: Linkerd's load biaser.
const PENALTY: u64 = 30_000_000_000;

/// What an answer of those in rotation is likely to take, in nanoseconds: their median, 0 if there is none.
pub(crate) fn usual_latency(now: Instant, targets: &[Target]) -> u64 {
    let present = targets.iter().filter(|target| target.in_rotation);
    let mut latencies: Vec<u64> = present.map(|target| target.pulse.latency(now)).collect();
    latencies.sort_unstable();
    latencies.get(latencies.len() / 2).copied().unwrap_or(0)
}

// === impl Target ===

impl Target {
    /// Without requests and out of rotation.
    pub(crate) fn new(now: Instant, member: Member) -> Self {
        Self {
            member,
            in_rotation: false,
            in_flight: 0,
            tried: false,
            claim: 0,
            pulse: Pulse::new(now, 0),
            ramp: None,
        }
    }

    /// It is in rotation from now on, or still is, and this is said of it now.
    pub(crate) fn enter(&mut self, now: Instant, member: Member, welcome: Welcome) {
        self.member = member;
        self.tried &= self.in_rotation && member.on_trial;
        if !self.in_rotation {
            self.in_rotation = true;
            self.claim = welcome.claim;
            self.pulse.renew(now, welcome.latency);
            self.ramp = welcome.slowly.then(|| Ramp::new(now));
        }
    }

    /// It is out of rotation from now on.
    pub(crate) fn leave(&mut self) {
        self.in_rotation = false;
        self.ramp = None;
    }

    pub(crate) fn task(&self) -> TaskId {
        self.member.task
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    pub(super) fn weight(&self) -> u32 {
        self.member.weight
    }

    pub(crate) fn in_rotation(&self) -> bool {
        self.in_rotation
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// It is on trial, and the request of it was not taken yet.
    pub(crate) fn wants_trial(&self) -> bool {
        self.in_rotation && self.member.on_trial && !self.tried
    }

    /// Nothing came of its trial: another request may be one.
    pub(crate) fn try_anew(&mut self) {
        self.tried = false;
    }

    /// One more request is in flight. True if it is one of a trial.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.in_flight += 1;
        self.tried = self.member.on_trial;
        self.pulse.wait(now);
        if let Some(ramp) = &mut self.ramp {
            ramp.take();
        }
        self.tried
    }

    /// The head of a proper answer came after `latency`.
    pub(crate) fn answered(&mut self, now: Instant, latency: Duration) {
        self.pulse.hear(now, u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// An error came, or surely nothing will.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.pulse.hear(now, PENALTY);
    }

    /// The answer whose head came was cut short.
    pub(crate) fn cut(&mut self, now: Instant) {
        self.pulse.correct(now, PENALTY);
    }

    /// One request less is in flight. `heard`: it was said how it went.
    pub(crate) fn release(&mut self, now: Instant, heard: bool) {
        self.in_flight -= 1;
        if !heard {
            self.pulse.give_up(now);
        }
    }

    /// Nanoseconds until one more request would be answered, were they carried out one after the
    /// other; less for a task of more weight, which carries more of them at once.
    pub(super) fn cost(&self, now: Instant) -> u64 {
        let weight = u64::from(self.weight());
        let load = u64::from(self.in_flight) + weight;
        load.saturating_mul(self.pulse.latency(now)) / weight
    }

    /// Whether its slow start goes on.
    pub(crate) fn is_slow(&self, now: Instant, length: Duration) -> bool {
        self.ramp.is_some_and(|ramp| !ramp.is_over(now, length))
    }

    /// The service gets a request; `weights` are those of all its tasks. Whether its slow start lets
    /// it take one.
    pub(crate) fn may_take(&mut self, now: Instant, length: Duration, weights: u64) -> bool {
        let weight = u64::from(self.weight());
        let Some(ramp) = &mut self.ramp else { return true };
        if ramp.is_over(now, length) {
            self.ramp = None;
            return true;
        }
        ramp.save(now, length, weight, weights);
        ramp.may_take()
    }
}

// === impl Welcome ===

impl Welcome {
    /// For whoever enters when these are there already.
    pub(crate) fn among(now: Instant, length: Duration, targets: &[Target]) -> Self {
        let present = || targets.iter().filter(|target| target.in_rotation);
        let claims: i64 = present().map(|target| target.claim).sum();
        Self {
            claim: claims / i64::try_from(present().count()).unwrap_or(1).max(1),
            latency: usual_latency(now, targets),
            slowly: length > Duration::ZERO && present().any(|t| !t.is_slow(now, length)),
        }
    }
}
