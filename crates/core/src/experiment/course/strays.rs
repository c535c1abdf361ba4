//! Tasks that went although nothing was done to them.

use super::Course;
use super::life::Life;
use crate::endpoints::TaskId;
use crate::experiment::FaultKind;
use crate::record::Cause;
use crate::time::Instant;

// === impl Course ===

impl Course {
    /// Tasks that left the rotation although no fault met them and nobody decided that there should be
    /// fewer of them. `scaled` are the services whose desired count follows the load.
    pub fn strays(&self, scaled: &[usize]) -> Vec<String> {
        let met = |task| {
            self.inflicted.iter().any(|inflicted| {
                let query = matches!(inflicted.fault.kind, FaultKind::QueryOfDeath { .. });
                inflicted.tasks.contains(&task)
                    || (query && self.died_after(inflicted.at).any(|other| other == task))
                    // A command may do anything to anybody.
                    || matches!(inflicted.fault.kind, FaultKind::Exec(_))
            })
        };
        let stray = |(task, life): (TaskId, &Life)| {
            let begin = self.begin?;
            let (at, cause) = life.left_since(begin)?;
            // What starts where the power goes off is met as well.
            let off = matches!(cause, Cause::PowerOff { .. });
            let surplus = matches!(cause, Cause::Surplus { .. });
            let is_scaled = || scaled.iter().any(|place| self.is_of(task, *place));
            let meant = self.deployed_away(task, life)
                || (surplus && (is_scaled() || self.came_back(task, *at)));
            let at = at.since(begin);
            (!met(task) && !meant && !off)
                .then(|| format!("{task} went at {at:.1?} without a fault: {cause}"))
        };
        self.lives().filter_map(stray).collect()
    }

    /// Whether a task that a fault has met was still there when `task`, of the same service, was one too many:
    /// it is well again, and another one had been started for it.
    fn came_back(&self, task: TaskId, at: Instant) -> bool {
        let still_there = |met: &TaskId| {
            let left = self.lives.get(met).and_then(|life| life.left.as_ref());
            left.is_none_or(|(left, _)| *left > at)
        };
        let same = |met: &TaskId| {
            (0..self.services).any(|place| self.is_of(*met, place) && self.is_of(task, place))
        };
        let before = self.inflicted.iter().filter(|inflicted| inflicted.at <= at);
        before.flat_map(|inflicted| &inflicted.tasks).any(|met| still_there(met) && same(met))
    }
}
