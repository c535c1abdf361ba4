//! The answer: what is worth choosing, the cheapest that is good enough, and what each change buys.

use seaworthy_core::fleet::ConfigError;

use super::expected::{Expected, Known, model};
use super::refusal::refusal;
use super::staircase::staircase;
use super::{Candidate, Question};
use crate::availability::Interval;
use crate::availability::chain::{Method, Until};

/// What is known of one candidate.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The settings.
    pub candidate: Candidate,
    /// A month, for all tasks.
    pub price: f64,
    /// In closed form.
    pub expected: Expected,
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// What would have been changed for them; empty for the file as it is.
    pub changes: Vec<String>,
    /// Why they cannot work.
    pub why: String,
    /// How many candidates cannot work for this reason.
    pub count: usize,
}

/// Everything there is to say.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Tasks that the load needs.
    pub needed: u32,
    /// The file as it is, or why it cannot work.
    pub now: Result<Assessed, String>,
    /// Those that no other beats in price, failed share (by a hundredth at least) and number of changes.
    /// The cheapest first.
    pub pareto: Vec<Assessed>,
    /// The cheapest that meets the target even if all times are as long as they can be; of these the
    /// one with the fewest changes.
    pub cheapest: Option<Assessed>,
    /// The one with the smallest failed share; none if nothing can work.
    pub nearest: Option<Assessed>,
    /// What one change alone would do to the file. The largest gain first.
    pub buys: Vec<Assessed>,
    /// Changes that alone would do nothing to the file.
    pub idle: Vec<String>,
    /// From the file, or the least that works, to the best there is: at each step the change that buys
    /// most.
    pub steps: Vec<Assessed>,
    /// What cannot work, for each reason once.
    pub refused: Vec<Refused>,
    /// How many candidates there were.
    pub candidates: usize,
}

/// Who is to pay more, or to change more, gets a failed share that is smaller by this at least.
pub(super) const WORTH: f64 = 0.01;
/// A difference below this is one of rounding.
const SAME: f64 = 1e-9;

/// Answers it, unless it cannot be meant.
pub fn ask(question: &Question<'_>) -> Result<Answer, ConfigError> {
    question.check()?;
    let all = Candidate::all(question);
    let candidates = all.len();
    let (mut assessed, mut refused, mut known) = (Vec::new(), Vec::new(), Known::default());
    for candidate in all {
        if let Some(why) = refusal(question, &candidate) {
            note(&mut refused, &candidate, why);
            continue;
        }
        assessed.push(Assessed::new(question, candidate, &mut known));
    }
    let file = Candidate::of(question.service);
    let now = match refusal(question, &file) {
        Some(why) => Err(why),
        None => Ok(Assessed::new(question, file, &mut known)),
    };
    assessed.sort_by(|a, b| {
        let changes = |one: &Assessed| one.candidate.changes.len();
        let by_price = a.price.total_cmp(&b.price).then(a.candidate.tasks.cmp(&b.candidate.tasks));
        by_price.then(changes(a).cmp(&changes(b))).then(a.failed().total_cmp(&b.failed()))
    });
    let cheapest = assessed.iter().find(|one| one.meets(question));
    let nearest = assessed.iter().min_by(|a, b| a.failed().total_cmp(&b.failed()));
    Ok(Answer {
        needed: question.needed(),
        cheapest: cheapest.cloned(),
        nearest: nearest.cloned(),
        buys: buys(&assessed, &now),
        idle: idle(&assessed, &now),
        steps: staircase(&assessed),
        now,
        pareto: pareto(&assessed),
        refused,
        candidates,
    })
}

/// What single changes do to the file. Those that do nothing are left out.
fn buys(assessed: &[Assessed], now: &Result<Assessed, String>) -> Vec<Assessed> {
    let mut buys: Vec<Assessed> = single(assessed, now, true).cloned().collect();
    buys.sort_by(|a, b| a.expected.causes.total().total_cmp(&b.expected.causes.total()));
    buys
}

fn idle(assessed: &[Assessed], now: &Result<Assessed, String>) -> Vec<String> {
    single(assessed, now, false).map(|one| one.candidate.changes[0].clone()).collect()
}

/// Those with one change, which makes a difference to the file, or none.
fn single<'a>(
    assessed: &'a [Assessed],
    now: &'a Result<Assessed, String>,
    differ: bool,
) -> impl Iterator<Item = &'a Assessed> {
    let now = now.as_ref().ok().map(|now| now.expected.causes.total());
    assessed.iter().filter(move |one| {
        let ratio = now.map(|now| one.expected.causes.total() / now);
        let differs = ratio.map(|ratio| (ratio - 1.0).abs() > SAME);
        one.candidate.changes.len() == 1 && differs == Some(differ)
    })
}

fn note(refused: &mut Vec<Refused>, candidate: &Candidate, why: String) {
    match refused.iter_mut().find(|refused| refused.why == why) {
        Some(refused) => refused.count += 1,
        None => refused.push(Refused { changes: candidate.changes.clone(), why, count: 1 }),
    }
}

/// Those of `sorted` that no other beats, the cheapest and those with the fewest changes first.
fn pareto(sorted: &[Assessed]) -> Vec<Assessed> {
    let mut best: Vec<Assessed> = Vec::new();
    for one in sorted {
        let beats = |other: &Assessed| {
            other.candidate.changes.len() <= one.candidate.changes.len()
                && other.failed() * (1.0 - WORTH) <= one.failed()
        };
        if !best.iter().any(beats) {
            best.push(one.clone());
        }
    }
    best
}

// === impl Assessed ===

impl Assessed {
    fn new(question: &Question<'_>, candidate: Candidate, known: &mut Known) -> Self {
        let price = f64::from(candidate.tasks) * question.price;
        let expected = Expected::new(question, &candidate, known);
        Self { candidate, price, expected }
    }

    /// Whether it meets the target even if all times are as long as they can be.
    pub fn meets(&self, question: &Question<'_>) -> bool {
        self.failed() <= question.tolerated()
    }

    /// The share of requests that fail because too few tasks are up, by the reduced simulation: repairs are
    /// not exponential in it, and the first task that is back ends an outage of all.
    pub fn simulate(&self, question: &Question<'_>) -> Interval {
        let model = model(question, &self.candidate, &self.expected.timing);
        let until = Until::HalfWidth { share: 0.05, most: 1_000_000 };
        model.estimate(Method::Biased, question.seed, until).unavailability
    }

    /// The failed share with no luck.
    fn failed(&self) -> f64 {
        self.expected.slow.total()
    }
}

#[cfg(test)]
mod tests;
