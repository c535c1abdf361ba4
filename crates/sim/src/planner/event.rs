//! What may happen to tasks, how often it does, and what one time of it costs in closed form.

use super::expected::{Expected, Known};
use super::question::LONGEST;
use super::{Candidate, Question, World};
use crate::availability::MONTH;

/// Something that happens to tasks now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing does, for a month: chance alone may bring more requests at once than tasks take.
    Nothing,
    /// A task dies.
    Dies,
    /// A task hangs.
    Hangs,
    /// A task fails its requests and passes its checks.
    Sick,
    /// All tasks die at once.
    AllDie,
    /// All tasks are replaced.
    Deployment,
}

// === impl Event ===

impl Event {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Dies, Self::Hangs, Self::Sick, Self::AllDie, Self::Deployment];

    /// As people say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing, for a month",
            Self::Dies => "a task dies",
            Self::Hangs => "a task hangs",
            Self::Sick => "a task is sick",
            Self::AllDie => "all tasks die at once",
            Self::Deployment => "a deployment",
        }
    }

    /// How often it happens to so many tasks.
    pub(super) fn a_month(self, world: &World, tasks: u32) -> f64 {
        let World { mttf, common_percent, hangs_percent, sick_percent, .. } = *world;
        let common = MONTH / mttf * common_percent / 100.0;
        let own = f64::from(tasks) * MONTH / mttf * (1.0 - common_percent / 100.0);
        let dies = 1.0 - (hangs_percent + sick_percent) / 100.0;
        match self {
            Self::Nothing => 1.0,
            Self::Dies => own * dies,
            Self::Hangs => own * hangs_percent / 100.0,
            Self::Sick => own * sick_percent / 100.0,
            Self::AllDie => common * dies,
            Self::Deployment => world.deployments,
        }
    }

    /// Requests that one time of it fails, in closed form, if so many a second are asked for.
    pub(super) fn reckoned(
        self,
        question: &Question<'_>,
        candidate: &Candidate,
        asked: f64,
        known: &mut Known,
    ) -> f64 {
        if self == Self::Nothing {
            return 0.0;
        }
        let world = self.alone(question.world);
        let causes =
            Expected::new(&Question { world, ..question.clone() }, candidate, known).causes;
        let share = match self {
            Self::Deployment => causes.deployments,
            _ => causes.total(),
        };
        share * asked * MONTH / self.a_month(&world, candidate.tasks)
    }

    /// A world in which nothing else happens, and this so rarely that it never does beside itself.
    fn alone(self, world: World) -> World {
        let percent = |event| if self == event { 100.0 } else { 0.0 };
        World {
            mttf: LONGEST,
            common_percent: percent(Self::AllDie),
            zone_mttf: None,
            machine_mttf: None,
            hangs_percent: percent(Self::Hangs),
            sick_percent: percent(Self::Sick),
            deployments: percent(Self::Deployment) / 100.0,
            ..world
        }
    }
}
