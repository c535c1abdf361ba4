//! The way of control: from the desired state to actions, in the words and with the arithmetic of
//! Amazon ECS.
//!
//! [`plan::plan`] is a pure function of what is desired and what is observed; the
//! [`Reconciler`](reconciler::Reconciler) adds only time. Source of the arithmetic: ECS API
//! reference, `DeploymentConfiguration`.

pub mod autoscaler;
pub mod deployment;
pub mod limits;
pub mod plan;
pub mod reconciler;
pub mod restarts;
pub mod spread;
mod task;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoints::TaskId;
use spread::Location;

pub use task::PERSISTENT;

/// How many tasks there are and how they come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// How many tasks there should be.
    pub desired_count: u32,
    /// In a deployment, no healthy task is stopped below this share of the desired count.
    pub minimum_healthy_percent: u32,
    /// No task is started beyond this share of the desired count.
    pub maximum_percent: u32,
    /// Shortest and longest time between the decision to start a task and its process.
    pub provisioning: (Duration, Duration),
    /// A task that has not passed a check so long after its process started is given up.
    pub start_timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
    /// How long requests in flight may hold up a retiring task.
    pub deregistration_delay: Duration,
    /// First and longest wait after starts that failed; the wait doubles from one to the next.
    pub restart_backoff: (Duration, Duration),
    /// Failing checks do not count against a task so long after its process started.
    pub health_grace: Duration,
    /// On what its tasks are spread; nothing is said of where they are if there are none.
    #[serde(default)]
    pub machines: Vec<Location>,
    /// What a task may use.
    pub limits: limits::Limits,
    /// How a new revision takes the place of an old one.
    pub deployment: deployment::Config,
    /// How the desired count follows the load, if it does.
    pub autoscaling: Option<autoscaler::Config>,
}

/// Which numbers the tasks of one service get, so that no two tasks of a fleet have the same: each of
/// `n` services takes every `n`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    first: u32,
    step: u32,
}

/// One task, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub revision: plan::Revision,
    /// Where in its life it is.
    pub state: State,
    /// Where it listens, once that is known.
    pub port: Option<u16>,
    /// Where it is, if its service is spread over machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// Where in its life a task is, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has no process yet.
    Provisioning,
    /// Its process has not passed a check yet.
    Starting,
    /// It may get requests.
    InRotation,
    /// It may not, although it should.
    OutOfRotation,
    /// It gets no new requests; those in flight may finish.
    Draining,
    /// It was told to go.
    Stopping,
}

// === impl View ===

impl View {
    /// Whether it may get the next request.
    pub fn is_in_rotation(&self) -> bool {
        self.state == State::InRotation
    }

    /// Whether its process was started.
    pub fn has_process(&self) -> bool {
        self.state != State::Provisioning
    }

    /// Whether it is on its way out.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Draining | State::Stopping)
    }
}

// === impl Numbers ===

impl Numbers {
    /// Those of the service at this place among so many.
    pub fn of(place: usize, services: usize) -> Self {
        Self { first: place as u32 + 1, step: services as u32 }
    }

    /// The same beyond numbers that are used up.
    #[must_use]
    pub fn beyond(highest: u32, place: usize, services: usize) -> Self {
        let Self { first, step } = Self::of(place, services);
        Self { first: highest + first, step }
    }

    /// The number of the task that is started after so many others of its service.
    pub fn after(self, others: u32) -> TaskId {
        TaskId(self.first + self.step * others)
    }

    /// Whether a task is of this service.
    pub fn include(self, task: TaskId) -> bool {
        task.0 >= self.first && (task.0 - self.first).is_multiple_of(self.step)
    }
}

// === impl Config ===

impl Config {
    /// Healthy tasks that a deployment leaves: the share rounded *up*.
    pub fn floor(&self) -> u32 {
        self.floor_of(self.desired_count)
    }

    /// Tasks there may be at once, starting and leaving ones included: the share rounded *down*.
    pub fn ceiling(&self) -> u32 {
        self.ceiling_of(self.desired_count)
    }

    /// The floor, were so many tasks desired.
    pub fn floor_of(&self, count: u32) -> u32 {
        (count * self.minimum_healthy_percent).div_ceil(100)
    }

    /// The ceiling, were so many tasks desired. The file is refused where rounding lets nothing move;
    /// where it does so only for a count that came later, one more is let in.
    pub fn ceiling_of(&self, count: u32) -> u32 {
        let stuck = count != self.desired_count && self.is_stuck_at(count);
        self.ceiling_as_written(count) + u32::from(stuck)
    }

    /// The first of all counts that may be desired with which a deployment never moves, which ECS lets be: no task may
    /// be stopped, and none started.
    pub fn stuck_at(&self) -> Option<u32> {
        let counts = match &self.autoscaling {
            Some(scaling) => scaling.minimum..=scaling.maximum,
            None => self.desired_count..=self.desired_count,
        };
        counts.into_iter().find(|count| self.is_stuck_at(*count))
    }

    fn is_stuck_at(&self, count: u32) -> bool {
        count > 0 && self.ceiling_as_written(count) <= count && self.floor_of(count) >= count
    }

    fn ceiling_as_written(&self, count: u32) -> u32 {
        count * self.maximum_percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_services_share_a_number() {
        let numbers = |place| Numbers::of(place, 3);
        let tasks = |place| (0..4).map(|n| numbers(place).after(n).0).collect::<Vec<_>>();
        assert_eq!([tasks(0), tasks(1), tasks(2)], [[1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]]);
        for task in (1..=12).map(TaskId) {
            let of = (0..3).filter(|place| numbers(*place).include(task)).collect::<Vec<_>>();
            assert_eq!(of, [(task.0 as usize - 1) % 3]);
        }
    }

    /// AWS's own examples, and the report's.
    #[test]
    fn floor_rounds_up_and_ceiling_rounds_down() {
        let limits = |desired_count, minimum_healthy_percent, maximum_percent| {
            let config = Config {
                desired_count,
                minimum_healthy_percent,
                maximum_percent,
                provisioning: (Duration::ZERO, Duration::ZERO),
                start_timeout: Duration::ZERO,
                stop_timeout: Duration::ZERO,
                deregistration_delay: Duration::ZERO,
                restart_backoff: (Duration::ZERO, Duration::ZERO),
                health_grace: Duration::ZERO,
                machines: Vec::new(),
                limits: limits::Limits::default(),
                deployment: deployment::Config::default(),
                autoscaling: None,
            };
            (config.floor(), config.ceiling())
        };
        assert_eq!(limits(4, 50, 200), (2, 8));
        assert_eq!(limits(2, 75, 200), (2, 4));
        assert_eq!(limits(3, 100, 125), (3, 3));
        assert_eq!(limits(2, 100, 200), (2, 4));
        assert_eq!(limits(3, 66, 200), (2, 6));
    }
}
