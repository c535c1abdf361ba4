//! Whether the tasks of a service are spread over its zones, when one of those is lost, and whether nothing is where
//! the power is off.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::cluster::View;
use seaworthy_core::cluster::spread::Location;
use seaworthy_core::endpoints::{Health, Sighting, TaskId};
use seaworthy_core::health;
use seaworthy_core::record::{Cause, Record};
use seaworthy_core::time::Instant;

use super::rule::{Kept, Rule};
use crate::world::World;

/// Where the tasks of a service are, and were.
#[derive(Debug)]
pub(super) struct Zones {
    of: BTreeMap<TaskId, Location>,
    /// Machines without power, each since when.
    dark: Vec<(Location, Instant)>,
    /// After so long checks have shown that nobody is there.
    shown_after: Duration,
}

// === impl Zones ===

impl Zones {
    pub(super) fn new(checks: &health::Config) -> Self {
        let rounds = checks.interval + checks.fast_interval * checks.unhealthy_threshold;
        let waited = checks.timeout * (1 + checks.unhealthy_threshold);
        // Machines may stand still for some of it.
        Self { of: BTreeMap::new(), dark: Vec::new(), shown_after: 2 * (rounds + waited) }
    }

    /// Another gateway has checked nothing.
    pub(super) fn begin_anew(&mut self) {
        self.dark.clear();
    }

    /// Whether there is nobody on those of the service's `machines` that have no power.
    pub(super) fn check_power(
        &mut self,
        place: usize,
        machines: &[Location],
        world: &World,
    ) -> Kept {
        let now = world.now();
        self.dark.retain(|(machine, _)| world.is_off(place, machine));
        // The agent has heard of it, and done what it does then.
        let is_known = |machine: &&Location| {
            let is_dark = world.is_off(place, machine) && world.is_dark(place, machine);
            is_dark && !world.agent_is_busy()
        };
        for machine in machines.iter().filter(is_known) {
            if !self.dark.iter().any(|(dark, _)| dark == machine) {
                self.dark.push((machine.clone(), now));
            }
        }
        if self.dark.is_empty() {
            return Ok(());
        }
        let is_shown = |task: TaskId| {
            let there = |dark: &Location| self.of.get(&task) == Some(dark);
            self.dark.iter().any(|(dark, since)| there(dark) && now > *since + self.shown_after)
        };
        if let Some(task) = world.running(place).find(|task| is_shown(*task)) {
            return Err((Rule::Power, format!("{task} runs where the power is off")));
        }
        let gets =
            |one: &Sighting| is_shown(one.task) && one.in_rotation && one.health == Health::Healthy;
        world.sightings(place).tasks.into_iter().find(gets).map_or(Ok(()), |one| {
            let what = format!("{} gets requests, and the power is off where it was", one.task);
            Err((Rule::Power, what))
        })
    }

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
pub(super) fn check_spread(machines: &[Location], views: &[View]) -> Kept {
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
