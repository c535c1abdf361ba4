//! Settings that cannot work, and why.

use std::time::Duration;

use seaworthy_core::call::Route;
use seaworthy_core::fleet;
use seaworthy_core::policy::breaker::Mode;
use seaworthy_core::policy::guard::{Finding, Severity};

use super::sick::until_found;
use super::timing::Timing;
use super::{Candidate, Question, World, rounded};

/// Why a candidate cannot work; none if it can.
pub(super) fn refusal(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    never(question, candidate)
        .or_else(|| failures(question, candidate))
        .or_else(|| sick(question, candidate))
}

/// Why it cannot, however rarely tasks fail.
fn never(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    load(question, candidate)
        .or_else(|| start(question, candidate))
        .or_else(|| deployment(question, candidate))
        .or_else(|| question.parts(candidate).iter().find_map(route))
        .or_else(|| others(question, candidate))
}

/// Why a fleet file may not have what becomes of routes that are not asked for, by the name of one of them.
fn others(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let asked = |route: &Route| question.shares().any(|(asked, _)| asked.name == route.name);
    let mut others = question.service.call.routes.iter().filter(|route| !asked(route));
    let refused = |other: &Route| {
        let route = candidate.by_route(question.route, other).route;
        let findings = route.findings(None);
        let worst = findings.iter().find(|finding| finding.severity() == Severity::Refused)?;
        Some(format!("route {}, which has what the default has: {worst}", other.name))
    };
    others.find_map(refused)
}

/// Why one of the routes that are asked for cannot work.
fn route((part, question, candidate): &(f64, Question<'_>, Candidate)) -> Option<String> {
    let why = times(question, candidate).or_else(|| policies(question, candidate))?;
    Some(if *part < 1.0 { format!("route {}: {why}", candidate.route.name) } else { why })
}

fn load(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let (load, bears) = (question.load?, question.bears()?);
    let Candidate { tasks, .. } = candidate;
    (*tasks < question.needed()).then(|| {
        let all = rounded(f64::from(*tasks) * bears);
        let scaled = question.service.cluster.autoscaling.as_ref();
        let most = scaled.filter(|scaled| scaled.maximum < question.needed());
        let most = most.map_or(String::new(), |scaled| {
            let (needed, most) = (question.needed(), scaled.maximum);
            format!(": {needed} are needed, and autoscaling.maximum is {most}")
        });
        format!("{tasks} x {} requests a second are {all}, and {load} come{most}", rounded(bears))
    })
}

/// A task is given up if it has not passed a check by then, whatever it is about to do.
fn start(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let (limit, longest) = (question.service.cluster.start_timeout, question.start().1);
    let ready = longest + candidate.health.fast_interval.as_secs_f64();
    (ready >= limit.as_secs_f64()).then(|| {
        let least = ready.floor() + 1.0;
        let most = fleet::LONGEST.as_secs_f64();
        let longest_start = most - candidate.health.fast_interval.as_secs_f64();
        let allowed = if least <= most {
            format!("start_timeout = \"{least}s\" or more")
        } else if longest_start <= 0.0 {
            "a shorter health.fast_interval".to_owned()
        } else {
            let given = if question.measured_start().is_some() { "" } else { " (--start)" };
            format!(
                "start_timeout = \"{most}s\" with a start of less than {}s{given}",
                rounded(longest_start)
            )
        };
        format!(
            "a task takes up to {:?} to be ready and up to {:?} (health.fast_interval) to its next check, and \
             without a passed check it is given up after {limit:?}: no replacement is sure to come up; allowed is \
             {allowed}",
            Duration::from_secs_f64(longest),
            candidate.health.fast_interval,
        )
    })
}

fn deployment(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let count = candidate.cluster(question.service).stuck_at()?;
    let Candidate { tasks, minimum_healthy_percent, maximum_percent, .. } = *candidate;
    let by = if count == tasks { "" } else { ", which autoscaling may ask for," };
    Some(format!(
        "minimum_healthy_percent {minimum_healthy_percent} of {count}{by} keeps {count}, and maximum_percent \
         {maximum_percent} allows {count} in all: a deployment could never move"
    ))
}

fn times(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let latency = Duration::from_secs_f64(question.world.latency);
    let timeout = candidate.route.guard.timeout.filter(|timeout| *timeout <= latency)?;
    Some(format!(
        "call.timeout of {timeout:?} is no longer than an answer takes, {latency:?}: every request would \
         fail"
    ))
}

/// Above a tenth of a task's life, times in which tasks are bad overlap.
const RARE: f64 = 10.0;

/// The shortest times to failure with which a candidate can be reckoned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    /// Of a task, which may be sick,
    pub(super) task: f64,
    /// and of a zone or a machine, which may not.
    pub(super) place: f64,
}

