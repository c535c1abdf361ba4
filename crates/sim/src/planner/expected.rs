//! The failed share of requests, cause by cause, in closed form.

use std::iter;
use std::rc::Rc;

use serde::Serialize;

use super::chosen::{Case, Chosen, How};
use super::harm::harm;
use super::overload::loss;
use super::places;
use super::simulated::Parts;
use super::timing::{Timing, mean};
use super::{Candidate, Question};
use crate::availability::{
    Cause, Deployments, Interval, Loss, Lost, MONTH, Members, Model, Place, Span, failure_within,
};

/// Shares of all requests that fail, by what makes them fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Causes {
    /// Too many tasks are down, each by a cause of its own: more tasks buy this.
    pub replicas: f64,
    /// One cause took all tasks: only a quicker replacement, or fewer such causes, buy this.
    pub common_cause: f64,
    /// A zone failed, and what is left elsewhere is too few: more zones buy this.
    pub zones: f64,
    /// The same of a machine.
    pub machines: f64,
    /// Deployments leave too few, or so few that one failure is too many: the floor buys this.
    pub deployments: f64,
    /// A task hangs and still gets requests: checks and another try buy this.
    pub detection: f64,
    /// A task fails its requests and passes its checks: passive health and another try buy this.
    pub sick: f64,
    /// Requests that a task had when it died: another try buys this.
    pub cut: f64,
}

/// What is expected of a candidate, in closed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// With times as they are on average.
    pub causes: Causes,
    /// If every replacement and every detection is as quick as it can be,
    pub quick: Causes,
    /// or as slow.
    pub slow: Causes,
    /// From which times.
    pub timing: Timing,
    /// From the end of a task to its replacement in rotation, detection included: the shortest and
    /// the longest, in seconds.
    pub window: Span,
    /// The chance that another task fails within a window of mean length.
    pub second_failure: f64,
    /// Each part of all requests, and the tasks as they are for it, with times as they are on average.
    pub(super) parts: Parts,
}

/// What was reckoned before: it takes long, and many candidates differ in nothing that matters to it.
#[derive(Debug, Default)]
pub(super) struct Known {
    tasks: Vec<(Model, Causes)>,
    chosen: Vec<Rc<Chosen>>,
}

// === impl Causes ===

impl Causes {
    /// All of them.
    pub fn total(&self) -> f64 {
        self.down() + self.detection + self.sick + self.cut
    }

    /// Those for which too few tasks are up: what the simulation counts.
    pub fn down(&self) -> f64 {
        self.replicas + self.common_cause + self.zones + self.machines + self.deployments
    }

    /// No more than all requests fail, and none by two causes.
    fn overlapped(self) -> Self {
        self.part(1.0 / self.total().max(1.0))
    }

    /// Such a part of them.
    fn part(self, part: f64) -> Self {
        self.each_with(Self::default(), |own, _| own * part)
    }

    /// Both.
    fn and(self, other: Self) -> Self {
        self.each_with(other, |one, other| one + other)
    }

    fn each_with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            replicas: of(self.replicas, other.replicas),
            common_cause: of(self.common_cause, other.common_cause),
            zones: of(self.zones, other.zones),
            machines: of(self.machines, other.machines),
            deployments: of(self.deployments, other.deployments),
            detection: of(self.detection, other.detection),
            sick: of(self.sick, other.sick),
            cut: of(self.cut, other.cut),
        }
    }

    /// With the name of each.
    pub fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("replicas", self.replicas),
            ("common cause", self.common_cause),
            ("zone", self.zones),
            ("machine", self.machines),
            ("deployment", self.deployments),
            ("detection", self.detection),
            ("sick", self.sick),
            ("cut off", self.cut),
        ]
    }

    /// What fails because too few tasks are up.
    fn of_tasks(model: &Model) -> Self {
        let Lost { alone, together, zones, machines, deployments } = model.lost();
        let [replicas, common_cause] = [alone, together];
        Self { replicas, common_cause, zones, machines, deployments, ..Self::default() }
    }
}

// === impl Known ===

impl Known {
    fn of(&mut self, model: Model) -> Causes {
        // Those of one number of tasks come one after the other.
        if let Some((_, causes)) = self.tasks.iter().rev().find(|(known, _)| *known == model) {
            return *causes;
        }
        let causes = Causes::of_tasks(&model);
        self.tasks.push((model, causes));
        causes
    }

    /// What a bad task of a candidate gets.
    pub(super) fn chosen(
        &mut self,
        question: &Question<'_>,
        candidate: &Candidate,
        how: How,
    ) -> Rc<Chosen> {
        let case = Case::new(question, candidate, how);
        if let Some(chosen) = self.chosen.iter().rev().find(|chosen| chosen.is_of(case)) {
            return Rc::clone(chosen);
        }
        let chosen = Rc::new(Chosen::new(question, case));
        self.chosen.push(Rc::clone(&chosen));
        chosen
    }
}

