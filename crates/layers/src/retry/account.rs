//! A call's hold on the retries it shares with others.

use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::policy::retry::Retry;
use seaworthy_core::policy::{Ask, Outcome};

use crate::deadline;
use crate::keys::{KeyValue, Pass, Shared};

/// A call's hold on its budget: the budget stays while the call lasts.
pub(super) struct Account<K: KeyValue> {
    shared: Arc<Shared<K, Retry>>,
    /// `None` if every budget that may be kept is in use, and once it is settled.
    pass: Option<Pass<K, Retry>>,
}

// === impl Account ===

impl<K: KeyValue> Account<K> {
    pub(super) fn open(shared: Arc<Shared<K, Retry>>, key: K) -> Self {
        let ask = Ask { repeatable: true, deadline: None };
        let pass = shared.turn().admit(key, &ask).ok();
        Self { shared, pass }
    }

    /// How long to wait before the next try, after so many; none if there is none.
    pub(super) fn again(&mut self, tries: u32) -> Option<Duration> {
        let pass = self.pass.as_mut()?;
        let mut turn = self.shared.turn();
        let now = turn.now;
        turn.with(pass, |retry, ()| retry.again(now, tries, deadline::current()))
    }

    /// Tells how the last try went.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            self.shared.turn().settle(pass, outcome);
        }
    }
}

impl<K: KeyValue> Drop for Account<K> {
    fn drop(&mut self) {
        self.settle(Outcome::Cancelled);
    }
}
