//! One cycle: from all up to all up again.

use std::collections::VecDeque;

use seaworthy_core::random::{Stream, unit};

use crate::availability::{Cause, Deployments, Members, Model, Repair};

/// A biased cycle makes a failure happen with this chance, before the next thing that is sure to
/// happen. A half, so that neither what is forced nor what is not gets a large weight.
const FORCED: f64 = 0.5;

/// What is less likely adds nothing to any share that is told. Nothing more is made up then, or the many tasks of a
/// large fleet, taken down together again and again, would hardly ever all come up.
const LEAST_WEIGHT: f64 = 1e-30;

/// Lives through cycles, one after the other.
pub(super) struct Simulation<'a> {
    model: &'a Model,
    seed: u64,
    draws: u64,
    /// When the repairs under way end, counted from the first failure, and of which tasks; the next one last.
    repairs: Vec<(f64, u32)>,
    now: f64,
    /// The repairs that wait for a crew.
    waiting: VecDeque<(Repair, u32)>,
    /// Tasks that are up, and those that a deployment has taken away.
    up: Members,
    away: Members,
    /// Whether it is all one which of them fails.
    alike: bool,
    /// How often each kind of failure happens now, per second.
    rates: Vec<f64>,
    /// When the deployment ends, if one goes on.
    deployed: f64,
    /// When this outage began.
    began: f64,
}

/// What came of a cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    /// Seconds, with the mean of the quiet time.
    pub(super) length: f64,
    /// Seconds with too few tasks, each for as much as fails in it.
    pub(super) down: f64,
    /// How often there were too few.
    pub(super) outages: f64,
    /// The chance of what happened, over the chance with which it was made to.
    pub(super) weight: f64,
}

/// What happens by chance.
#[derive(Clone, Copy)]
enum Chance {
    Alone,
    Together(Cause),
    Deployment,
}

// === impl Simulation ===

impl<'a> Simulation<'a> {
    pub(super) fn new(model: &'a Model, seed: u64) -> Self {
        let (up, repairs) = (Members::first(model.tasks), Vec::with_capacity(model.tasks as usize));
        let deployed = f64::INFINITY;
        Self {
            model,
            seed,
            draws: 0,
            repairs,
            now: 0.0,
            waiting: VecDeque::new(),
            up,
            away: Members::default(),
            alike: model.causes.iter().all(|cause| cause.tasks == up),
            rates: Vec::with_capacity(model.causes.len() + 2),
            deployed,
            began: 0.0,
        }
    }

    /// Ends as it began: with all tasks up.
    pub(super) fn cycle(&mut self, biased: bool) -> Cycle {
        self.now = 0.0;
        let total = self.total_rate();
        let mut cycle = Cycle { length: 1.0 / total, down: 0.0, outages: 0.0, weight: 1.0 };
        let first = self.choose(total, biased, &mut cycle.weight);
        self.happen(first, &mut cycle);
        while self.up.count() < self.model.tasks {
            self.step(biased, &mut cycle);
        }
        cycle.length += self.now;
        cycle
    }

    /// Either something happens by chance before the next repair, or the end of the deployment, or
    /// not.
    fn step(&mut self, biased: bool, cycle: &mut Cycle) {
        let sure = self.repairs.last().map_or(self.deployed, |(end, _)| end.min(self.deployed));
        // Once something is lost, nothing rare is left to be made up.
        let may_lose = cycle.down == 0.0 && cycle.weight > LEAST_WEIGHT;
        let biased = biased && may_lose && !self.loses_by(sure);
        let total = self.total_rate();
        let chance = -libm::expm1(-total * (sure - self.now));
        let drawn = self.draw();
        let at = if biased && chance > 0.0 {
            if drawn <= FORCED {
                cycle.weight *= chance / FORCED;
                // Drawn as if it had happened by itself: what is left of the number is uniform again.
                Some(self.now - libm::log1p(-drawn / FORCED * chance) / total)
            } else {
                cycle.weight *= (1.0 - chance) / (1.0 - FORCED);
                None
            }
        } else {
            (drawn < chance).then(|| self.now - libm::log1p(-drawn) / total)
        };
        if let Some(at) = at {
            self.pass(at.min(sure), cycle);
            let what = self.choose(total, biased, &mut cycle.weight);
            self.happen(what, cycle);
        } else {
            self.pass(sure, cycle);
            self.end();
        }
    }

    /// Reckons how often each kind happens now, and all of them.
    fn total_rate(&mut self) -> f64 {
        let Model { failure_rate, causes, deployments, .. } = self.model;
        let up = self.up;
        let quiet = up.count() == self.model.tasks;
        let begin = deployments.filter(|deployments| quiet && deployments.away > 0);
        self.rates.clear();
        self.rates.push(f64::from(up.count()) * failure_rate);
        let rate = |cause: &Cause| if up.among(cause.tasks).count() > 0 { cause.rate } else { 0.0 };
        self.rates.extend(causes.iter().map(rate));
        self.rates.push(begin.map_or(0.0, |deployments| deployments.rate));
        self.rates.iter().sum()
    }

