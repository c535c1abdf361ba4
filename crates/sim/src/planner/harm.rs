//! Requests that fail although enough tasks are up: a task that hangs, is sick or dies has some of them.

use seaworthy_core::policy::budget;

use super::timing::Timing;
use super::{Candidate, Causes, Question};
use crate::availability::undetected_share;

/// Adds them to `causes`. Where every task is needed, a failure that is found counts as an outage from
/// its first moment, and there is nothing to add.
pub(super) fn harm(
    causes: Causes,
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
) -> Causes {
    let world = &question.world;
    let rate = 1.0 / world.mttf;
    let [hangs, sick] = [world.hangs_percent, world.sick_percent].map(|percent| percent / 100.0);
    let spare = candidate.tasks > question.needed();
    let sick = undetected_share(rate * sick, sickness(question, candidate, spare));
    if !spare {
        return Causes { sick, ..causes };
    }
    let detection = f64::midpoint(timing.detection.0, timing.detection.1);
    let flooded = f64::from(candidate.tasks - 1) * flooded(question, candidate, detection);
    let hedges = candidate.route.hedge.as_ref().map(|hedge| &hedge.budget);
    let late = lost(question, candidate, candidate.hedges(), hedges, detection);
    let budget = candidate.route.budget.as_ref();
    let cut = lost(question, candidate, candidate.tries_again(), budget, world.latency);
    Causes {
        detection: late * undetected_share(rate * hangs, detection + flooded),
        cut: cut * undetected_share(rate * (1.0 - hangs), world.latency),
        sick,
        ..causes
    }
}

/// The share of what goes to a bad task for so many seconds that is not saved by another try: all, if
/// there are none, or what may not be sent twice, and what no `budget` is left for.
fn lost(
    question: &Question<'_>,
    candidate: &Candidate,
    again: bool,
    budget: Option<&budget::Config>,
    seconds: f64,
) -> f64 {
    if !again {
        return 1.0;
    }
    let safe = 1.0 - question.world.writes_percent / 100.0;
    let covered = match (budget, question.load, candidate.each(question)) {
        (Some(budget), Some(load), Some(each)) => {
            // Full at first, and filled up by each success and each second.
            let successes = f64::from(budget.success_percent) / 100.0 * load;
            let more = (successes + f64::from(budget.per_second)) * seconds;
            ((f64::from(budget.cap) + more) / (safe * each * seconds)).min(1.0)
        }
        _ => 1.0,
    };
    1.0 - safe * covered
}

/// For how many seconds, in all, a task that is sick fails what it gets: until its requests have told, or
/// somebody looks.
fn sickness(question: &Question<'_>, candidate: &Candidate, spare: bool) -> f64 {
    let rules = candidate.health.passive.filter(|rules| spare && candidate.may_eject(rules));
    let found = rules.zip(candidate.each(question));
    let found = found.map(|(rules, each)| f64::from(rules.consecutive) / each);
    let seconds = found.unwrap_or(f64::INFINITY).min(question.world.noticed);
    let again = spare && candidate.tries_failures();
    seconds * lost(question, candidate, again, candidate.route.budget.as_ref(), seconds)
}

/// For how many seconds one task that hangs keeps everybody out: a breaker for all takes the failures
/// of one for those of all, or its calls take the last permits of the bulkhead.
fn flooded(question: &Question<'_>, candidate: &Candidate, detection: f64) -> f64 {
    if candidate.hedges() {
        return 0.0;
    }
    let guard = &candidate.route.guard;
    let timeout = guard.timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64());
    let tasks = f64::from(candidate.tasks);
    let opens = |percent: u32| f64::from(percent) * tasks <= 100.0;
    let open = match &guard.breaker {
        Some(breaker) if opens(breaker.failure_percent) => (detection - timeout).max(0.0),
        _ => 0.0,
    };
    let full = match (&guard.bulkhead, question.load) {
        (Some(bulkhead), Some(load)) => {
            let spare = f64::from(bulkhead.largest()) - load * question.world.latency;
            let full_after = spare * tasks / load;
            if full_after < timeout { (detection - full_after).max(0.0) } else { 0.0 }
        }
        _ => 0.0,
    };
    f64::max(open, full)
}

#[cfg(test)]
mod tests;
