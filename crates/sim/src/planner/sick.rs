//! What a task that fails its requests, and passes its checks, costs until it is replaced.

use seaworthy_core::cluster;
use seaworthy_core::health::passive;

use super::candidate::is_failure;
use super::chosen::Chosen;
use super::harm::lost;
use super::overload::loss;
use super::shut::Shut;
use super::timing::{Timing, mean};
use super::{Candidate, Question};

/// No task is meant to come back more often than that before another one is there.
const MOST_TRIALS: usize = 1000;

/// For how many seconds, in all, it fails what it gets, and what others would: until somebody looks; or until its
/// requests have told, and then each time that it is tried.
pub(super) fn sickness(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    failing: &Chosen,
) -> f64 {
    let again = tries_others(question, candidate);
    let found = found(question, candidate);
    let noticed = question.world.noticed;
    // How many failures tell is known, and not how long that takes it.
    let even = 1.0 / f64::from(candidate.tasks);
    let (seconds, gets, share) = found.map_or_else(
        || (noticed, failing.by(noticed), failing.share(noticed)),
        |(_, _, seconds)| (seconds, seconds, even),
    );
    let fails = lost(question, again, candidate.route.budget.as_ref(), share, seconds);
    let shut = Shut::by_sick(question, candidate, fails * share, seconds).seconds(candidate.tasks);
    let tried = found.map_or(0.0, |(rules, each, _)| {
        // A trial is a request that may be sent twice. Where none is, it ends after as long as the ejection, and
        // the task is found once more.
        let (waits, costs) = match (question.world.writes_percent < 100.0, again) {
            (true, true) => (1.0, 0.0),
            (true, false) => (1.0, 1.0 / each),
            (false, _) => (2.0, fails * seconds),
        };
        costs
            * trials(question, candidate, timing, |number| {
                waits * rules.lasts(number).as_secs_f64()
            })
    });
    // Where none is spare the others are too few while it is out, until another one is there.
    let others = candidate.tasks - 1;
    let too_few = found.filter(|_| !candidate.has_spare(question)).map_or(0.0, |found| {
        let replaced = mean(timing.replacement);
        let out: f64 = (1..cluster::PERSISTENT).map(|n| found.0.lasts(n).as_secs_f64()).sum();
        let loss = loss(question, candidate);
        let of_outage = |seconds| loss.of_outage(others, candidate.tasks, seconds);
        f64::from(candidate.tasks) * (of_outage(out + replaced) - of_outage(replaced))
    });
    gets * fails + shut + tried + too_few
}

/// For how many seconds nobody knows of it.
pub(super) fn until_found(question: &Question<'_>, candidate: &Candidate) -> f64 {
    found(question, candidate).map_or(question.world.noticed, |(_, _, seconds)| seconds)
}

/// Whether what it fails is asked of others, who have time for it.
fn tries_others(question: &Question<'_>, candidate: &Candidate) -> bool {
    candidate.has_spare(question) && candidate.tries_failures()
}

/// If its requests tell before somebody looks: by which rules, of how many a second, and after how many seconds.
fn found(question: &Question<'_>, candidate: &Candidate) -> Option<(passive::Config, f64, f64)> {
    let judges = is_failure(&candidate.route);
    let rules = candidate.health.passive.filter(|rules| judges && candidate.may_eject(rules))?;
    let each = candidate.each(question)?;
    let again = tries_others(question, candidate);
    let seconds = failures(question, candidate, &rules, again)? / each;
    (seconds < question.world.noticed).then_some((rules, each, seconds))
}

/// How many of its requests tell: those in a row that another task does well, or so many that it is no chance.
/// None if they never do.
fn failures(
    question: &Question<'_>,
    candidate: &Candidate,
    rules: &passive::Config,
    again: bool,
) -> Option<f64> {
    let safe = question.repeatable();
    let blamed = (again && safe > 0.0).then(|| f64::from(rules.consecutive) / safe);
    let alone = candidate.failures_that_tell(question, rules);
    blamed.into_iter().chain(alone).min_by(f64::total_cmp)
}

/// How often it comes back: after each ejection, which `lasts` by its number, until they are so many that it is
/// replaced, and then until another one is there. Where there is no room for another one it goes at once.
fn trials(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    lasts: impl Fn(u32) -> f64,
) -> f64 {
    let replaced = if candidate.has_room(question) { mean(timing.replacement) } else { 0.0 };
    let mut since = 0.0;
    let ends = (cluster::PERSISTENT..).map(|number| {
        since += lasts(number);
        since
    });
    let late = ends.take(MOST_TRIALS).take_while(|end| *end < replaced).count();
    f64::from(cluster::PERSISTENT - 1) + late as f64
}
