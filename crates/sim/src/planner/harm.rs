//! Requests that fail although enough tasks are up: a task that hangs, is sick or dies has some of them.

use seaworthy_core::policy::budget;

use super::chosen::{Chosen, How};
use super::expected::Known;
use super::overload::loss;
use super::shut::Shut;
use super::sick::sickness;
use super::timing::{Timing, mean};
use super::{Candidate, Causes, Question};
use crate::availability::{Loss, undetected_share};

/// Adds them to `causes`. Where every task is needed, a failure that is found counts as an outage from
/// its first moment: only those are added whom the others would answer in it, and who came before.
pub(super) fn harm(
    causes: Causes,
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    known: &mut Known,
) -> Causes {
    let world = &question.world;
    let rate = 1.0 / world.mttf;
    let [hangs, sick] = [world.hangs_percent, world.sick_percent].map(|percent| percent / 100.0);
    let places: f64 = world.places().into_iter().map(|(_, mttf)| 1.0 / mttf).sum();
    let spare = candidate.has_spare(question);
    let hanging = known.chosen(question, candidate, How::Hangs);
    let common = world.common_percent / 100.0;
    // Where one takes all it is an outage.
    let alone = rate * (1.0 - common);
    let dies = (rate * (1.0 - hangs - sick)).max(0.0) + places;
    // What one would get is simulated, which takes a while: not where none is ever sick.
    let by_itself = if sick > 0.0 {
        let failing = known.chosen(question, candidate, How::Fails);
        let seconds = sickness(question, candidate, timing, &failing);
        undetected_share(alone * sick, seconds)
    } else {
        0.0
    };
    // Where all are sick none is worse than the others, and all that is sent again fails again.
    let sick = by_itself + undetected_share(rate * common * sick, world.noticed);
    let shut = Shut::by_hang(question, candidate, timing, &hanging);
    let loss = loss(question, candidate);
    let others = candidate.tasks - 1;
    // Who was cut off is sent again at once, to whoever is left.
    let budget = candidate.route.budget.as_ref();
    let had = 1.0 / f64::from(candidate.tasks);
    let saved = 1.0 - lost(question, candidate.tries_again(), budget, had, world.latency);
    let again = saved * candidate.answered_again(question);
    let answered = if spare { 1.0 } else { loss.answered_at_first(others) };
    let cut = (1.0 - again * answered) * undetected_share(dies, world.latency);
    let detection = mean(timing.detection);
    let patience = candidate.patience(question);
    let late = unhedged(question, candidate, &hanging, detection, patience) * hanging.by(detection);
    let detection = if spare {
        undetected_share(alone * hangs, late + shut.seconds(candidate.tasks))
    } else {
        let all = f64::from(candidate.tasks);
        let answered = all * loss.answered(others);
        let seconds = match (loss, loss.late(others)) {
            // What it gets is no loss of the others, who are too few only from then on.
            (Loss::Excess { .. }, None) => {
                late + f64::from(others) * shut.before + answered * shut.after
            }
            // What it holds is no backlog of the others.
            (_, Some(_)) => late + answered * (shut.before + shut.after),
            (Loss::All { .. }, None) => answered * (shut.before + shut.after),
        };
        undetected_share(alone * hangs, seconds)
    };
    Causes { detection, sick, cut, ..causes }
}

/// The share of what goes to a task that hangs for so many seconds that no hedge answers `within` so many.
pub(super) fn unhedged(
    question: &Question<'_>,
    candidate: &Candidate,
    hanging: &Chosen,
    seconds: f64,
    within: f64,
) -> f64 {
    let budget = candidate.route.hedge.as_ref().map(|hedge| &hedge.budget);
    // Those who are too few without it are late as well, and ask for hedges in vain.
    let all = !candidate.has_spare(question);
    let share = if all { 1.0 } else { hanging.share(seconds) };
    lost(question, candidate.hedged(question, within).is_some(), budget, share, seconds)
}

/// Of requests that are such a `share` of all and fail, or are late, for so many seconds, the share that is not saved
/// by another try: all, if there are none, or what may not be sent twice, and what no `budget` is left for.
pub(super) fn lost(
    question: &Question<'_>,
    again: bool,
    budget: Option<&budget::Config>,
    share: f64,
    seconds: f64,
) -> f64 {
    if !again {
        return 1.0;
    }
    let safe = question.repeatable();
    let covered = match (budget, question.by_route()) {
        (Some(budget), Some(load)) => {
            // Full at first, and filled up by each second and each success: also by those it has paid for.
            let part = f64::from(budget.success_percent) / 100.0;
            let successes = part * (1.0 - share) * load;
            let more = (successes + f64::from(budget.per_second)) * seconds;
            let own = safe * share * load * seconds * (1.0 - part).max(0.0);
            ((f64::from(budget.cap) + more) / own).min(1.0)
        }
        _ => 1.0,
    };
    1.0 - safe * covered
}

#[cfg(test)]
mod tests;
