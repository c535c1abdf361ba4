//! Whether the tasks of a service are spread over its zones, and when one of those is lost.

use std::collections::BTreeMap;

use seaworthy_core::cluster::View;
use seaworthy_core::cluster::spread::Location;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::{Cause, Record};

use super::rule::Rule;

/// Where the tasks of a service are, and were.
#[derive(Debug, Default)]
pub(super) struct Zones {
    of: BTreeMap<TaskId, Location>,
}

// === impl Zones ===

impl Zones {
    /// A decision of the agent, and the tasks that there are then: whether with that a zone has nobody left
    /// in rotation, while another one has.
    pub(super) fn is_lost(&mut self, record: &Record, views: &[View]) -> bool {
        let Some(task) = record.task else { return false };
        if let Cause::Missing { location: Some(location), .. } = &record.cause {
            self.of.insert(task, location.clone());
        }
        let dead = self.of.get(&task).filter(|_| matches!(record.cause, Cause::Died { .. }));
        dead.is_some_and(|dead| {
            let serves = |here: bool| {
                let mut serving = views.iter().filter(|view| view.is_in_rotation());
                serving.any(|view| is_in(dead.zone(), view) == here)
            };
            serves(false) && !serves(true)
        })
    }
}

/// When a fleet has come up, with these tasks on these machines.
pub(super) fn check_spread(machines: &[Location], views: &[View]) -> Result<(), (Rule, String)> {
    let tasks = |zone: &str| views.iter().filter(|view| is_in(zone, view)).count();
    let counts = machines.iter().map(|machine| tasks(machine.zone()));
    match (counts.clone().min(), counts.max()) {
        (Some(fewest), Some(most)) if most > fewest + 1 => {
            Err((Rule::Spread, format!("a zone has {most} tasks, and another one {fewest}")))
        }
        _ => Ok(()),
    }
}

fn is_in(zone: &str, view: &View) -> bool {
    view.location.as_ref().is_some_and(|location| location.zone() == zone)
}
