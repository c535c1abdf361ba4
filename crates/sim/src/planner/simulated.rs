//! What the reduced simulation says of candidates. It takes long, and many candidates are the same to it.

use std::cell::RefCell;

use super::Question;
use crate::availability::chain::{Method, Until};
use crate::availability::{Interval, Model};

/// A part of all requests, and the tasks as they are for it.
pub(super) type Parts = Vec<(f64, Model)>;

/// With more tasks down on average nothing is simulated.
const MOST_DOWN: f64 = 3.0;

/// What is known of the candidates of one question: each is simulated once, by whoever wants to know first.
#[derive(Clone, Debug, Default)]
pub(super) struct Simulated(RefCell<Vec<(Parts, Option<Interval>)>>);

// === impl Simulated ===

impl Simulated {
    /// The share of requests that fail because too few tasks are up. None if tasks are so many, and fail so
    /// often, that they are hardly ever all up: it goes from one such moment to the next.
    pub(super) fn of(&self, question: &Question<'_>, parts: &Parts) -> Option<Interval> {
        if let Some(known) = self.position(parts) {
            return self.0.borrow()[known].1;
        }
        let simulated = simulate(question, parts);
        self.0.borrow_mut().push((parts.clone(), simulated));
        simulated
    }

    fn position(&self, parts: &Parts) -> Option<usize> {
        self.0.borrow().iter().position(|(other, _)| other == parts)
    }

    /// Whether it would be the one after so many with as many tasks.
    pub(super) fn is_beyond(&self, most: usize, parts: &Parts) -> bool {
        let tasks = |parts: &Parts| parts[0].1.tasks;
        let known = self.0.borrow();
        let alike = known.iter().filter(|(other, _)| tasks(other) == tasks(parts)).count();
        alike >= most && self.position(parts).is_none()
    }
}

fn simulate(question: &Question<'_>, parts: &Parts) -> Option<Interval> {
    let until = Until::HalfWidth { share: 0.05, most: 400_000 };
    let simulated = parts.iter().map(|(part, model)| {
        let of_causes = model.causes.iter().map(|cause| cause.rate * cause.repair.mean());
        let alone = f64::from(model.tasks) * model.failure_rate * model.repair.mean();
        let down = alone + of_causes.sum::<f64>();
        let simulated = || model.estimate(Method::Biased, question.seed, until).unavailability;
        (down <= MOST_DOWN).then(simulated).map(|known| known.part(*part))
    });
    simulated.reduce(|one, other| Some(one?.and(other?))).flatten()
}