// === impl Expected ===

impl Expected {
    /// What is `known` is not reckoned again.
    pub(super) fn new(question: &Question<'_>, candidate: &Candidate, known: &mut Known) -> Self {
        let timing = Timing::new(question, candidate);
        let parts = question.parts(candidate);
        let tasks = |(part, question, candidate): &(f64, Question<'_>, Candidate)| {
            (*part, model(question, candidate, &Timing::new(question, candidate), known))
        };
        let tasks = parts.iter().map(tasks).collect();
        let mut causes = |luck: fn(Timing) -> Timing| {
            let causes = |(part, question, candidate): &(f64, Question<'_>, Candidate)| {
                let timing = luck(Timing::new(question, candidate));
                let tasks = model(question, candidate, &timing, known);
                harm(known.of(tasks), question, candidate, &timing, known).part(*part)
            };
            parts.iter().map(causes).fold(Causes::default(), Causes::and).overlapped()
        };
        Self {
            parts: tasks,
            causes: causes(|timing| timing),
            quick: causes(|timing| timing.at(|span| span.0)),
            slow: causes(|timing| timing.at(|span| span.1)),
            timing,
            window: timing.window(),
            second_failure: failure_within(
                candidate.tasks - 1,
                1.0 / question.world.mttf,
                timing.repair().mean(),
            ),
        }
    }

    /// The failed share with all luck, and with none; that of mean times may be beyond both: where all repairs
    /// are equally long, nobody comes back before the others, to be overloaded.
    pub fn range(&self) -> Span {
        let mean = self.causes.total();
        (self.quick.total().min(mean), self.slow.total().max(mean))
    }

    /// The same failed share with the simulation in the place of the closed form, as far as it goes.
    pub fn simulated(&self, unavailability: Interval) -> Interval {
        let others = self.causes.total() - self.causes.down();
        Interval { value: (unavailability.value + others).min(1.0), ..unavailability }
    }
}

/// A candidate as the reduced model has it. A common cause is one of the failures of each task.
fn model(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    known: &mut Known,
) -> Model {
    let world = &question.world;
    let (rate, common) = (1.0 / world.mttf, world.common_percent / 100.0);
    let loss = loss(question, candidate);
    let repair = match loss {
        Loss::All { waiting } => timing.repair_as_if(waiting),
        // As long as a task that hangs gets its share, the others have no more than ever.
        Loss::Excess { .. }
            if candidate.tasks == question.needed() && world.hangs_percent > 0.0 =>
        {
            let detection = mean(timing.detection);
            let gets = known.chosen(question, candidate, How::Hangs).by(detection);
            timing.repair_as_if(-gets.min(detection))
        }
        Loss::Excess { .. } => timing.repair(),
    };
    let of_all = Cause {
        place: Place::Everywhere,
        rate: rate * common,
        // Where all hang there is nobody who has no more than ever.
        repair: if let Loss::Excess { .. } = loss { timing.repair() } else { repair },
        tasks: Members::first(candidate.tasks),
    };
    let cluster = candidate.cluster(question.service);
    let away = candidate.tasks - cluster.floor().min(candidate.tasks);
    let deployments = deployments(question, candidate, timing, away);
    Model {
        tasks: candidate.tasks,
        needed: question.needed(),
        failure_rate: rate * (1.0 - common),
        causes: iter::once(of_all).chain(places::causes(question, candidate, timing)).collect(),
        repair,
        crews: candidate.tasks,
        deployments: (away > 0 && world.deployments > 0.0).then_some(deployments),
        loss,
    }
}

/// What one wave leaves to be worked off is gone before the next one, if there is time: then each is one by itself.
fn deployments(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    away: u32,
) -> Deployments {
    let cluster = candidate.cluster(question.service);
    let left = candidate.tasks - away;
    // Those who are too few have enough as soon as so many of the new ones are there.
    let missing = question.needed().saturating_sub(left);
    let wave = timing.wave(missing, (cluster.ceiling() - left).min(candidate.tasks));
    let settle = cluster.deployment.settle.as_secs_f64();
    let demand = question.demand().unwrap_or_default();
    let is_alone =
        (demand - f64::from(left)) * wave <= (f64::from(candidate.tasks) - demand) * settle;
    let (waves, seconds) = if is_alone { (timing.waves, wave) } else { (1.0, timing.waves * wave) };
    Deployments { rate: waves * question.world.deployments / MONTH, seconds, away }
}
