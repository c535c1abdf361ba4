//! The answer: what is worth choosing, the cheapest that is good enough, and what each change buys.

use std::rc::Rc;

use seaworthy_core::fleet::ConfigError;

use super::expected::{Expected, Known};
use super::question::LONGEST;
use super::refusal::{Least, least_mttf, refusal};
use super::rehearsal::{Rehearsals, Rehearsed, beyond};
use super::simulated::Simulated;
use super::staircase::staircase;
use super::{Candidate, Event, Question, ROUNDED, World};
use crate::availability::{Interval, MONTH};

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

/// What works if tasks, zones and machines fail more rarely than asked for.
#[derive(Clone, Debug)]
pub struct Eased {
    /// With the shortest times to failure with which something works,
    pub world: World,
    /// and what does: the cheapest that meets the target, or else the nearest.
    pub one: Assessed,
    /// From when on one meets the target, if any does.
    pub meets: Option<Rarer>,
}

/// What meets the target if tasks fail more rarely than asked for.
#[derive(Clone, Debug)]
pub struct Rarer {
    /// The shortest time to failure with which any candidate does, in seconds,
    pub mttf: f64,
    /// and which one.
    pub one: Assessed,
}

/// Everything there is to say.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Tasks that the load needs.
    pub needed: u32,
    /// The file as it is, or why it cannot work.
    pub now: Result<Assessed, String>,
    /// Those that no other beats in price, number of changes and failed share, which must be lower by a
    /// hundredth at least, on average or with all times at their longest; and in any case what is told of
    /// ([`Self::is_told`]). The cheapest first.
    pub pareto: Vec<Assessed>,
    /// The cheapest that meets the target even if all times are as long as they can be; of these the
    /// one with the fewest changes.
    pub cheapest: Option<Assessed>,
    /// The cheapest that does so in closed form, if it does not in the simulation.
    pub only_closed: Option<Assessed>,
    /// The one with the smallest failed share; none if nothing can work.
    pub nearest: Option<Assessed>,
    /// What one change alone would do to the file. The largest gain first.
    pub buys: Vec<Assessed>,
    /// Changes that alone would do nothing to the file.
    pub idle: Vec<String>,
    /// If nothing can work because something fails too often: from when on something can.
    pub eased: Option<Eased>,
    /// From the file, or the least that works, to the best there is: at each step the change that buys
    /// most for its price.
    pub steps: Vec<Assessed>,
    /// If some work and none meets the target: from when on one does. None if nobody can ask for failures so
    /// rare.
    pub rarer: Option<Rarer>,
    /// What cannot work, for each reason once.
    pub refused: Vec<Refused>,
    /// How many candidates there were.
    pub candidates: usize,
    /// Those that meet the target in closed form, are no dearer than the cheapest, if there is one, and were not looked at
    /// further: enough with as many tasks had missed it in a simulation.
    pub skipped: Vec<Candidate>,
    simulated: Simulated,
    rehearsals: Rehearsals,
}

/// Who is to pay more, or to change more, gets a failed share that is smaller by this at least.
pub(super) const WORTH: f64 = 0.01;
/// So many that meet the target in closed form are simulated of each number of tasks, until one does so there as well:
/// what is wrong with these is so with the others.
const MOST_SIMULATED: usize = 8;
/// So many are rehearsed, which takes longer.
const MOST_REHEARSED: usize = 3;

