//! A pass that settles itself: whatever becomes of a call, its policies hear of it once.

use std::sync::Arc;

use seaworthy_core::policy::guard::Guard as Policies;
use seaworthy_core::policy::{Ask, Outcome, Rejection};
use seaworthy_core::time::Instant;
use tokio::runtime::Handle;

use super::WhenGone;
use super::future::Call;
use crate::clock;
use crate::keys::{KeyValue, Pass, Shared};

/// Dropped without an outcome it settles as cancelled, and the call's age decides.
pub(super) struct Lease<K: KeyValue> {
    shared: Arc<Shared<K, Policies>>,
    /// `None` once it is settled.
    pass: Option<Pass<K, Policies>>,
    began: Instant,
    deadline: Option<Instant>,
    when_gone: WhenGone,
}

// === impl Lease ===

impl<K: KeyValue> Lease<K> {
    /// Asks for leave.
    pub(super) fn ask(now: Instant, call: Call<K>) -> Result<Self, Rejection> {
        let Call { key, shared, when_gone, deadline } = call;
        let ask = Ask { repeatable: false, deadline };
        let mut policies = shared.lock();
        let mut pass = policies.admit(now, key, &ask)?;
        let deadline = policies.with(&mut pass, |_, pass| pass.deadline());
        drop(policies);
        Ok(Self { shared, pass: Some(pass), began: now, deadline, when_gone })
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// When the call must be over, if it must.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tells how the call went.
    pub(super) fn settle(mut self, outcome: Outcome) {
        self.tell(clock::now(), outcome);
    }

    /// The caller has gone and the work runs on. To be said again when the deadline has passed.
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

    /// Moves the permit to a task that frees it at the deadline.
    fn hold(&mut self, now: Instant, deadline: Instant, runtime: &Handle) {
        let Some(mut pass) = self.pass.take() else { return };
        self.shared.lock().with(&mut pass, |policies, pass| policies.keep_permit(now, pass));
        let held = Self {
            shared: self.shared.clone(),
            pass: Some(pass),
            began: self.began,
            deadline: self.deadline,
            when_gone: WhenGone::Release,
        };
        runtime.spawn(async move {
            tokio::time::sleep_until(clock::moment(deadline)).await;
            held.settle(Outcome::Cancelled);
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
