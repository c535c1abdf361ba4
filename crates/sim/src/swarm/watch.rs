//! Whether the rules hold for one service.

use std::collections::BTreeSet;

use seaworthy_core::call::{Queue, RouteId};
use seaworthy_core::cluster::{self, View};
use seaworthy_core::endpoints::{Health, Sighting, TaskId};
use seaworthy_core::fleet::Service;
use seaworthy_core::policy::{budget, bulkhead};
use seaworthy_core::record::{Cause, Decision, Record};

use super::rule::Rule;
use super::sometimes::{Reached, Sometimes, died_of_a_request};
use super::zones::{Zones, check_spread};
use crate::world::World;

/// Watches one service.
#[derive(Debug)]
pub(super) struct Watch {
    place: usize,
    /// By the fleet file, not by what the agent says of it.
    cluster: cluster::Config,
    queue: Option<Queue>,
    /// The size of its bulkhead, if that stays.
    bulkhead: Option<u32>,
    retries: Option<budget::Config>,
    hedges: Option<budget::Config>,
    /// Numbers that were given out.
    numbers: BTreeSet<TaskId>,
    /// Tasks that have been let in by some gateway.
    let_in: BTreeSet<TaskId>,
    died_of_requests: u32,
    /// So many may die of one.
    most_deaths: u32,
    /// Somebody scales it by hand.
    by_hand: bool,
    /// A deployment is under way.
    deploys: bool,
    zones: Zones,
    pub(super) queries_of_death: u32,
    pub(super) successes: u64,
    pub(super) gateways: u32,
    pub(super) reached: Reached,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(place: usize, service: &Service, by_hand: bool) -> Self {
        let route = &service.call.routes[0];
        Self {
            place,
            cluster: service.cluster.clone(),
            queue: service.call.queue,
            bulkhead: route.guard.bulkhead.as_ref().and_then(|bulkhead| match bulkhead {
                bulkhead::Config::Fixed(size) => Some(*size),
                bulkhead::Config::Adaptive(_) => None,
            }),
            retries: route.budget,
            hedges: route.hedge.map(|hedge| hedge.budget),
            numbers: BTreeSet::new(),
            let_in: BTreeSet::new(),
            died_of_requests: 0,
            most_deaths: route.hedge.map_or(2, |_| route.tries.max(2)),
            by_hand,
            deploys: false,
            zones: Zones::default(),
            queries_of_death: 0,
            successes: 0,
            gateways: 1,
            reached: Reached::default(),
        }
    }

    /// A decision of the gateway.
    pub(super) fn served(&mut self, record: &Record) {
        self.reached.note(record);
        if let (Some(task), Decision::EnterRotation) = (record.task, record.decision) {
            self.let_in.insert(task);
        }
    }

    /// A request was answered by this task.
    pub(super) fn answered(&mut self, task: TaskId) -> Result<(), (Rule, String)> {
        if self.let_in.contains(&task) {
            return Ok(());
        }
        Err((Rule::FirstCheck, format!("{task} answered before a check of it had passed")))
    }

    /// A decision of the agent.
    pub(super) fn controlled(
        &mut self,
        world: &World,
        record: &Record,
    ) -> Result<(), (Rule, String)> {
        self.reached.note(record);
        let views = world.views(self.place);
        let serving = views.iter().filter(|view| view.is_in_rotation()).count() as u32;
        self.reached.add_if(self.zones.is_lost(record, &views), Sometimes::ZoneLost);
        if matches!(record.cause, Cause::Died { .. }) {
            let missing = world.desired_count(self.place).saturating_sub(serving);
            self.reached.add_if(missing > 1, Sometimes::SecondFailure);
        }
        if let Cause::Scaled { from, to, .. } = record.cause
            && !self.by_hand
        {
            let what = if to > from { Sometimes::ScaledOut } else { Sometimes::ScaledIn };
            self.reached.add(what);
        }
        match record.decision {
            Decision::Deploy => {
                self.reached
                    .add_if(std::mem::replace(&mut self.deploys, true), Sometimes::Superseded);
            }
            Decision::Complete | Decision::Fail => self.deploys = false,
            _ => {}
        }
        if died_of_a_request(record) {
            self.died_of_requests += 1;
            let (died, sent) = (self.died_of_requests, self.queries_of_death);
            self.reached.add_if(died == 2 * sent, Sometimes::QueryOfDeath);
            if died > self.most_deaths * sent {
                return Err((Rule::QueryOfDeath, format!("{died} tasks died of {sent} requests")));
            }
        }
        let Some(task) = record.task else { return Ok(()) };
        match (record.decision, &record.cause) {
            (Decision::Start, _) => self.started(world, task, &views),
            (Decision::Retire, cause) => self.retired(world, task, cause, &views),
            (Decision::Terminate, Cause::Drained) => self.drained(world, task),
            _ => Ok(()),
        }
    }

