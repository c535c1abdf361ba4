//! Which task came in the place of which.

use std::time::Duration;

use super::{Course, Life};
use crate::cluster::plan::Revision;
use crate::endpoints::TaskId;
use crate::record::Cause;
use crate::time::Instant;

/// A task that went, and the one that came in its place. All times are from the first moment of the
/// load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The place of their service.
    pub service: usize,
    /// The task that went.
    pub task: TaskId,
    /// The task that came.
    pub by: TaskId,
    /// When the first left the rotation.
    pub out: Duration,
    /// From then to the decision to start the second, if that was later: so long a restart backoff holds it up.
    pub waited: Duration,
    /// From that decision to its process, as drawn.
    pub provisioning: Duration,
    /// From its process to its first right answer, asked directly.
    pub start: Option<Duration>,
    /// When it entered the rotation.
    pub entered: Option<Duration>,
}

// === impl Course ===

impl Course {
    /// Each task that went after the load began and was to be replaced, with the task that came in its
    /// place: of the same service and revision the first that was not needed for another one.
    pub fn replacements(&self) -> Vec<Replacement> {
        let Some(begin) = self.begin else { return Vec::new() };
        (0..self.services).flat_map(|place| self.replacements_of(place, begin)).collect()
    }

    fn replacements_of(&self, place: usize, begin: Instant) -> Vec<Replacement> {
        let missed = |(task, life): (TaskId, &Life)| {
            let (out, cause) = life.left_since(begin)?;
            let is_missed = !matches!(cause, Cause::OldRevision | Cause::Surplus { .. });
            // Who is replaced was missed before it left.
            let since = life.out_since(*out);
            is_missed.then_some((*out, task, since, life.revision))
        };
        let mut gone: Vec<_> = self.lives_of(place).filter_map(missed).collect();
        gone.sort_unstable();
        // Tasks are numbered as they are started.
        let started = |life: &Life, from| life.started.is_some_and(|at| at >= from);
        let mut come: Vec<_> =
            self.lives_of(place).filter(|(_, life)| started(life, begin)).collect();
        let pair = |(out, task, since, revision): (Instant, TaskId, Instant, Revision)| {
            let fits = |(by, life): &(TaskId, &Life)| {
                *by > task && life.revision == revision && started(life, since)
            };
            let (by, life) = come.remove(come.iter().position(fits)?);
            Some(Replacement {
                service: place,
                task,
                by,
                out: out.since(begin),
                waited: life.started.map_or(Duration::ZERO, |at| at.since(out)),
                provisioning: life.provisioning,
                start: life.own_start(),
                entered: life.entered.map(|at| at.since(begin)),
            })
        };
        gone.into_iter().filter_map(pair).collect()
    }
}

// === impl Replacement ===

impl Replacement {
    /// From the leaving of the one to the entering of the other.
    pub fn window(&self) -> Option<Duration> {
        self.entered.map(|entered| entered.saturating_sub(self.out))
    }
}
