//! Whether what requests show of tasks is held against them as it is promised, by what the gateway says of it.

use std::collections::BTreeMap;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::passive::{Config, Fault};
use seaworthy_core::record::{Cause, Decision, Record};
use seaworthy_core::time::Instant;

use super::rule::Rule;

/// The verdicts on the tasks of a service.
#[derive(Debug)]
pub(super) struct Verdicts {
    config: Option<Config>,
    tasks: BTreeMap<TaskId, Known>,
    /// Until then nobody is ejected for being slow.
    held: Instant,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// It is in rotation, and not on trial, since then.
    serves: Option<Instant>,
    /// It was last ejected then,
    ejected: Option<Instant>,
    /// and was out since then, trials and all,
    left: Option<Instant>,
    /// until then, if that is over.
    back: Option<Instant>,
}

// === impl Verdicts ===

impl Verdicts {
    pub(super) fn new(config: Option<Config>) -> Self {
        Self { config, tasks: BTreeMap::new(), held: Instant::EPOCH }
    }

    /// Another gateway has seen nothing of it.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::new(self.config);
    }

    /// A decision of the gateway.
    pub(super) fn check(&mut self, record: &Record) -> Result<(), (Rule, String)> {
        let (Some(config), now) = (self.config, record.at) else { return Ok(()) };
        if record.decision == Decision::Hold {
            // It is over early where nothing was late for a window.
            self.held = now + config.ejection.min(config.window);
            return Ok(());
        }
        let Some(task) = record.task else { return Ok(()) };
        let known = self.tasks.entry(task).or_default();
        match (record.decision, &record.cause) {
            (Decision::EnterRotation, _) => known.enter(now),
            (Decision::LeaveRotation, Cause::Ejected { fault, .. }) => {
                known.eject(now);
                return self.check_ejection(now, task, *fault, &config);
            }
            (Decision::LeaveRotation, _) => known.serves = None,
            (Decision::Trial, Cause::EjectionOver { .. }) => {
                known.serves = None;
                if known.ejected.is_some_and(|at| now < at + config.ejection) {
                    let what = format!("{task} is on trial before {:?} are over", config.ejection);
                    return Err((Rule::Ejection, what));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_ejection(
        &self,
        now: Instant,
        task: TaskId,
        fault: Fault,
        config: &Config,
    ) -> Result<(), (Rule, String)> {
        let others = || self.tasks.iter().filter(|(other, _)| **other != task).map(|(_, one)| one);
        let left = others().filter(|other| other.serves.is_some()).count() as u32;
        if fault != Fault::Trial && left < config.minimum_in_rotation {
            let what = format!(
                "{task} is ejected and leaves {left} of {}: {fault}",
                config.minimum_in_rotation
            );
            return Err((Rule::Ejection, what));
        }
        let Fault::Slow { span, .. } = fault else { return Ok(()) };
        if now < self.held {
            return Err((Rule::Overload, format!("{task} is ejected all the same: {fault}")));
        }
        let since = now - span;
        let is_witness = |other: &Known| other.serves.is_some() && !other.was_out(since);
        if others().any(|other| other.was_out(since)) && !others().any(is_witness) {
            let what = format!("all that serve were out when it began: {task}, {fault}");
            return Err((Rule::Overload, what));
        }
        Ok(())
    }
}

// === impl Known ===

impl Known {
    fn enter(&mut self, now: Instant) {
        self.serves = Some(now);
        self.back = self.back.or(self.left.map(|_| now));
    }

    fn eject(&mut self, now: Instant) {
        if self.left.is_none() || self.back.is_some() {
            self.left = Some(now);
        }
        (self.serves, self.ejected, self.back) = (None, Some(now), None);
    }

    fn was_out(&self, at: Instant) -> bool {
        self.left.is_some_and(|left| left <= at) && self.back.is_none_or(|back| at < back)
    }
}
