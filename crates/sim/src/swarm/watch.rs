//! Whether the rules hold for one service.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::call::Route;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::{self, View};
use seaworthy_core::endpoints::{Health, Sighting, TaskId};
use seaworthy_core::experiment::caller::Caller;
use seaworthy_core::fleet::Service;
use seaworthy_core::record::{Cause, Decision, Record};
use seaworthy_core::time::Instant;

use super::bounds::Bounds;
use super::calling::Calling;
use super::counts::Counts;
use super::ends::Ends;
use super::gates::Gates;
use super::leavings::Leavings;
use super::outcomes::Outcomes;
use super::rule::{Kept, Rule};
use super::scenario::{Happening, Scenario, ToService};
use super::sometimes::{Reached, Sometimes, died_of_a_request};
use super::verdicts::Verdicts;
use super::zones::{Zones, check_spread};
use crate::world::{Said, World};

/// Watches one service.
#[derive(Debug)]
pub(super) struct Watch {
    place: usize,
    /// By the fleet file and what was deployed, not by what the agent says of it.
    cluster: cluster::Config,
    /// The settings of revisions of which the agent may hear later.
    deployed: BTreeMap<Revision, cluster::Config>,
    counts: Counts,
    bounds: Bounds,
    leavings: Leavings,
    pub(super) gates: Gates,
    /// The calls of its tasks, if they make some.
    calling: Option<Calling>,
    /// Numbers that were given out.
    numbers: BTreeSet<TaskId>,
    /// Tasks that have been let in by some gateway.
    let_in: BTreeSet<TaskId>,
    ends: Ends,
    outcomes: Outcomes,
    died_of_requests: u32,
    /// So many may die of one.
    most_deaths: u32,
    /// Tasks of it die of a leak, which looks just like that.
    leaks: bool,
    /// Somebody scales it by hand.
    by_hand: bool,
    /// A deployment is under way.
    deploys: bool,
    zones: Zones,
    verdicts: Verdicts,
    pub(super) queries_of_death: u32,
    reached: Reached,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(
        place: usize,
        service: &Service,
        caller: &Caller,
        scenario: &Scenario,
    ) -> Self {
        let happenings = &scenario.happenings;
        let deaths = |route: &Route| route.hedge.map_or(2, |_| route.tries.max(2));
        let is_scaled = |what: &Happening| what.to_service(place).is_some_and(ToService::scales);
        let any = |of: &dyn Fn(&Happening) -> bool| happenings.iter().any(|(_, what)| of(what));
        let calls = !caller.dependencies.is_empty();
        let by_hand = any(&is_scaled);
        Self {
            place,
            cluster: service.cluster.clone(),
            deployed: BTreeMap::new(),
            counts: Counts::new(&service.cluster, by_hand),
            bounds: Bounds::default(),
            leavings: Leavings::new(&service.cluster),
            gates: Gates::new(place, service),
            calling: calls.then(|| Calling::new(place, caller.clone(), service)),
            numbers: BTreeSet::new(),
            let_in: BTreeSet::new(),
            ends: Ends::new(&scenario.physics),
            outcomes: Outcomes::default(),
            died_of_requests: 0,
            most_deaths: service.call.routes.iter().map(deaths).max().unwrap_or_default(),
            leaks: any(&|what| what.makes_leak(place)),
            by_hand,
            deploys: false,
            zones: Zones::new(&service.health),
            verdicts: Verdicts::new(service.health.passive),
            queries_of_death: 0,
            reached: Reached::default(),
        }
    }

    /// This was deployed.
    pub(super) fn deployed(&mut self, revision: Revision, config: cluster::Config) {
        self.deployed.insert(revision, config);
    }

    /// Another gateway knows nothing.
    pub(super) fn begin_anew(&mut self) {
        self.gates.begin_anew();
        self.ends.begin_anew();
        self.outcomes.begin_anew();
        self.verdicts.begin_anew();
        self.zones.begin_anew();
    }

