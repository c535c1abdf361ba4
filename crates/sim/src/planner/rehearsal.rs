//! What one failure, or one deployment, costs in the full simulation: core's agent and gateway under load.

mod run;

use std::cell::RefCell;
use std::rc::Rc;

use super::event::Event;
use super::expected::Known;
use super::{Candidate, Question};
use crate::availability::{MONTH, Span};
use run::Run;

/// One event, beside what is reckoned of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsed {
    /// What happens.
    pub event: Event,
    /// How often it does.
    pub a_month: f64,
    /// Requests that one of them fails, in closed form,
    pub reckoned: f64,
    /// and in the simulation, run by run, of which there is at least one.
    pub runs: Vec<Outcome>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All is well again, and so many requests failed.
    Over(f64),
    /// All tasks are there again, and requests go on to fail.
    Lasting,
    /// It takes longer than anybody looks.
    Unknown,
}

/// What is known of the candidates of one question: each is rehearsed once.
#[derive(Clone, Debug, Default)]
pub(super) struct Rehearsals(RefCell<Vec<(Candidate, Rc<[Rehearsed]>)>>);

/// So many runs, but fewer if together they have more requests.
const RUNS: usize = 8;
const FEWEST: usize = 2;
const REQUESTS: usize = 100_000;
/// A difference up to this share is small,
const MUCH: f64 = 0.1;
/// and one of what comes in so many seconds.
const MOMENT: f64 = 0.1;
/// With fewer requests in a second nothing is seen.
const SLOWEST: f64 = 1.0;

// === impl Rehearsals ===

impl Rehearsals {
    /// What happens to a candidate. Empty if nobody knows how many requests come, or if they are too few for
    /// anything to be seen.
    pub(super) fn of(&self, question: &Question<'_>, candidate: &Candidate) -> Rc<[Rehearsed]> {
        let known = |(other, _): &&(Candidate, _)| other == candidate;
        if let Some((_, known)) = self.0.borrow().iter().find(known) {
            return Rc::clone(known);
        }
        let all: Rc<[Rehearsed]> = rehearse(question, candidate).into();
        self.0.borrow_mut().push((candidate.clone(), Rc::clone(&all)));
        all
    }
}

fn rehearse(question: &Question<'_>, candidate: &Candidate) -> Vec<Rehearsed> {
    let Some(asked) = question.asked_for().filter(|asked| *asked >= SLOWEST) else {
        return Vec::new();
    };
    let mut known = Known::default();
    let mut all: Vec<Rehearsed> = Vec::new();
    for event in Event::ALL {
        let a_month = event.a_month(&question.world, candidate.tasks);
        if a_month > 0.0 {
            let reckoned = event.reckoned(question, candidate, asked, &mut known);
            // What fails as a rule is not the fault of what happens.
            let usual = all.first().and_then(Rehearsed::mean).unwrap_or_default() / (asked * MONTH);
            let runs = runs(question, candidate, event, usual);
            all.push(Rehearsed { event, a_month, reckoned, runs });
        }
    }
    all
}

fn runs(question: &Question<'_>, candidate: &Candidate, event: Event, usual: f64) -> Vec<Outcome> {
    let mut runs = Vec::new();
    let mut requests = 0;
    while runs.len() < FEWEST || runs.len() < RUNS && requests < REQUESTS {
        let mut run = Run::new(question, candidate, runs.len() as u64);
        let outcome = run.outcome(event, usual);
        requests += run.asked;
        runs.push(outcome);
        // What takes too long does so each time.
        if outcome == Outcome::Unknown {
            break;
        }
    }
    runs
}

// === impl Rehearsed ===

impl Rehearsed {
    /// Requests that fail, run by run. None if that is not known of all.
    fn failed(&self) -> Option<Vec<f64>> {
        let failed = |run: &Outcome| match run {
            Outcome::Over(failed) => Some(*failed),
            Outcome::Lasting | Outcome::Unknown => None,
        };
        self.runs.iter().map(failed).collect()
    }

    /// The same on average.
    pub fn mean(&self) -> Option<f64> {
        self.failed().map(|all| all.iter().sum::<f64>() / all.len() as f64)
    }

    /// The fewest and the most.
    pub fn range(&self) -> Option<Span> {
        let all = self.failed()?;
        let least = all.iter().copied().min_by(f64::total_cmp)?;
        Some((least, all.into_iter().max_by(f64::total_cmp)?))
    }

    /// In how many runs requests go on to fail.
    pub fn lasting(&self) -> usize {
        self.runs.iter().filter(|run| **run == Outcome::Lasting).count()
    }

    /// Whether all runs are beyond the closed form, and on average by more than a tenth and more than the requests of a
    /// moment. None if that is not known.
    pub fn differs(&self, question: &Question<'_>) -> Option<bool> {
        let (least, most) = self.range()?;
        let little = question.asked_for().unwrap_or_default() * MOMENT;
        let much = (self.mean()? - self.reckoned).abs() > little.max(MUCH * self.reckoned);
        Some(much && !(least <= self.reckoned && self.reckoned <= most))
    }

    /// By how many requests a month the simulation is beyond the closed form, at least and at most: by all
    /// there are and more, if they go on to fail.
    fn beyond(&self) -> Span {
        let beyond = |failed: f64| self.a_month * (failed - self.reckoned);
        match self.range() {
            Some((least, most)) => (beyond(least), beyond(most)),
            None if self.lasting() > 0 => (f64::INFINITY, f64::INFINITY),
            None => (0.0, 0.0),
        }
    }
}

/// By which share of all requests that are asked for the simulation of all that was `rehearsed` is beyond the closed
/// form: at least, and at most.
pub(super) fn beyond(question: &Question<'_>, rehearsed: &[Rehearsed]) -> Span {
    let requests = question.asked_for().unwrap_or(SLOWEST) * MONTH;
    let all = rehearsed.iter().map(Rehearsed::beyond);
    all.fold((0.0, 0.0), |sum, one| (sum.0 + one.0 / requests, sum.1 + one.1 / requests))
}

#[cfg(test)]
mod tests;
