//! Requests that fail although enough tasks are up: a task that hangs, is sick or dies has some of them.

use seaworthy_core::policy::budget;

use super::overload::loss;
use super::timing::{Timing, mean};
use super::{Candidate, Causes, Question};
use crate::availability::undetected_share;

/// For how many seconds a task that hangs keeps everybody out.
struct Shut {
    /// While it gets requests.
    before: f64,
    /// When it gets none any more.
    after: f64,
}

/// Adds them to `causes`. Where every task is needed, a failure that is found counts as an outage from
/// its first moment, and only those are added whom the others would answer in it.
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
    let Shut { before, after } = shut(question, candidate, timing);
    let (all, others) = (f64::from(candidate.tasks), f64::from(candidate.tasks - 1));
    if !spare {
        let fail = loss(question, candidate).share(candidate.tasks - 1, candidate.tasks);
        let answered = (1.0 - fail).max(0.0);
        let detection = undetected_share(rate * hangs, all * answered * (before + after));
        return Causes { detection, sick, ..causes };
    }
    let detection = mean(timing.detection);
    let hedges = candidate.route.hedge.as_ref().map(|hedge| &hedge.budget);
    let late = lost(question, candidate, candidate.hedges(), hedges, detection);
    let budget = candidate.route.budget.as_ref();
    let cut = lost(question, candidate, candidate.tries_again(), budget, world.latency);
    let flooded = others * before + all * after;
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

/// A breaker for all takes the failures of one task that hangs for those of all, or its calls take the
/// last permits of the bulkhead.
fn shut(question: &Question<'_>, candidate: &Candidate, timing: &Timing) -> Shut {
    if candidate.hedges() {
        return Shut { before: 0.0, after: 0.0 };
    }
    let guard = &candidate.route.guard;
    let detection = mean(timing.detection);
    let timeout = guard.timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64());
    let opens = |percent: u32| f64::from(percent) * f64::from(candidate.tasks) <= 100.0;
    let open = match &guard.breaker {
        Some(breaker) if opens(breaker.failure_percent) => (detection - timeout).max(0.0),
        _ => 0.0,
    };
    // A call keeps its permit until it, or its work, is given up, or its task is killed: when it has been
    // replaced.
    let cluster = candidate.cluster(question.service);
    let retired = (cluster.deregistration_delay + cluster.stop_timeout).as_secs_f64();
    let killed = mean(timing.checks) + mean(timing.replacement) + retired;
    let held = timeout.max(candidate.route.outlasts.as_secs_f64()).min(killed);
    let full = full(question, candidate, detection, held);
    Shut { before: open.max(full.before), after: full.after }
}

/// A bulkhead is full when a task that hangs has got all that is to spare. As its calls took their
/// permits, they give them back, and if it still gets requests, it takes them again.
fn full(question: &Question<'_>, candidate: &Candidate, detection: f64, held: f64) -> Shut {
    let (Some(bulkhead), Some(load), Some(each)) =
        (&candidate.route.guard.bulkhead, question.load, candidate.each(question))
    else {
        return Shut { before: 0.0, after: 0.0 };
    };
    let fills = (f64::from(bulkhead.largest()) - load * question.world.latency) / each;
    if fills >= detection.min(held) {
        return Shut { before: 0.0, after: 0.0 };
    }
    let times = ((detection - fills) / held).ceil();
    let after = (times * held - detection).max(0.0);
    Shut { before: times * (held - fills) - after, after }
}

#[cfg(test)]
mod tests;
