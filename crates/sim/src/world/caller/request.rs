//! A request for whose answer others are called.

use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::time::Instant;

use crate::world::Arrival;
use crate::world::task::Job;

/// A request, and what its answer has so far.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) job: Job,
    pub(super) arrival: Arc<Arrival>,
    /// Its sender waits no longer.
    pub(super) deadline: Option<Instant>,
    /// Calls that are not over.
    pub(super) waits_for: usize,
    /// There is no answer but this status,
    failed: Option<u16>,
    /// or this one, if there is no piece at all.
    lacks: Option<u16>,
    has_some: bool,
    /// The age of the oldest piece.
    age: Option<Duration>,
}

/// What a call gives to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Fresh,
    /// The last good one, so old.
    Old(Duration),
    /// The sender of the request is wrong: nothing else makes up for this status.
    Refusal(u16),
    /// Nothing; alone it is answered with this status.
    Missing(u16),
}

// === impl Request ===

impl Request {
    pub(super) fn new(job: Job, arrival: Arc<Arrival>, deadline: Option<Instant>) -> Self {
        let (failed, lacks, age) = (None, None, None);
        Self { job, arrival, deadline, waits_for: 0, failed, lacks, has_some: false, age }
    }

    /// One of its calls is over.
    pub(super) fn add(&mut self, piece: Piece, needed: bool) {
        self.waits_for -= 1;
        match piece {
            Piece::Fresh => self.has_some = true,
            Piece::Old(age) => {
                self.has_some = true;
                self.age = self.age.max(Some(age));
            }
            Piece::Refusal(status) => self.failed = self.failed.or(Some(status)),
            Piece::Missing(status) => {
                self.lacks = self.lacks.or(Some(status));
                self.failed = self.failed.or(Some(status).filter(|_| needed));
            }
        }
    }

    /// The status of its answer; and its age in whole seconds, which is how it is said, if it is
    /// degraded.
    pub(super) fn answer(&self) -> (u16, Option<u32>) {
        match self.failed.or(self.lacks.filter(|_| !self.has_some)) {
            Some(status) => (status, None),
            None if self.lacks.is_none() && self.age.is_none() => (self.job.status, None),
            None => {
                let age = self.age.unwrap_or_default().as_secs();
                (self.job.status, Some(u32::try_from(age).unwrap_or(u32::MAX)))
            }
        }
    }
}
