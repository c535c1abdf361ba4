//! Whether what requests show of tasks is held against them as it is promised, by what the gateway says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::passive::{Config, Fault};
use seaworthy_core::record::{Cause, Decision, Record};
use seaworthy_core::target_group::{Action, Input};
use seaworthy_core::time::Instant;

use super::rule::{Kept, Rule};
use super::trials::Trials;
use crate::world::Said;

/// The verdicts on the tasks of a service.
#[derive(Debug)]
pub(super) struct Verdicts {
    config: Option<Config>,
    tasks: BTreeMap<TaskId, Known>,
    trials: Trials,
    /// Until then nobody is ejected for being slow.
    held: Instant,
    /// The gateway last told something of a request then: what core learns at another moment is that a deadline
    /// has passed.
    told: Instant,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// It is in rotation, and not on trial, since then.
    serves: Option<Instant>,
    ejected: Option<Ejected>,
    /// It was out since then, trials and all,
    left: Option<Instant>,
    /// until then, if that is over.
    back: Option<Instant>,
}

/// That a task was last ejected.
#[derive(Clone, Copy, Debug)]
struct Ejected {
    at: Instant,
    length: Duration,
    /// In a row.
    times: u32,
}

// === impl Verdicts ===

impl Verdicts {
    pub(super) fn new(config: Option<Config>) -> Self {
        let (tasks, trials) = (BTreeMap::new(), Trials::default());
        Self { config, tasks, trials, held: Instant::EPOCH, told: Instant::EPOCH }
    }

    /// Another gateway has seen nothing of it.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::new(self.config);
    }

    /// This was said at that moment.
    pub(super) fn hear(&mut self, at: Instant, said: &Said) -> Kept {
        match said {
            Said::Told(Input::Call(input)) => {
                self.told = at;
                self.trials.told(input);
            }
            Said::Wanted(Action::Call(action)) => {
                let serve = self.tasks.iter().filter(|(_, known)| known.serves.is_some());
                let serve: Vec<TaskId> = serve.map(|(task, _)| *task).collect();
                let wrong = self.trials.asked_again(action, &serve);
                wrong.map_or(Ok(()), |what| Err((Rule::Trial, what)))?;
                self.trials.wanted(at, action);
            }
            Said::Wanted(Action::Record(record)) => return self.check(record),
            _ => {}
        }
        Ok(())
    }

    /// A decision of the gateway.
    fn check(&mut self, record: &Record) -> Kept {
        let (Some(config), now) = (self.config, record.at) else { return Ok(()) };
        if record.decision == Decision::Hold {
            // It is over early where nothing was late for a window.
            self.held = now + config.ejection.min(config.window);
            return Ok(());
        }
        let Some(task) = record.task else { return Ok(()) };
        let wrong = self.check_trial(now, task, record);
        wrong.map_or(Ok(()), |what| Err((Rule::Trial, what)))?;
        let known = self.tasks.entry(task).or_default();
        match (record.decision, &record.cause) {
            (Decision::EnterRotation, _) => known.enter(now),
            (Decision::LeaveRotation, &Cause::Ejected { fault, times, length }) => {
                let this = Ejected { at: now, length, times };
                check_length(task, fault, this, known.eject(this), &config)?;
                return self.check_ejection(now, task, fault, &config);
            }
            (Decision::LeaveRotation, _) => known.serves = None,
            (Decision::Trial, cause) => {
                known.serves = None;
                let is_over = matches!(cause, Cause::EjectionOver { .. });
                let last = known.ejected.filter(|last| is_over && now < last.at + last.length);
                if let Some(last) = last {
                    let what = format!("{task} is on trial before {:?} are over", last.length);
                    return Err((Rule::Ejection, what));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_trial(&mut self, now: Instant, task: TaskId, record: &Record) -> Option<String> {
        match (record.decision, &record.cause) {
            (Decision::Trial, _) => {
                self.trials.begin(now, task);
                None
            }
            (_, Cause::TrialPassed | Cause::Ejected { fault: Fault::Trial, .. }) => {
                self.trials.decided(task)
            }
            (Decision::EnterRotation, Cause::TrialUnused { .. }) => self.trials.unused(now, task),
            _ => None,
        }
    }

    fn check_ejection(&self, now: Instant, task: TaskId, fault: Fault, config: &Config) -> Kept {
        let others = || self.tasks.iter().filter(|(other, _)| **other != task).map(|(_, one)| one);
        let left = others().filter(|other| other.serves.is_some()).count() as u32;
        if fault != Fault::Trial && left < config.minimum_in_rotation {
            let what = format!(
                "{task} is ejected and leaves {left} of {}: {fault}",
                config.minimum_in_rotation
            );
            return Err((Rule::Ejection, what));
        }
        let is_late =
            matches!(fault, Fault::Slow { .. }) || fault != Fault::Trial && self.told < now;
        if is_late && now < self.held {
            return Err((Rule::Overload, format!("{task} is ejected all the same: {fault}")));
        }
        let Fault::Slow { span, .. } = fault else { return Ok(()) };
        let since = now - span;
        let is_witness = |other: &Known| other.serves.is_some() && !other.was_out(since);
        if others().any(|other| other.was_out(since)) && !others().any(is_witness) {
            let what = format!("all that serve were out when it began: {task}, {fault}");
            return Err((Rule::Overload, what));
        }
        Ok(())
    }
}

/// Each in a row is longer by as much, up to a limit; one that follows on a trial is in a row with the last one.
fn check_length(
    task: TaskId,
    fault: Fault,
    this: Ejected,
    before: Option<Ejected>,
    config: &Config,
) -> Kept {
    let Ejected { length, times, .. } = this;
    let least = before.filter(|_| fault == Fault::Trial).map_or(1, |before| before.times + 1);
    let full = config.ejection.saturating_mul(times).min(config.longest_ejection);
    if times >= least && length == full {
        return Ok(());
    }
    Err((Rule::Ejection, format!("{task} is ejected for {length:?}, number {times} in a row")))
}

// === impl Known ===

impl Known {
    fn enter(&mut self, now: Instant) {
        self.serves = Some(now);
        self.back = self.back.or(self.left.map(|_| now));
    }

    /// How it was ejected before.
    fn eject(&mut self, this: Ejected) -> Option<Ejected> {
        if self.left.is_none() || self.back.is_some() {
            self.left = Some(this.at);
        }
        (self.serves, self.back) = (None, None);
        self.ejected.replace(this)
    }

    fn was_out(&self, at: Instant) -> bool {
        self.left.is_some_and(|left| left <= at) && self.back.is_none_or(|back| at < back)
    }
}
