//! Timeout: one deadline for the whole of a call.
//!
//! *What it protects*: the caller, from a service that is slow rather than dead. *When it trips*:
//! at the earlier of the caller's own deadline and `limit` after the beginning; everything a call
//! goes through shares this one deadline, so that tries do not add up, and whoever is called further
//! down is told what is left of it. *How it recovers*: there is nothing to recover. *What it does
//! not do*: stop the work a task has already begun.

use std::time::Duration;

use super::{Ask, Outcome, Policy, Rejection};
use crate::time::Instant;

/// The deadline policy.
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Duration,
}

/// Leave to go on until the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Timeout {
    /// Gives every call at most `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl Policy for Timeout {
    type Pass = Deadline;

    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Deadline, Rejection> {
        let own = now + self.limit;
        let deadline = ask.deadline.map_or(own, |asked| asked.min(own));
        if deadline > now { Ok(Deadline(deadline)) } else { Err(Rejection::DeadlinePassed) }
    }

    /// A deadline learns nothing.
    fn settle(&mut self, _now: Instant, _pass: Deadline, _outcome: Outcome) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_counts_and_a_past_one_is_refused() {
        let at = |s| Instant::EPOCH + Duration::from_secs(s);
        let mut timeout = Timeout::new(Duration::from_secs(10));
        let mut admit = |deadline| timeout.admit(at(100), &Ask { repeatable: true, deadline });
        assert_eq!(admit(None), Ok(Deadline(at(110))));
        assert_eq!(admit(Some(at(105))), Ok(Deadline(at(105))));
        assert_eq!(admit(Some(at(500))), Ok(Deadline(at(110))));
        assert_eq!(admit(Some(at(100))), Err(Rejection::DeadlinePassed));
    }
}
