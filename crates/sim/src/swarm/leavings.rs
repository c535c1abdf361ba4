//! Whether tasks that are to go have the time that they are promised: for the requests that they have, and to end.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::cluster;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::{Cause, Decision, Record};
use seaworthy_core::time::Instant;

use super::rule::{Kept, Rule};

/// The tasks of a service that are to go.
#[derive(Debug)]
pub(super) struct Leavings {
    delay: Duration,
    timeout: Duration,
    /// When each was retired,
    retired: BTreeMap<TaskId, Instant>,
    /// and told to go.
    told: BTreeMap<TaskId, Instant>,
}

// === impl Leavings ===

impl Leavings {
    pub(super) fn new(cluster: &cluster::Config) -> Self {
        Self {
            delay: cluster.deregistration_delay,
            timeout: cluster.stop_timeout,
            retired: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// A decision of the agent. The next agent may wait for longer, and never for less.
    pub(super) fn hear(&mut self, record: &Record) -> Kept {
        let (Some(task), now) = (record.task, record.at) else { return Ok(()) };
        match (record.decision, &record.cause) {
            (Decision::Terminate, Cause::DeregistrationDelayOver { .. }) => {
                check(record, task, self.retired.get(&task), self.delay)?;
            }
            (Decision::Kill, Cause::StopTimeoutOver { .. }) => {
                check(record, task, self.told.get(&task), self.timeout)?;
            }
            _ => {}
        }
        match record.decision {
            Decision::Retire => {
                self.retired.insert(task, now);
            }
            Decision::Terminate => {
                self.told.insert(task, now);
            }
            // The next agent may say once more what was done to it.
            Decision::Kill => {
                self.told.insert(task, Instant::EPOCH);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the time since then that was promised to a task is over.
fn check(record: &Record, task: TaskId, since: Option<&Instant>, promised: Duration) -> Kept {
    let Record { at: now, decision, .. } = record;
    let waited = since.map(|since| now.since(*since));
    if waited.is_some_and(|waited| waited >= promised) {
        return Ok(());
    }
    let waited = waited.map_or("no time".to_owned(), |waited| format!("{waited:?}"));
    let what = format!("{task} has {waited} before {decision:?}, and {promised:?} are promised");
    Err((Rule::Patience, what))
}
