//! One task's life, as far as a drill follows it.

use std::time::Duration;

use crate::cluster::State;
use crate::cluster::plan::Revision;
use crate::cluster::spread::Location;
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

/// Where in its life a task is, for a lane of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has no process yet.
    Provisioning,
    /// Its process has not passed a check yet.
    Starting,
    /// It may get requests.
    InRotation,
    /// It may not any more, or not now.
    Out,
    /// It is no more.
    Gone,
}

/// One task's life.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Each stage, from when on.
    pub stages: Vec<(Instant, Stage)>,
    /// Its revision.
    pub(super) revision: Revision,
    /// Where it is, if that is said.
    pub(super) location: Option<Location>,
    /// From the decision to start it to its process, as drawn.
    pub(super) provisioning: Duration,
    pub(super) started: Option<Instant>,
    pub(super) launched: Option<Instant>,
    pub(super) answered: Option<Instant>,
    pub(super) entered: Option<Instant>,
    pub(super) left: Option<(Instant, Cause)>,
    pub(super) exit_recorded: bool,
    pub(super) process_ended: Option<Instant>,
}

// === impl Life ===

impl Life {
    /// The stage it is in.
    pub fn now(&self) -> Option<Stage> {
        self.stages.last().map(|(_, stage)| *stage)
    }

    /// The stage it was in at `at`; none if it was not there yet.
    pub(super) fn stage_at(&self, at: Instant) -> Option<Stage> {
        self.stages.iter().rev().find(|(since, _)| *since <= at).map(|(_, stage)| *stage)
    }

    /// Since when it had been out of rotation as it left at `left`.
    pub(super) fn out_since(&self, left: Instant) -> Instant {
        let before = self.stages.iter().rev().skip_while(|(at, _)| *at > left);
        let mut since_it_served = before.take_while(|(_, stage)| *stage != Stage::InRotation);
        since_it_served.find(|(_, stage)| *stage == Stage::Out).map_or(left, |(at, _)| *at)
    }

    /// When and why it left, if it did so at `begin` or later.
    pub(super) fn left_since(&self, begin: Instant) -> Option<&(Instant, Cause)> {
        self.left.as_ref().filter(|(at, _)| *at >= begin)
    }

    pub(super) fn note(&mut self, record: &Record) {
        match (&record.decision, &record.cause) {
            (Decision::Start, cause) => {
                self.started = Some(record.at);
                if let Cause::Missing { provisioning, .. } = cause {
                    self.provisioning = *provisioning;
                }
            }
            (Decision::Launch, _) => self.launched = Some(record.at),
            (Decision::Retire | Decision::Terminate | Decision::Kill, cause) => {
                self.leave(record.at, cause);
            }
            (Decision::Gone, cause) => {
                self.leave(record.at, cause);
                self.exit_recorded |= matches!(cause, Cause::Exited(_) | Cause::Died { .. });
            }
            // The others move no task.
            _ => {}
        }
    }

    fn leave(&mut self, at: Instant, cause: &Cause) {
        self.left.get_or_insert((at, cause.clone()));
    }

    pub(super) fn stage(&mut self, now: Instant, stage: Stage) {
        if self.now() == Some(stage) {
            return;
        }
        if stage == Stage::InRotation {
            self.entered.get_or_insert(now);
        }
        self.stages.push((now, stage));
    }

    pub(super) fn own_start(&self) -> Option<Duration> {
        Some(self.answered?.since(self.launched?))
    }
}

// === impl Stage ===

impl From<State> for Stage {
    fn from(state: State) -> Self {
        match state {
            State::Provisioning => Self::Provisioning,
            State::Starting => Self::Starting,
            State::InRotation => Self::InRotation,
            State::OutOfRotation | State::Draining | State::Stopping => Self::Out,
        }
    }
}