/// Answers it, unless it cannot be meant.
pub fn ask(question: &Question<'_>) -> Result<Answer, ConfigError> {
    question.check()?;
    let all = Candidate::all(question);
    let (assessed, refused) = assess(question, &all);
    let file = Candidate::of(question);
    let now = match refusal(question, &file) {
        Some(why) => Err(why),
        None => Ok(Assessed::new(question, file, &mut Known::default())),
    };
    let (simulated, rehearsals) = <(Simulated, Rehearsals)>::default();
    let (cheapest, skipped) = cheapest(question, &assessed, &simulated, &rehearsals);
    let eased = if assessed.is_empty() { ease(question, &all) } else { None };
    let is_chosen = |one: &&Assessed| {
        cheapest.as_ref().is_some_and(|cheapest| cheapest.candidate == one.candidate)
    };
    let in_closed_form = assessed.iter().find(|one| one.meets(question));
    let only_closed = in_closed_form.filter(|one| !is_chosen(one)).cloned();
    let nearest = nearest(&assessed);
    let told = [cheapest.as_ref().or(nearest.as_ref()), only_closed.as_ref()];
    let pareto = pareto(&assessed, &told);
    let missed = cheapest.is_none() && only_closed.is_none() && !assessed.is_empty();
    Ok(Answer {
        eased,
        rarer: if missed { rarer(question, &all, &rehearsals) } else { None },
        needed: question.needed(),
        cheapest,
        only_closed,
        nearest,
        buys: buys(&assessed, &now),
        idle: idle(&assessed, &now),
        steps: staircase(&assessed),
        now,
        pareto,
        refused,
        candidates: all.len(),
        skipped,
        simulated,
        rehearsals,
    })
}

/// What is known of those that can work, the cheapest and those with the fewest changes first, and why others
/// cannot.
fn assess(question: &Question<'_>, all: &[Candidate]) -> (Vec<Assessed>, Vec<Refused>) {
    let (mut assessed, mut refused, mut known) = (Vec::new(), Vec::new(), Known::default());
    for candidate in all {
        match refusal(question, candidate) {
            Some(why) => note(&mut refused, candidate, why),
            None => assessed.push(Assessed::new(question, candidate.clone(), &mut known)),
        }
    }
    assessed.sort_by(|a, b| {
        let changes = |one: &Assessed| one.candidate.changes.len();
        let by_price = a.price.total_cmp(&b.price).then(a.candidate.tasks.cmp(&b.candidate.tasks));
        by_price.then(changes(a).cmp(&changes(b))).then(a.failed().total_cmp(&b.failed()))
    });
    (assessed, refused)
}

/// The first that meets the target, also by the simulations: the closed form does not know all that may come
/// together, nor all that comes of one thing. And those before it that were not looked at. The nearest always is, as it is told
/// of where nothing is chosen.
fn cheapest(
    question: &Question<'_>,
    sorted: &[Assessed],
    simulated: &Simulated,
    rehearsals: &Rehearsals,
) -> (Option<Assessed>, Vec<Candidate>) {
    let (mut missed, mut skipped) = (Vec::new(), Vec::new());
    for one in sorted.iter().filter(|one| one.meets(question)) {
        let (tasks, parts) = (one.candidate.tasks, &one.expected.parts);
        let rehearsed = missed.iter().filter(|other| **other == tasks).count();
        if rehearsed == MOST_REHEARSED || simulated.is_beyond(MOST_SIMULATED, parts) {
            skipped.push(one.candidate.clone());
            continue;
        }
        let down = simulated.of(question, parts);
        if one.misses(question, down, &[]) {
            continue;
        }
        if !one.misses(question, down, &rehearsals.of(question, &one.candidate)) {
            return (Some(one.clone()), skipped);
        }
        missed.push(tasks);
    }
    let nearest = nearest(sorted).filter(|one| {
        let down = simulated.of(question, &one.expected.parts);
        skipped.contains(&one.candidate)
            && !one.misses(question, down, &rehearsals.of(question, &one.candidate))
    });
    if let Some(Assessed { candidate, .. }) = &nearest {
        skipped.retain(|other| other.tasks <= candidate.tasks && other != candidate);
    }
    (nearest, skipped)
}

/// The one with the smallest failed share.
fn nearest(assessed: &[Assessed]) -> Option<Assessed> {
    assessed.iter().min_by(|a, b| a.failed().total_cmp(&b.failed())).cloned()
}