    /// A decision of the gateway.
    pub(super) fn served(&mut self, record: &Record) {
        self.reached.note(record);
        if let (Some(task), Decision::EnterRotation) = (record.task, record.decision) {
            self.let_in.insert(task);
        }
    }

    /// This was said at that moment.
    pub(super) fn overheard(&mut self, at: Instant, said: &Said) -> Kept {
        self.outcomes.hear(said)?;
        self.ends.hear(at, said)?;
        self.verdicts.hear(at, said)?;
        match (said, &mut self.calling) {
            (Said::Noted(task, noted), Some(calling)) => calling.noted(at, *task, *noted),
            (Said::Delayed, _) => {
                self.reached.add(Sometimes::Delayed);
                Ok(())
            }
            _ => self.gates.overheard(at, said),
        }
    }

    /// A task is no more.
    pub(super) fn ended(&mut self, now: Instant, task: TaskId) {
        self.ends.ended(now, task);
    }

    /// A request was answered by this task.
    pub(super) fn answered(&mut self, task: TaskId) -> Kept {
        if self.let_in.contains(&task) {
            return Ok(());
        }
        Err((Rule::FirstCheck, format!("{task} answered before a check of it had passed")))
    }

    /// A decision of the agent.
    pub(super) fn controlled(&mut self, world: &World, record: &Record) -> Kept {
        self.reached.note(record);
        self.counts.hear(record)?;
        self.leavings.hear(record)?;
        let views = world.views(self.place);
        self.note_states(record, &views);
        self.note_deployment(record);
        self.count_death(record)?;
        let Some(task) = record.task else { return Ok(()) };
        match (record.decision, &record.cause) {
            (Decision::Start, cause) => {
                self.came(world, task, cause)?;
                self.started(task, &views)
            }
            (Decision::Retire, cause) => self.retired(world, task, cause, &views),
            (Decision::Terminate, Cause::Drained) => self.drained(world, task),
            _ => Ok(()),
        }
    }

    fn note_states(&mut self, record: &Record, views: &[View]) {
        self.reached.add_if(self.zones.is_lost(record, views), Sometimes::ZoneLost);
        if matches!(record.cause, Cause::Died { .. }) {
            let serving = views.iter().filter(|view| view.is_in_rotation()).count() as u32;
            let missing = self.counts.desired().saturating_sub(serving);
            self.reached.add_if(missing > 1, Sometimes::SecondFailure);
        }
        if let Cause::Scaled { from, to, .. } = record.cause
            && !self.by_hand
        {
            let what = if to > from { Sometimes::ScaledOut } else { Sometimes::ScaledIn };
            self.reached.add(what);
        }
    }

    fn note_deployment(&mut self, record: &Record) {
        match record.decision {
            Decision::Deploy => {
                if let Cause::NewRevision { revision, .. } = record.cause
                    && let Some(config) = self.deployed.remove(&revision)
                {
                    self.cluster = config;
                }
                self.reached
                    .add_if(std::mem::replace(&mut self.deploys, true), Sometimes::Superseded);
            }
            Decision::Complete | Decision::Fail => self.deploys = false,
            _ => {}
        }
    }

    /// No request kills more tasks than it may.
    fn count_death(&mut self, record: &Record) -> Kept {
        let died = died_of_a_request(record);
        self.reached.add_if(died && self.leaks, Sometimes::Leaked);
        if !died || self.leaks {
            return Ok(());
        }
        self.died_of_requests += 1;
        let (died, sent) = (self.died_of_requests, self.queries_of_death);
        self.reached.add_if(died == 2 * sent, Sometimes::QueryOfDeath);
        if died > self.most_deaths * sent {
            return Err((Rule::QueryOfDeath, format!("{died} tasks died of {sent} requests")));
        }
        Ok(())
    }

