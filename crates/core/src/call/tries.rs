//! The tries of one call that are not over.

use super::Attempt;
use crate::endpoints::TaskId;
use crate::time::Instant;

/// One try under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) attempt: Attempt,
    pub(super) task: TaskId,
    /// It was sent then.
    pub(super) since: Instant,
    /// Its answer came, and is kept until another try has a better one.
    pub(super) is_kept: bool,
    /// How its task did was said to the balancer.
    pub(super) heard: bool,
}

/// Usually there is one, and it takes no memory of its own.
#[derive(Debug, Default)]
pub(super) struct Tries {
    one: Option<Try>,
    more: Vec<Try>,
}

// === impl Tries ===

impl Tries {
    pub(super) fn push(&mut self, new: Try) {
        match self.one {
            None => self.one = Some(new),
            Some(_) => self.more.push(new),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Try> {
        self.one.iter().chain(&self.more)
    }

    pub(super) fn get(&self, attempt: Attempt) -> Option<&Try> {
        self.iter().find(|one| one.attempt == attempt)
    }

    /// Takes out the first for which `is_it` is true.
    pub(super) fn take(&mut self, is_it: impl Fn(&Try) -> bool) -> Option<Try> {
        if let Some(one) = self.one.take_if(|one| is_it(one)) {
            return Some(one);
        }
        let at = self.more.iter().position(is_it)?;
        Some(self.more.remove(at))
    }

    pub(super) fn get_mut(&mut self, attempt: Attempt) -> Option<&mut Try> {
        let mut all = self.one.iter_mut().chain(&mut self.more);
        all.find(|one| one.attempt == attempt)
    }

    /// The one whose answer is kept.
    pub(super) fn kept(&self) -> Option<Attempt> {
        self.iter().find(|one| one.is_kept).map(|one| one.attempt)
    }

    /// Whether an answer may still come.
    pub(super) fn any_open(&self) -> bool {
        self.iter().any(|one| !one.is_kept)
    }

    /// The last one was sent then.
    pub(super) fn last_since(&self) -> Option<Instant> {
        self.iter().map(|one| one.since).max()
    }
}
