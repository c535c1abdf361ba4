//! Whether tasks that are served in turn have their turns.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::endpoints::TaskId;

/// Who has got requests while the same tasks were there.
#[derive(Debug, Default)]
pub(super) struct Turns {
    there: BTreeSet<TaskId>,
    /// So many were there at most at any time.
    most: u64,
    /// Of these calls, each task's.
    calls: u64,
    got: BTreeMap<TaskId, u64>,
    /// Whatever else was sent: a task that got it may have had its turn.
    others: u64,
}

// === impl Turns ===

impl Turns {
    /// So many may be there.
    pub(super) fn may_be(&mut self, count: usize) {
        self.most = self.most.max(count as u64);
    }

    /// A request is sent, for the first time or again.
    pub(super) fn sent(&mut self) {
        self.others += 1;
    }

    /// The one that was just sent went to `task`, and any of those that are `there` might have had it; what is wrong with
    /// that.
    pub(super) fn check(&mut self, there: &BTreeSet<TaskId>, task: TaskId) -> Option<String> {
        if *there != self.there {
            *self = Self { there: there.clone(), most: self.most, ..Self::default() };
        }
        self.others = self.others.saturating_sub(1);
        self.calls += 1;
        *self.got.entry(task).or_default() += 1;
        let (calls, others) = (self.calls, self.others);
        let count = there.len().max(1) as u64;
        let turns = calls / count;
        // One turn of many is several of few: who had it, or waits for it, when the others go.
        let owed = 1 + self.most.div_ceil(count);
        let off = |task: &&TaskId| {
            let got = self.got.get(task).copied().unwrap_or_default();
            got.abs_diff(turns) > owed + others
        };
        there.iter().find(off).map(|task| {
            let got = self.got.get(task).copied().unwrap_or_default();
            format!(
                "{task} got {got} of {calls} calls, {} are there, and {others} others were sent",
                there.len()
            )
        })
    }
}