    /// Where a task is to start, if that is said.
    fn came(&mut self, world: &World, task: TaskId, cause: &Cause) -> Kept {
        let Cause::Missing { location: Some(location), .. } = cause else { return Ok(()) };
        let mut machines = self.cluster.machines.iter();
        self.reached
            .add_if(machines.any(|one| world.is_dark(self.place, one)), Sometimes::Elsewhere);
        if world.is_dark(self.place, location) {
            let what = format!("{task} is to start on {location}, where the power is off");
            return Err((Rule::Power, what));
        }
        Ok(())
    }

    fn started(&mut self, task: TaskId, views: &[View]) -> Kept {
        if !self.numbers.insert(task) {
            return Err((Rule::OneTask, format!("{task} is started twice")));
        }
        let ceiling = self.cluster.ceiling_of(self.counts.desired());
        self.bounds.started(task, views.len() as u32, ceiling);
        Ok(())
    }

    /// By what the agent knew: a word of the gateway may be late, and tasks die unasked.
    fn retired(&mut self, world: &World, task: TaskId, cause: &Cause, views: &[View]) -> Kept {
        let Some(told) = world.told(self.place) else {
            let what = format!("{task} is retired, and the gateway has told nothing yet");
            return Err((Rule::Floor, what));
        };
        let seen = told.of(task);
        // That it never answered well is why it goes, whichever gateway has seen it.
        let disproved = |seen: &Sighting| *cause == Cause::Replaced && seen.answered == 0;
        if !seen.is_some_and(|seen| serves(seen) && !disproved(seen)) {
            return Ok(());
        }
        let stays = |view: &&View| !view.is_leaving() && view.has_process();
        // Of whom a new gateway knows nothing yet, the word of the last one counts.
        let is_known = |seen: &Sighting| {
            serves(seen) || seen.health == Health::Initial && self.let_in.contains(&seen.task)
        };
        let left = views.iter().filter(stays);
        let left = left.filter(|view| told.of(view.task).is_some_and(is_known));
        let (left, floor) = (left.count() as u32, self.cluster.floor_of(self.counts.desired()));
        self.bounds.retired(task, cause.clone(), left, floor);
        Ok(())
    }

    /// By what the gateway does: that is what the drain is for.
    fn drained(&self, world: &World, task: TaskId) -> Kept {
        match world.sightings(self.place).of(task) {
            Some(seen) if seen.in_flight > 0 || seen.in_rotation => {
                let gets = if seen.in_rotation { "it may get more" } else { "it gets no more" };
                let what =
                    format!("{task} had {} in flight when told to go, and {gets}", seen.in_flight);
                Err((Rule::Drained, what))
            }
            _ => Ok(()),
        }
    }

    /// Whatever has a bound keeps it.
    pub(super) fn check_bounds(&mut self, world: &mut World) -> Kept {
        self.counts.check(world.desired_count(self.place))?;
        let count = self.counts.desired();
        self.bounds.check(self.cluster.floor_of(count), self.cluster.ceiling_of(count))?;
        self.gates.check_bounds(world)?;
        self.zones.check_power(self.place, &self.cluster.machines, world)?;
        self.calling.as_mut().map_or(Ok(()), |calling| calling.check_bounds(world))
    }

    /// Whether no breaker holds anything back.
    pub(super) fn flows(&self, world: &mut World) -> bool {
        self.gates.flows(world) && self.calling.as_ref().is_none_or(|calling| calling.flows(world))
    }

    /// Its tasks have just come up.
    pub(super) fn check_fill(&self, world: &World) -> Kept {
        check_spread(&self.cluster.machines, &world.views(self.place))
    }

    /// What was held is given back.
    pub(super) fn check_end(&self, world: &mut World) -> Kept {
        self.gates.check_end(world)?;
        self.calling.as_ref().map_or(Ok(()), |calling| calling.check_end(world))
    }

    /// All that it has seen reached.
    pub(super) fn reached(&self) -> Reached {
        let calling = self.calling.as_ref().map(|calling| calling.reached);
        self.reached.and(self.gates.reached()).and(calling.unwrap_or_default())
    }
}

fn serves(seen: &Sighting) -> bool {
    seen.in_rotation && seen.health == Health::Healthy && seen.ejection.is_none()
}
