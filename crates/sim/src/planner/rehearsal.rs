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
    /// So many requests failed, and all is well again: or, if nothing happened, at that rate in a month.
    Over(f64),
    /// So many had failed when nobody looked any longer.
    Unfinished(f64),
    /// All tasks are there again, and requests go on to fail.
    Lasting,
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
/// By rounding it may be a little less.
const ONE_AT_ONCE: f64 = 0.99;

// === impl Question ===

impl Question<'_> {
    /// Whether it is known how many requests come, they are enough for something to be seen, and a task bears one at a time
    /// at least: of one that bears fewer nobody knows what it does in between.
    pub fn can_be_rehearsed(&self) -> bool {
        let at_once = self.bears().map_or(f64::INFINITY, |bears| bears * self.world.latency);
        self.asked_for().is_some_and(|asked| asked >= SLOWEST) && at_once > ONE_AT_ONCE
    }
}

// === impl Rehearsals ===

impl Rehearsals {
    /// What happens to a candidate. Empty if that cannot be rehearsed.
    pub(super) fn of(&self, question: &Question<'_>, candidate: &Candidate) -> Rc<[Rehearsed]> {
        if let Some(known) = self.known(candidate) {
            return known;
        }
        let all: Rc<[Rehearsed]> = rehearse(question, candidate).into();
        self.0.borrow_mut().push((candidate.clone(), Rc::clone(&all)));
        all
    }

    /// What has happened to it, if it was rehearsed.
    pub(super) fn known(&self, candidate: &Candidate) -> Option<Rc<[Rehearsed]>> {
        let known = self.0.borrow();
        known.iter().find(|(other, _)| other == candidate).map(|(_, all)| Rc::clone(all))
    }
}

fn rehearse(question: &Question<'_>, candidate: &Candidate) -> Vec<Rehearsed> {
    let Some(asked) = question.asked_for().filter(|_| question.can_be_rehearsed()) else {
        return Vec::new();
    };
    let mut known = Known::default();
    let mut all: Vec<Rehearsed> = Vec::new();
    for event in Event::ALL {
        let a_month = event.a_month(&question.world, candidate.tasks);
        if a_month > 0.0 {
            let reckoned = event.reckoned(question, candidate, asked, &mut known);
            // What fails as a rule is not the fault of what happens.
            let usual = all.first().map_or(0.0, Rehearsed::mean) / (asked * MONTH);
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
        requests += run.sent();
        runs.push(outcome);
        // What takes too long does so each time.
        if matches!(outcome, Outcome::Unfinished(_)) {
            break;
        }
    }
    runs
}

// === impl Rehearsed ===

impl Rehearsed {
    /// Requests that fail, run by run: without end in those that do not end.
    fn failed(&self) -> impl Iterator<Item = f64> {
        self.runs.iter().map(|run| match run {
            Outcome::Over(failed) | Outcome::Unfinished(failed) => *failed,
            Outcome::Lasting => f64::INFINITY,
        })
    }

    /// Requests that fail on average; at least, if some runs are [`unfinished`](Self::unfinished).
    pub fn mean(&self) -> f64 {
        (self.failed().sum::<f64>() / self.runs.len() as f64).max(0.0)
    }

    /// The fewest and the most.
    pub fn range(&self) -> Span {
        let widened = |(least, most): Span, failed: f64| (least.min(failed), most.max(failed));
        let (least, most) = self.failed().fold((f64::INFINITY, 0.0), widened);
        (least.max(0.0), most)
    }

    /// In how many runs requests go on to fail.
    pub fn lasting(&self) -> usize {
        self.runs.iter().filter(|run| matches!(run, Outcome::Lasting)).count()
    }

    /// How many runs were not seen to their end.
    pub fn unfinished(&self) -> usize {
        self.runs.iter().filter(|run| matches!(run, Outcome::Unfinished(_))).count()
    }

    /// Whether the simulation is beyond the closed form, by more than a tenth, than comes in a moment, and than chance
    /// makes of so few runs.
    pub fn differs(&self, question: &Question<'_>) -> bool {
        let little = question.asked_for().unwrap_or_default() * MOMENT;
        let mean = self.mean();
        let squares: f64 = self.failed().map(|one| (one - mean) * (one - mean)).sum();
        let count = self.runs.len() as f64;
        // A month of which a few moments were seen fails as often as they do, if they ever do.
        let chance = match self.event {
            Event::Nothing => 0.0,
            _ => 2.0 * (squares / (count * (count - 1.0).max(1.0))).sqrt(),
        };
        (mean - self.reckoned).abs() > little.max(MUCH * self.reckoned).max(chance)
    }

    /// By how many requests a month the simulation is beyond the closed form.
    fn beyond(&self) -> f64 {
        let beyond = self.a_month * (self.mean() - self.reckoned);
        if self.unfinished() > 0 { beyond.max(0.0) } else { beyond }
    }
}

/// By which share of all requests that are asked for the simulation of all that was `rehearsed` is beyond the closed
/// form, if it is: what few runs were spared is no reason to hope.
pub(super) fn beyond(question: &Question<'_>, rehearsed: &[Rehearsed]) -> f64 {
    let requests = question.asked_for().unwrap_or(SLOWEST) * MONTH;
    rehearsed.iter().map(Rehearsed::beyond).sum::<f64>().max(0.0) / requests
}

#[cfg(test)]
mod tests;