    /// Which kind it is: by their rates, or each as likely if `biased`.
    fn choose(&mut self, total: f64, biased: bool, weight: &mut f64) -> Chance {
        // A sum of shares may round to less than one: then it is the last that can be.
        let mut chosen = self.rates.iter().rposition(|rate| *rate > 0.0).unwrap_or(0);
        let possible = self.rates.iter().filter(|rate| **rate > 0.0).count();
        if possible == 1 {
            return self.chance(chosen);
        }
        let share = |rate: f64| match rate {
            0.0 => 0.0,
            _ if biased => 1.0 / possible as f64,
            _ => rate / total,
        };
        let mut left = self.draw();
        for (kind, rate) in self.rates.iter().enumerate() {
            if left <= share(*rate) {
                chosen = kind;
                break;
            }
            left -= share(*rate);
        }
        if biased {
            *weight *= self.rates[chosen] / total / share(self.rates[chosen]);
        }
        self.chance(chosen)
    }

    /// Whose rate has that place.
    fn chance(&self, place: usize) -> Chance {
        match place.checked_sub(1) {
            None => Chance::Alone,
            Some(n) => self
                .model
                .causes
                .get(n)
                .map_or(Chance::Deployment, |cause| Chance::Together(*cause)),
        }
    }

    fn happen(&mut self, what: Chance, cycle: &mut Cycle) {
        let was_up = self.is_enough();
        match what {
            Chance::Alone => {
                let task = self.any();
                self.fail(task, self.model.repair);
            }
            Chance::Together(cause) => {
                let [(share, one), (_, other)] = cause.repair.kinds();
                let kind = if self.draw() <= share { one } else { other };
                self.up.among(cause.tasks).numbers().for_each(|task| self.fail(task, kind));
            }
            Chance::Deployment => self.deploy(),
        }
        if was_up && !self.is_enough() {
            cycle.outages += 1.0;
            self.began = self.now;
        }
    }

    /// One of those that are up, each as likely.
    fn any(&mut self) -> u32 {
        let nth = if self.alike { 0.0 } else { (1.0 - self.draw()) * f64::from(self.up.count()) };
        self.up.numbers().nth(nth as usize).expect("one is up, or none would fail")
    }

    fn fail(&mut self, task: u32, repair: Repair) {
        self.up = self.up.without(task.into());
        if self.repairs.len() < self.model.crews as usize {
            self.repair(task, repair);
        } else {
            self.waiting.push_back((repair, task));
        }
    }

    /// The first stay: tasks are numbered as they are spread, so that those are as even as all.
    fn deploy(&mut self) {
        let Some(Deployments { seconds, .. }) = self.model.deployments else { return };
        self.deployed = self.now + seconds;
        let left = Members::first(self.model.left());
        (self.away, self.up) = (self.up.without(left), left);
    }

    fn repair(&mut self, task: u32, repair: Repair) {
        let end = self.now + repair.draw(self.draw());
        let place = self.repairs.partition_point(|(other, _)| *other > end);
        self.repairs.insert(place, (end, task));
    }

    /// What was sure to happen now does.
    fn end(&mut self) {
        if self.now >= self.deployed {
            self.up = self.up.with(self.away);
            (self.away, self.deployed) = (Members::default(), f64::INFINITY);
            return;
        }
        self.up =
            self.up.with(self.repairs.pop().map_or(Members::default(), |(_, task)| task.into()));
        if let Some((repair, task)) = self.waiting.pop_front() {
            self.repair(task, repair);
        }
    }

    /// Time passes without an event.
    fn pass(&mut self, until: f64, cycle: &mut Cycle) {
        if !self.is_enough() {
            for (share, age) in self.model.loss.parts(self.up.count(), self.model.tasks) {
                cycle.down += share * (until - self.now.max(self.began + age)).max(0.0);
            }
        }
        self.now = until;
    }

    /// Whether requests fail before that moment, if nothing more happens.
    fn loses_by(&self, moment: f64) -> bool {
        if self.is_enough() {
            return false;
        }
        let parts = self.model.loss.parts(self.up.count(), self.model.tasks);
        parts.iter().any(|(share, age)| *share > 0.0 && self.began + age < moment)
    }

    fn is_enough(&self) -> bool {
        self.up.count() >= self.model.needed
    }

    /// A number in `(0, 1]`: its logarithm is finite.
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        1.0 - unit(self.seed, Stream::Availability, self.draws)
    }
}
