//! A pass that settles itself: whatever becomes of a call, its policies hear of it once.

use std::sync::Arc;

use seaworthy_core::policy::guard::Guard as Policies;
use seaworthy_core::policy::{Ask, Outcome, Rejection};
use seaworthy_core::time::Instant;
use tokio::runtime::Handle;

use super::WhenGone;
use crate::keys::{KeyValue, Pass, Shared};
use crate::{clock, deadline};

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
        // It may have been made outside the scope in which it is polled.
        let deadline = deadline::earlier(self.deadline, deadline::current());
        let ask = Ask { repeatable: false, deadline };
        let mut turn = self.shared.turn();
        self.began = turn.now;
        let pass = self.pass.insert(turn.admit(key, &ask)?);
        self.deadline = turn.with(pass, |_, pass| pass.deadline());
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
        if let Some(pass) = self.pass.take() {
            self.shared.turn().settle(pass, outcome);
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
            let mut turn = self.shared.turn();
            let now = turn.now;
            turn.with(pass, |policies, pass| policies.abandon(now, pass));
        }
    }

    /// The work stops here and perhaps not there: the permit goes to a task that frees it at the
    /// deadline.
    fn hold(&mut self, deadline: Instant, runtime: &Handle) {
        let Some(pass) = &mut self.pass else { return };
        let mut turn = self.shared.turn();
        let now = turn.now;
        turn.with(pass, |policies, pass| policies.disown(now, pass, Outcome::Cancelled));
        drop(turn);
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
        match (self.when_gone, self.deadline, Handle::try_current()) {
            (WhenGone::HoldUntilDeadline, Some(deadline), Ok(runtime))
                if deadline > clock::now() =>
            {
                self.hold(deadline, &runtime);
            }
            _ => self.settle(Outcome::Cancelled),
        }
    }
}