/// From when on any of `all` meets the target: found by halving, for each of them gets better as failures
/// get rarer. None if too much fails while nothing happens.
fn rarer(question: &Question<'_>, all: &[Candidate], rehearsals: &Rehearsals) -> Option<Rarer> {
    let meets = |mttf| {
        let question = question.with_mttf(mttf);
        let one = nearest(&assess(&question, all).0).filter(|one| one.meets(&question))?;
        Some(Rarer { mttf, one })
    };
    let (mut misses, mut found) = (question.world.mttf, meets(LONGEST)?);
    while found.mttf > misses * (1.0 + WORTH) {
        let between = (misses * found.mttf).sqrt();
        match meets(between) {
            Some(sooner) => found = sooner,
            None => misses = between,
        }
    }
    Some(found).filter(|found| helps(question, &rehearsals.of(question, &found.one.candidate)))
}

/// Whether failures that come more rarely do any good: what fails while nothing happens does so however rarely anything
/// does.
fn helps(question: &Question<'_>, rehearsed: &[Rehearsed]) -> bool {
    let usual = rehearsed.iter().find(|one| one.event == Event::Nothing);
    let asked = question.asked_for().unwrap_or(f64::INFINITY) * MONTH;
    usual.map_or(0.0, Rehearsed::mean) / asked < question.tolerated()
}

/// What works with the shortest times to failure with which any of `all` does: those of tasks first.
fn ease(question: &Question<'_>, all: &[Candidate]) -> Option<Eased> {
    let least = all.iter().filter_map(|one| least_mttf(question, one));
    let task = |least: &Least| least.task.max(question.world.mttf);
    let least = least
        .min_by(|a, b| task(a).total_cmp(&task(b)).then(a.place.total_cmp(&b.place)))
        .filter(|least| least.task <= LONGEST)?;
    let question = question.with_least(least);
    let world = question.world;
    let (assessed, _) = assess(&question, all);
    let (simulated, rehearsals) = <(Simulated, Rehearsals)>::default();
    let (cheapest, _) = cheapest(&question, &assessed, &simulated, &rehearsals);
    let meets = cheapest.clone().map(|one| Rarer { mttf: world.mttf, one });
    let meets = meets.or_else(|| rarer(&question, all, &rehearsals));
    cheapest.or_else(|| nearest(&assessed)).map(|one| Eased { world, one, meets })
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
        let differs = ratio.map(|ratio| (ratio - 1.0).abs() > ROUNDED);
        one.candidate.changes.len() == 1 && differs == Some(differ)
    })
}

fn note(refused: &mut Vec<Refused>, candidate: &Candidate, why: String) {
    match refused.iter_mut().find(|refused| refused.why == why) {
        Some(refused) => refused.count += 1,
        None => refused.push(Refused { changes: candidate.changes.clone(), why, count: 1 }),
    }
}

/// Those of `sorted` that no other beats, and those that are `told` of.
fn pareto(sorted: &[Assessed], told: &[Option<&Assessed>]) -> Vec<Assessed> {
    let mut best: Vec<Assessed> = Vec::new();
    for one in sorted {
        if is_among(told, one) || !best.iter().any(|other| other.beats(one)) {
            // Of one price those with more tasks come later, and so does who is better on average alone.
            let is_left = |other: &Assessed| {
                other.price < one.price
                    || is_among(told, other)
                    || other.beats(one)
                    || !one.beats(other)
            };
            best.retain(is_left);
            best.push(one.clone());
        }
    }
    best
}

fn is_among(these: &[Option<&Assessed>], one: &Assessed) -> bool {
    these.iter().flatten().any(|other| other.candidate == one.candidate)
}

// === impl Answer ===

impl Answer {
    /// The cheapest that meets the target, or else the nearest.
    pub fn chosen(&self) -> Option<&Assessed> {
        self.cheapest.as_ref().or(self.nearest.as_ref())
    }

    /// Whether it is the file as it is, or what the answer comes to: without these no list is whole.
    pub fn is_told(&self, one: &Assessed) -> bool {
        is_among(&[self.now.as_ref().ok(), self.chosen(), self.only_closed.as_ref()], one)
    }