    fn started(
        &mut self,
        world: &World,
        task: TaskId,
        views: &[View],
    ) -> Result<(), (Rule, String)> {
        if !self.numbers.insert(task) {
            return Err((Rule::OneTask, format!("{task} is started twice")));
        }
        let ceiling = self.cluster.ceiling_of(world.desired_count(self.place));
        let tasks = views.len() as u32;
        if tasks > ceiling {
            let what = format!("{tasks} tasks after the start of {task}, allowed are {ceiling}");
            return Err((Rule::Ceiling, what));
        }
        Ok(())
    }

    /// By what the agent knew: a word of the gateway may be late, and tasks die unasked.
    fn retired(
        &self,
        world: &World,
        task: TaskId,
        cause: &Cause,
        views: &[View],
    ) -> Result<(), (Rule, String)> {
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
        let desired = world.desired_count(self.place);
        let (left, floor) = (left.count() as u32, self.cluster.floor_of(desired));
        // Where the ceiling leaves no room for what takes its place, one that has not settled makes it.
        let makes_room = matches!(cause, Cause::ByHand)
            && views.len() as u32 >= self.cluster.ceiling_of(desired);
        if left < floor && !makes_room {
            let what = format!("{task} is retired ({cause}) and leaves {left} of {floor}");
            return Err((Rule::Floor, what));
        }
        Ok(())
    }

    /// By what the gateway does: that is what the drain is for.
    fn drained(&self, world: &World, task: TaskId) -> Result<(), (Rule, String)> {
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

    /// What has a bound keeps it.
    pub(super) fn check_bounds(&mut self, world: &mut World) -> Result<(), (Rule, String)> {
        let queued = world.queued(self.place);
        let most = self.queue.map_or(0, |queue| queue.most_calls);
        self.reached.add_if(queued > 0, Sometimes::Waited);
        self.reached.add_if(queued == most && queued > 0, Sometimes::QueueFull);
        if queued > most {
            return Err((Rule::Queue, format!("{queued} calls wait, allowed are {most}")));
        }
        let standing = world.standing(self.place, RouteId(0));
        self.reached.add_if(Some(standing.running) == standing.limit, Sometimes::BulkheadFull);
        self.reached.add_if(standing.abandoned > 0, Sometimes::Abandoned);
        if let Some(size) = self.bulkhead.filter(|size| standing.running > *size) {
            let what = format!("{} calls run, allowed are {size}", standing.running);
            return Err((Rule::Bulkhead, what));
        }
        self.check_budgets(world)
    }

    fn check_budgets(&mut self, world: &World) -> Result<(), (Rule, String)> {
        let tries = world.tries(self.place);
        self.reached.add_if(tries.retries > 0, Sometimes::Retried);
        self.reached.add_if(tries.hedges > 0, Sometimes::Hedged);
        self.reached.add_if(tries.won > 0, Sometimes::HedgeWon);
        let seconds = world.now().as_nanos().div_ceil(1_000_000_000);
        let most = |budget: &budget::Config| {
            let saved = u64::from(budget.cap) * u64::from(self.gateways);
            let earned = self.successes * u64::from(budget.success_percent) / 100;
            saved + earned + u64::from(budget.per_second) * seconds + 1
        };
        if tries.repeated > 0 {
            return Err((Rule::SentOnce, format!("{} of them were", tries.repeated)));
        }
        for (what, spent, budget) in
            [("retries", tries.paid, &self.retries), ("hedges", tries.hedges, &self.hedges)]
        {
            let most = budget.as_ref().map_or(u64::MAX, most);
            if spent > most {
                return Err((Rule::Budget, format!("{spent} {what}, the budget allows {most}")));
            }
        }
        Ok(())
    }

    /// Its tasks have just come up.
    pub(super) fn check_fill(&self, world: &World) -> Result<(), (Rule, String)> {
        check_spread(&self.cluster.machines, &world.views(self.place))
    }

    /// What was held is given back.
    pub(super) fn check_end(&self, world: &mut World) -> Result<(), (Rule, String)> {
        let standing = world.standing(self.place, RouteId(0));
        let in_flight: u32 = world.sightings(self.place).tasks.iter().map(|t| t.in_flight).sum();
        let queued = world.queued(self.place);
        if (standing.running, standing.abandoned, in_flight, queued) == (0, 0, 0, 0) {
            return Ok(());
        }
        let what = format!(
            "{} calls hold a place in the bulkhead, {} of them abandoned; {in_flight} are in flight, \
             {queued} wait",
            standing.running, standing.abandoned
        );
        Err((Rule::GivenBack, what))
    }
}

fn serves(seen: &Sighting) -> bool {
    seen.in_rotation && seen.health == Health::Healthy && seen.ejection.is_none()
}
