//! How long a trigger may last before what it leaves behind stays.
//!
//! A service is *metastable* where something that is soon over (a spike, tasks that are slow for a while) takes it down
//! and it stays down: what it does while it is down, such as work for clients who have given up and ask again, keeps it
//! there. How long the trigger must last for that differs from seed to seed, and is found for each by bisection.

use std::time::Duration;

use seaworthy_core::experiment::{Cell, Drill, Fault, Schedule};

use crate::cell::{self, Error};

/// The longest trigger is halved so often.
const HALVINGS: u32 = 9;

/// A drill whose trigger can last for a longer or a shorter time.
#[derive(Clone, Debug)]
pub struct Search {
    drill: Drill,
    /// Its place among the drill's schedules.
    schedule: usize,
    /// How long the load goes on when the trigger is over.
    calm: Duration,
}

/// The boundaries of many seeds; none: they do not stay down, not even after the longest trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// That of the first seed to stay down,
    pub shortest: Option<Duration>,
    /// half of them have by then,
    pub median: Option<Duration>,
    /// and that of the last one.
    pub longest: Option<Duration>,
}

// === impl Search ===

impl Search {
    /// By the first schedule of which nothing is but a trigger: one fault that lasts, and not to the end
    /// of the load. None if no schedule is like that.
    pub fn new(drill: Drill) -> Option<Self> {
        let calm = |schedule: &Schedule| match &schedule.faults[..] {
            [fault] if fault.lasts > Duration::ZERO => schedule.duration.checked_sub(fault.end()),
            _ => None,
        };
        let mut found = drill.schedules.iter().map(calm).enumerate();
        let found = found.find_map(|(at, calm)| Some((at, calm.filter(|calm| !calm.is_zero())?)));
        let (schedule, calm) = found?;
        Some(Self { drill, schedule, calm })
    }

    /// The same with so many percent of the load.
    #[must_use]
    pub fn with_load(&self, percent: u32) -> Self {
        let mut other = self.clone();
        for flow in &mut other.drill.load.flows {
            let rate = u64::from(flow.rate) * u64::from(percent) / 100;
            flow.rate = u32::try_from(rate).unwrap_or(u32::MAX).max(1);
        }
        other
    }

    /// The drill, with the load that is searched.
    pub fn drill(&self) -> &Drill {
        &self.drill
    }

    /// The trigger, as the drill has it.
    pub fn trigger(&self) -> &Fault {
        &self.drill.schedules[self.schedule].faults[0]
    }

    /// How long the load goes on when the trigger is over: who has not recovered by then stays down.
    pub fn calm(&self) -> Duration {
        self.calm
    }

    /// After a trigger of which length, up to `longest`, a configuration stays down, for seeds 1 to `seeds`,
    /// of which there is at least one.
    pub fn boundary(
        &self,
        configuration: usize,
        longest: Duration,
        seeds: u32,
    ) -> Result<Boundary, Error> {
        let of = |seed| self.boundary_of(configuration, longest, seed);
        let mut all = (1..=seeds).map(of).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|boundary| boundary.unwrap_or(Duration::MAX));
        let last = all.len() - 1;
        Ok(Boundary { shortest: all[0], median: all[last / 2], longest: all[last] })
    }

    fn boundary_of(
        &self,
        configuration: usize,
        longest: Duration,
        seed: u32,
    ) -> Result<Option<Duration>, Error> {
        if !self.stays_down(configuration, longest, seed)? {
            return Ok(None);
        }
        let (mut recovers, mut stays) = (Duration::ZERO, longest);
        for _ in 0..HALVINGS {
            let middle = (recovers + stays) / 2;
            let is_down = self.stays_down(configuration, middle, seed)?;
            *(if is_down { &mut stays } else { &mut recovers }) = middle;
        }
        Ok(Some(stays))
    }

    /// Whether the objective never holds again after a trigger of this length, with this seed.
    pub fn stays_down(
        &self,
        configuration: usize,
        lasts: Duration,
        seed: u32,
    ) -> Result<bool, Error> {
        let mut drill = self.drill.clone();
        let schedule = &mut drill.schedules[self.schedule];
        schedule.faults[0].lasts = lasts;
        schedule.duration = schedule.faults[0].end() + self.calm;
        let cell = Cell { configuration, schedule: self.schedule };
        let seed = cell.seed(drill.configurations[0].seed(), seed);
        Ok(cell::run(&drill, cell, seed)?.numbers.recovery.is_none())
    }
}