/// If there are any.
pub(super) fn least_mttf(question: &Question<'_>, candidate: &Candidate) -> Option<Least> {
    let place = least(question, candidate);
    let task = place.max(least_if_sick(question, candidate));
    never(question, candidate).is_none().then_some(Least { task, place })
}

fn least(question: &Question<'_>, candidate: &Candidate) -> f64 {
    (RARE * Timing::new(question, candidate).window().1).ceil()
}

fn failures(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let least = least(question, candidate);
    let mut failing = question.world.failing().into_iter();
    let (whose, key, mttf) = failing
        .find_map(|(whose, key, mttf)| Some((whose, key, mttf.filter(|mttf| *mttf < least)?)))?;
    Some(format!(
        "{whose} fails once in {mttf} s ({key}), and until another one is there it takes up to {:.0} s: what \
         overlaps so much cannot be added up; allowed is {key} {least}s or more",
        least / RARE
    ))
}

/// The same of tasks that nobody takes for sick meanwhile.
fn least_if_sick(question: &Question<'_>, candidate: &Candidate) -> f64 {
    let share = question.world.sick_percent / 100.0;
    (RARE * share * until_found(question, candidate)).ceil()
}

fn sick(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let least = least_if_sick(question, candidate);
    let World { mttf, sick_percent, .. } = question.world;
    (mttf < least).then(|| {
        format!(
            "a task fails once in {mttf} s (--mttf), of which {sick_percent} % are sick (--sick) for {} s until that is \
             noticed (--noticed): what overlaps so much cannot be added up; allowed is --mttf {least}s or more",
            rounded(until_found(question, candidate))
        )
    })
}

fn policies(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let breaker = candidate.route.guard.breaker.as_ref();
    if breaker.is_some_and(|breaker| breaker.mode == Mode::ForcedOpen) {
        return Some("breaker.mode is \"forced_open\": every request would fail".to_owned());
    }
    let findings = candidate.route.findings(question.by_route());
    let refused = findings.iter().find(|finding| finding.severity() == Severity::Refused);
    refused.map(never_opens).or_else(|| full(question, candidate))
}

/// With what else may be, if it is a matter of how few calls come.
fn never_opens(finding: &Finding) -> String {
    match finding {
        Finding::TooFewCalls { .. } | Finding::NeverOpens { .. } => format!(
            "{finding}; allowed is a smaller breaker.minimum_calls, a longer breaker.window, or breaker.enabled = false"
        ),
        _ => finding.to_string(),
    }
}

/// More is under way than there are permits, and nobody is ill.
fn full(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let (load, latency) = (question.by_route()?, question.world.latency);
    let permits = candidate.route.guard.bulkhead.as_ref()?.largest();
    let under_way = load * latency;
    (under_way > f64::from(permits)).then(|| {
        format!(
            "{} requests a second of {:?} each are {} under way (Little), and the bulkhead \
             has {permits} permits: it would turn requests away in good times",
            rounded(load),
            Duration::from_secs_f64(latency),
            rounded(under_way)
        )
    })
}
