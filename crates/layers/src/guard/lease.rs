//! A pass that settles itself: whatever becomes of a call, its policies hear of it once.

use std::sync::Arc;

use seaworthy_core::policy::guard::Guard as Policies;
use seaworthy_core::policy::{Ask, Outcome, Rejection};
use seaworthy_core::time::Instant;
use tokio::runtime::Handle;

use super::WhenGone;
use crate::clock;
use crate::keys::{KeyValue, Pass, Shared};

/// Dropped without an outcome it settles as cancelled, and the call's age decides.
pub(super) struct Lease<K: KeyValue> {
    shared: Arc<Shared<K, Policies>>,
    /// Until the policies are asked.
    key: Option<K>,
    /// From then on, until it is settled.
    pass: Option<Pass<K, Policies>>,
    began: Instant,
    /// The caller's at first, then the call's.
    deadline: Option<Instant>,
    when_gone: WhenGone,
}

// === impl Lease ===

impl<K: KeyValue> Lease<K> {
    /// Nothing is asked yet.
    pub(super) fn new(
        shared: Arc<Shared<K, Policies>>,
        key: K,
        deadline: Option<Instant>,
        when_gone: WhenGone,
    ) -> Self {
        Self { shared, key: Some(key), pass: None, began: Instant::EPOCH, deadline, when_gone }
    }

    /// Asks for leave, once.
    pub(super) fn ask(&mut self) -> Result<(), Rejection> {
        let Some(key) = self.key.take() else { return Ok(()) };
        self.began = clock::now();
        let ask = Ask { repeatable: false, deadline: self.deadline };
        let mut policies = self.shared.lock();
        let pass = self.pass.insert(policies.admit(self.began, key, &ask)?);
        self.deadline = policies.with(pass, |_, pass| pass.deadline());
        Ok(())
    }

    pub(super) fn when_gone(&self) -> WhenGone {
        self.when_gone
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// When the call must be over, if it must.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tells how the call went.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        if self.pass.is_some() {
            self.tell(clock::now(), outcome);
        }
    }

    /// The caller has gone and the work runs on: gives the pass to whoever sees to that, and
    /// nothing if there is none. To be abandoned again when the deadline has passed.
    pub(super) fn hand_over(&mut self) -> Option<Self> {
        let pass = Some(self.pass.take()?);
        let (shared, when_gone) = (self.shared.clone(), WhenGone::Release);
        let mut heir = Self { shared, key: None, pass, when_gone, ..*self };
        heir.abandon();
        Some(heir)
    }

    pub(super) fn abandon(&mut self) {
        if let Some(pass) = &mut self.pass {
            let now = clock::now();
            self.shared.lock().with(pass, |policies, pass| policies.abandon(now, pass));
        }
    }

    fn tell(&mut self, now: Instant, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            self.shared.lock().settle(now, pass, outcome);
        }
    }

    /// The work stops here and perhaps not there: the permit goes to a task that frees it at the
    /// deadline.
    fn hold(&mut self, now: Instant, deadline: Instant, runtime: &Handle) {
        let Some(pass) = &mut self.pass else { return };
        self.shared.lock().with(pass, |policies, pass| policies.keep_permit(now, pass));
        let heir = self.hand_over();
        runtime.spawn(async move {
            tokio::time::sleep_until(clock::moment(deadline)).await;
            drop(heir);
        });
    }
}

impl<K: KeyValue> Drop for Lease<K> {
    fn drop(&mut self) {
        if self.pass.is_none() {
            return;
        }
        let now = clock::now();
        match (self.when_gone, self.deadline, Handle::try_current()) {
            (WhenGone::HoldUntilDeadline, Some(deadline), Ok(runtime)) if deadline > now => {
                self.hold(now, deadline, &runtime);
            }
            _ => self.tell(now, Outcome::Cancelled),
        }
    }
}