    /// The share of requests that fail with `one` of its candidates because too few tasks are up, by the reduced
    /// simulation, if that is known.
    pub fn simulate(&self, question: &Question<'_>, one: &Assessed) -> Option<Interval> {
        self.simulated.of(question, &one.expected.parts)
    }

    /// What happens to the tasks of one of its candidates, in the full simulation. Empty if that
    /// [cannot be](Question::can_be_rehearsed).
    pub fn rehearse(&self, question: &Question<'_>, one: &Assessed) -> Rc<[Rehearsed]> {
        self.rehearsals.of(question, &one.candidate)
    }

    /// Whether it meets the target in closed form and by the reduced simulation, and in the full one if it was
    /// there or is [told of](Self::is_told). None if it was [skipped](Self::skipped).
    pub fn meets(&self, question: &Question<'_>, one: &Assessed) -> Option<bool> {
        if !one.meets(question) {
            return Some(false);
        }
        if self.skipped.contains(&one.candidate) {
            return None;
        }
        let rehearsed = if self.is_told(one) {
            self.rehearse(question, one)
        } else {
            self.rehearsals.known(&one.candidate).unwrap_or_default()
        };
        Some(!one.misses(question, self.simulate(question, one), &rehearsed))
    }

    /// Whether failures that come more rarely do it any good.
    pub fn helps(&self, question: &Question<'_>, one: &Assessed) -> bool {
        helps(question, &self.rehearse(question, one))
    }

    /// The failed share by both simulations, as far as they go.
    pub fn as_simulated(&self, question: &Question<'_>, one: &Assessed) -> f64 {
        let known = self.simulate(question, one).map(|down| one.expected.simulated(down).value);
        let known = known.unwrap_or(one.on_average());
        (known + beyond(question, &self.rehearse(question, one))).clamp(0.0, 1.0)
    }
}

// === impl Assessed ===

impl Assessed {
    fn new(question: &Question<'_>, candidate: Candidate, known: &mut Known) -> Self {
        let price = f64::from(candidate.tasks) * question.price;
        let expected = Expected::new(question, &candidate, known);
        Self { candidate, price, expected }
    }

    /// Whether it meets the target in closed form even if all times are as long as they can be.
    pub(super) fn meets(&self, question: &Question<'_>) -> bool {
        self.failed() <= question.tolerated()
    }

    /// Whether it misses the target by the simulations: surely by that of tasks that are down, and on average by what was
    /// `rehearsed`.
    fn misses(
        &self,
        question: &Question<'_>,
        down: Option<Interval>,
        rehearsed: &[Rehearsed],
    ) -> bool {
        let known = down.map(|down| self.expected.simulated(down));
        let least = known.and_then(|known| Some(known.value - known.half_width?));
        let least = least.unwrap_or(self.on_average());
        least + beyond(question, rehearsed) > question.tolerated()
    }

    /// What is expected of each route alone: its name, the percentage of all requests, and the failed share of
    /// its own.
    pub fn by_route(&self, question: &Question<'_>) -> Vec<(String, f64, f64)> {
        let parts = question.parts(&self.candidate).into_iter();
        let one = |(_, question, candidate): (f64, Question<'_>, Candidate)| {
            let expected = Expected::new(&question, &candidate, &mut Known::default());
            (candidate.route.name, question.percent(), expected.causes.total())
        };
        parts.map(one).collect()
    }

    /// Whether it takes no more changes than another one, which is better in no share by what is worth a change.
    fn beats(&self, other: &Self) -> bool {
        let in_share = |of: fn(&Self) -> f64| of(self) * (1.0 - WORTH) <= of(other);
        self.candidate.changes.len() <= other.candidate.changes.len()
            && in_share(Self::failed)
            && in_share(Self::on_average)
    }

    fn on_average(&self) -> f64 {
        self.expected.causes.total()
    }

    /// The failed share with no luck.
    fn failed(&self) -> f64 {
        self.expected.range().1
    }
}

#[cfg(test)]
mod tests;
