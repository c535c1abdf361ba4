//! How soon a task that goes on badly is found out.

use std::time::Duration;

use super::{Course, Stage};
use crate::endpoints::TaskId;
use crate::experiment::{FaultKind, TaskFault};

/// A task that was made to go on badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The place of its service.
    pub service: usize,
    /// Which one.
    pub task: TaskId,
    /// How.
    pub fault: TaskFault,
    /// From the fault until it was out of rotation; none if it never was while the fault lasted.
    pub took: Option<Duration>,
}

// === impl Course ===

impl Course {
    /// Each task that was made to go on badly, in the order of the faults.
    pub fn detections(&self) -> Vec<Detection> {
        let mut detections = Vec::new();
        for inflicted in &self.inflicted {
            let FaultKind::Task { service, fault, .. } = inflicted.fault.kind else { continue };
            let took = |task: &TaskId| {
                let stages = &self.lives.get(task)?.stages;
                let out = stages.iter().find(|(at, stage)| {
                    *at >= inflicted.at && matches!(stage, Stage::Out | Stage::Gone)
                });
                let took = out?.0.since(inflicted.at);
                (took <= inflicted.fault.lasts).then_some(took)
            };
            let found = |task| Detection { service, task, fault, took: took(&task) };
            detections.extend(inflicted.tasks.iter().copied().map(found));
        }
        detections
    }
}
