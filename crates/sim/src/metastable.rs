//! How large a trigger may be before what it leaves behind stays.
//!
//! A service is *metastable* where something that is soon over (a spike, tasks that are slow for a while, or that are
//! killed and replaced) takes it down and it stays down: what it does while it is down, such as work for clients who
//! have given up and ask again, keeps it there. How large the trigger must be for that differs from seed to seed, and
//! is found for each by bisection.

use std::fmt;
use std::time::Duration;

use seaworthy_core::experiment::load::Flow;
use seaworthy_core::experiment::{Cell, Drill, Fault, FaultKind, Schedule, Which};
use seaworthy_core::fleet::ConfigError;

use crate::cell::{self, Error};

/// A trigger that lasts is tried in so many steps.
const STEPS: u32 = 512;

/// A drill whose trigger can be larger or smaller.
#[derive(Clone, Debug)]
pub struct Search {
    drill: Drill,
    /// Its place among the drill's schedules.
    schedule: usize,
    /// How long the load goes on when the trigger is over.
    calm: Duration,
}

/// How large a trigger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Nothing happens: what is down then was so before.
    Nothing,
    /// It lasts for so long.
    Lasts(Duration),
    /// So many tasks are ended.
    Tasks(u32),
}

/// The boundaries of many seeds; none: they do not stay down, not even after the largest trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// That of the first seed to stay down,
    pub smallest: Option<Size>,
    /// half of them have by then,
    pub median: Option<Size>,
    /// and that of the last one.
    pub largest: Option<Size>,
}

// === impl Search ===

impl Search {
    /// By the first schedule of which nothing is but a trigger: one fault that lasts, and not to the end
    /// of the load, or that ends a number of tasks. None if no schedule is like that: one task, or those at
    /// one place, are neither more nor fewer.
    pub fn new(drill: Drill) -> Option<Self> {
        let is_trigger = |fault: &Fault| match &fault.kind {
            FaultKind::End { tasks, .. } => matches!(tasks, Which::Oldest(_) | Which::All),
            _ => fault.lasts > Duration::ZERO,
        };
        let calm = |schedule: &Schedule| match &schedule.faults[..] {
            [fault] if is_trigger(fault) => schedule.duration.checked_sub(fault.end()),
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

    /// How many requests a second there are when the trigger comes.
    pub fn rate(&self) -> u32 {
        let at = self.trigger().at;
        let comes = |flow: &&Flow| flow.from <= at && flow.until.is_none_or(|until| at < until);
        self.drill.load.flows.iter().filter(comes).map(|flow| flow.rate).sum()
    }

    /// The trigger, as the drill has it.
    pub fn trigger(&self) -> &Fault {
        &self.drill.schedules[self.schedule].faults[0]
    }

    /// How long the load goes on when the trigger is over: who has not recovered by then stays down.
    pub fn calm(&self) -> Duration {
        self.calm
    }

    /// Whether the load can be made, also with a trigger that lasts for `longest`.
    pub fn check(&self, longest: Duration) -> Result<(), ConfigError> {
        let largest = match self.trigger().kind {
            FaultKind::End { .. } => Size::Nothing,
            _ => Size::Lasts(longest),
        };
        self.with_trigger(largest).check_load()
    }

    /// After a trigger of which size a configuration stays down, for seeds 1 to `seeds`, of which there is at
    /// least one. What lasts does so up to `longest`; tasks are ended up to all that there are.
    pub fn boundary(
        &self,
        configuration: usize,
        longest: Duration,
        seeds: u32,
    ) -> Result<Boundary, Error> {
        let sizes = self.sizes(configuration, longest);
        let of = |seed| self.boundary_of(configuration, &sizes, seed);
        let mut all = (1..=seeds).map(of).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|boundary| (boundary.is_none(), *boundary));
        let last = all.len() - 1;
        Ok(Boundary { smallest: all[0], median: all[last / 2], largest: all[last] })
    }

    /// From none to the largest trigger.
    fn sizes(&self, configuration: usize, longest: Duration) -> Vec<Size> {
        let mut sizes = vec![Size::Nothing];
        let trigger = self.trigger();
        match trigger.kind {
            FaultKind::End { service, .. } => {
                let services = self.drill.configurations[configuration].services();
                sizes.extend((1..=services[service].cluster.desired_count).map(Size::Tasks));
            }
            _ => sizes.extend((1..=STEPS).map(|step| Size::Lasts(longest * step / STEPS))),
        }
        sizes
    }

    fn boundary_of(
        &self,
        configuration: usize,
        sizes: &[Size],
        seed: u32,
    ) -> Result<Option<Size>, Error> {
        // The largest comes first, as most settings bear that; then smaller ones, since one that lasts may be what
        // ends it: tasks that hang for long are replaced.
        let halves = std::iter::successors(Some(sizes.len() - 1), |n| (*n > 0).then_some(n / 2));
        let mut stays = None;
        for size in halves {
            if self.stays_down(configuration, sizes[size], seed)? {
                stays = Some(size);
                break;
            }
        }
        let Some(mut stays) = stays else { return Ok(None) };
        // Up to the first it recovers, from the second on it does not.
        let mut recovers = 0;
        while recovers < stays {
            let middle = usize::midpoint(recovers, stays);
            if self.stays_down(configuration, sizes[middle], seed)? {
                stays = middle;
            } else {
                recovers = middle + 1;
            }
        }
        Ok(Some(sizes[stays]))
    }

    /// Whether the objective never holds again after a trigger of this size, with this seed.
    pub fn stays_down(&self, configuration: usize, size: Size, seed: u32) -> Result<bool, Error> {
        let drill = self.with_trigger(size);
        let cell = Cell { configuration, schedule: self.schedule };
        let seed = cell.seed(drill.configurations[0].seed(), seed);
        Ok(cell::run(&drill, cell, seed)?.numbers.recovery.is_none())
    }

    /// The drill with a trigger of this size. What comes after it comes as long after it as ever.
    fn with_trigger(&self, size: Size) -> Drill {
        let mut drill = self.drill.clone();
        let schedule = &mut drill.schedules[self.schedule];
        let trigger = &mut schedule.faults[0];
        match (size, &mut trigger.kind) {
            (Size::Nothing, kind) => *kind = FaultKind::Spike(1),
            (Size::Lasts(lasts), _) => trigger.lasts = lasts,
            (Size::Tasks(count), FaultKind::End { tasks, .. }) => *tasks = Which::Oldest(count),
            (Size::Tasks(_), _) => {}
        }
        let (before, now) = (self.trigger().end(), trigger.end());
        schedule.duration = now + self.calm;
        for flow in &mut drill.load.flows {
            for at in std::iter::once(&mut flow.from).chain(&mut flow.until) {
                if let Some(after) = at.checked_sub(before) {
                    *at = now + after;
                }
            }
        }
        drill
    }
}

// === impl Display ===

/// `1.29 s`, `2 tasks`
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no trigger"),
            Self::Lasts(time) => write!(f, "{:.2} s", time.as_secs_f64()),
            Self::Tasks(count) => write!(f, "{}", Which::Oldest(*count)),
        }
    }
}
