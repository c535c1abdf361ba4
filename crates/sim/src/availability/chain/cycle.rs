//! One cycle: from all up to all up again.

use std::collections::VecDeque;

use seaworthy_core::random::{Stream, unit};

use crate::availability::{Deployments, Model, Repair};

/// A biased cycle makes a failure happen with this chance, before the next thing that is sure to
/// happen. A half, so that neither what is forced nor what is not gets a large weight.
const FORCED: f64 = 0.5;

/// Lives through cycles, one after the other.
pub(super) struct Simulation<'a> {
    model: &'a Model,
    seed: u64,
    draws: u64,
    /// When the repairs under way end, counted from the first failure; the next one last.
    repairs: Vec<f64>,
    now: f64,
    /// The repairs that wait for a crew.
    waiting: VecDeque<Repair>,
    /// Tasks that are up, and that may be: fewer in a deployment.
    up: u32,
    count: u32,
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
    Common,
    Deployment,
}

// === impl Simulation ===

impl<'a> Simulation<'a> {
    pub(super) fn new(model: &'a Model, seed: u64) -> Self {
        let (tasks, repairs) = (model.tasks, Vec::with_capacity(model.tasks as usize));
        let deployed = f64::INFINITY;
        Self {
            model,
            seed,
            draws: 0,
            repairs,
            now: 0.0,
            waiting: VecDeque::new(),
            up: tasks,
            count: tasks,
            deployed,
            began: 0.0,
        }
    }

    /// Ends as it began: with all tasks up.
    pub(super) fn cycle(&mut self, biased: bool) -> Cycle {
        self.now = 0.0;
        let rates = self.rates();
        let mut cycle = Cycle { length: 1.0 / sum(rates), down: 0.0, outages: 0.0, weight: 1.0 };
        let first = self.choose(rates, biased, &mut cycle.weight);
        self.happen(first, &mut cycle);
        while self.up < self.model.tasks {
            // Once there was an outage, nothing rare is left to be made up.
            let biased = biased && cycle.outages == 0.0;
            self.step(biased, &mut cycle);
        }
        cycle.length += self.now;
        cycle
    }

    /// Either something happens by chance before the next repair, or the end of the deployment, or
    /// not.
    fn step(&mut self, biased: bool, cycle: &mut Cycle) {
        let sure = self.repairs.last().map_or(self.deployed, |end| end.min(self.deployed));
        let rates = self.rates();
        let total = sum(rates);
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
            let what = self.choose(rates, biased, &mut cycle.weight);
            self.happen(what, cycle);
        } else {
            self.pass(sure, cycle);
            self.end();
        }
    }

    /// How often each kind happens, per second.
    fn rates(&self) -> [f64; 3] {
        let Model { failure_rate, common_rate, deployments, .. } = self.model;
        let common = if self.up > 0 { *common_rate } else { 0.0 };
        let quiet = self.up == self.model.tasks;
        let begin = deployments.filter(|deployments| quiet && deployments.away > 0);
        let deployments = begin.map_or(0.0, |deployments| deployments.rate);
        [f64::from(self.up) * failure_rate, common, deployments]
    }

    /// Which kind it is: by their rates, or each as likely if `biased`.
    fn choose(&mut self, rates: [f64; 3], biased: bool, weight: &mut f64) -> Chance {
        let kinds = [Chance::Alone, Chance::Common, Chance::Deployment];
        // A sum of shares may round to less than one: then it is the last that can be.
        let mut chosen = rates.iter().rposition(|rate| *rate > 0.0).unwrap_or(0);
        let possible = rates.iter().filter(|rate| **rate > 0.0).count();
        if possible == 1 {
            return kinds[chosen];
        }
        let total = sum(rates);
        let share = |rate: f64| match rate {
            0.0 => 0.0,
            _ if biased => 1.0 / possible as f64,
            _ => rate / total,
        };
        let mut left = self.draw();
        for (kind, rate) in rates.iter().enumerate() {
            if left <= share(*rate) {
                chosen = kind;
                break;
            }
            left -= share(*rate);
        }
        if biased {
            *weight *= rates[chosen] / total / share(rates[chosen]);
        }
        kinds[chosen]
    }

    fn happen(&mut self, what: Chance, cycle: &mut Cycle) {
        let was_up = self.is_enough();
        match what {
            Chance::Alone => self.fail(self.model.repair),
            Chance::Common => {
                let [(share, one), (_, other)] = self.model.repair.kinds();
                let kind = if self.draw() <= share { one } else { other };
                (0..self.up).for_each(|_| self.fail(kind));
            }
            Chance::Deployment => self.deploy(),
        }
        if was_up && !self.is_enough() {
            cycle.outages += 1.0;
            self.began = self.now;
        }
    }

    fn fail(&mut self, repair: Repair) {
        self.up -= 1;
        if self.repairs.len() < self.model.crews as usize {
            self.repair(repair);
        } else {
            self.waiting.push_back(repair);
        }
    }

    fn deploy(&mut self) {
        let Some(Deployments { seconds, .. }) = self.model.deployments else { return };
        self.deployed = self.now + seconds;
        self.count = self.model.left();
        self.up = self.count;
    }

    fn repair(&mut self, repair: Repair) {
        let end = self.now + repair.draw(self.draw());
        let place = self.repairs.partition_point(|other| *other > end);
        self.repairs.insert(place, end);
    }

    /// What was sure to happen now does.
    fn end(&mut self) {
        if self.now >= self.deployed {
            self.up += self.model.tasks - self.count;
            (self.count, self.deployed) = (self.model.tasks, f64::INFINITY);
            return;
        }
        self.repairs.pop();
        self.up += 1;
        if let Some(repair) = self.waiting.pop_front() {
            self.repair(repair);
        }
    }

    /// Time passes without an event.
    fn pass(&mut self, until: f64, cycle: &mut Cycle) {
        if !self.is_enough() {
            for (share, age) in self.model.loss.parts(self.up, self.model.tasks) {
                cycle.down += share * (until - self.now.max(self.began + age)).max(0.0);
            }
        }
        self.now = until;
    }

    fn is_enough(&self) -> bool {
        self.up >= self.model.needed
    }

    /// A number in `(0, 1]`: its logarithm is finite.
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        1.0 - unit(self.seed, Stream::Availability, self.draws)
    }
}

/// In a fixed order.
fn sum([alone, common, deployment]: [f64; 3]) -> f64 {
    alone + common + deployment
}
