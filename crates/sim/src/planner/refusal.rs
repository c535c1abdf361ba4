//! Settings that cannot work, and why.

use std::time::Duration;

use seaworthy_core::policy::breaker::Mode;
use seaworthy_core::policy::guard::Severity;

use super::timing::Timing;
use super::{Candidate, Question, World};

/// Why a candidate cannot work; none if it can.
pub(super) fn refusal(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    never(question, candidate).or_else(|| failures(question, candidate))
}

/// Why it cannot, however rarely tasks fail.
fn never(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    load(question, candidate)
        .or_else(|| start(question, candidate))
        .or_else(|| deployment(question, candidate))
        .or_else(|| question.parts(candidate).iter().find_map(route))
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
        let all = f64::from(*tasks) * bears;
        format!("{tasks} x {bears} requests a second are {all}, and {load} come")
    })
}

/// A task is given up if it has not passed a check by then, whatever it is about to do.
fn start(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let (limit, longest) = (question.service.cluster.start_timeout, question.start().1);
    let ready = longest + candidate.health.fast_interval.as_secs_f64();
    (ready >= limit.as_secs_f64()).then(|| {
        format!(
            "a task takes up to {:?} to be ready and up to {:?} (health.fast_interval) to its next check, and \
             without a passed check it is given up after {limit:?}: no replacement is sure to come up; allowed is \
             start_timeout = \"{}s\" or more",
            Duration::from_secs_f64(longest),
            candidate.health.fast_interval,
            ready.floor() + 1.0
        )
    })
}

fn deployment(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let cluster = candidate.cluster(question.service);
    let Candidate { tasks, minimum_healthy_percent: percent, .. } = *candidate;
    let (floor, ceiling) = (cluster.floor(), cluster.ceiling());
    (floor >= tasks && ceiling <= tasks).then(|| {
        format!(
            "minimum_healthy_percent {percent} of {tasks} keeps {floor}, and maximum_percent {} allows \
             {ceiling} in all: a deployment could never move",
            candidate.maximum_percent
        )
    })
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

/// The shortest time to failure with which a candidate can be reckoned, if there is one.
pub(super) fn least_mttf(question: &Question<'_>, candidate: &Candidate) -> Option<f64> {
    never(question, candidate).is_none().then(|| least(question, candidate))
}

fn least(question: &Question<'_>, candidate: &Candidate) -> f64 {
    (RARE * Timing::new(question, candidate).window().1).ceil()
}

fn failures(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let least = least(question, candidate);
    let World { mttf, zone_mttf, machine_mttf, .. } = question.world;
    let (whose, key, mttf) = [
        ("a task", "--mttf", Some(mttf)),
        ("a zone", "--zone-mttf", zone_mttf),
        ("a machine", "--machine-mttf", machine_mttf),
    ]
    .into_iter()
    .find_map(|(whose, key, mttf)| Some((whose, key, mttf.filter(|mttf| *mttf < least)?)))?;
    Some(format!(
        "{whose} fails once in {mttf} s ({key}), and until another one is there it takes up to {:.0} s: what \
         overlaps so much cannot be added up; allowed is {key} {least}s or more",
        least / RARE
    ))
}

fn policies(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let breaker = candidate.route.guard.breaker.as_ref();
    if breaker.is_some_and(|breaker| breaker.mode == Mode::ForcedOpen) {
        return Some("breaker.mode is \"forced_open\": every request would fail".to_owned());
    }
    let findings = candidate.route.findings(question.by_route());
    let refused = findings.iter().find(|finding| finding.severity() == Severity::Refused);
    refused.map(ToString::to_string).or_else(|| full(question, candidate))
}

/// More is under way than there are permits, and nobody is ill.
fn full(question: &Question<'_>, candidate: &Candidate) -> Option<String> {
    let (load, latency) = (question.by_route()?, question.world.latency);
    let permits = candidate.route.guard.bulkhead.as_ref()?.largest();
    let under_way = load * latency;
    (under_way > f64::from(permits)).then(|| {
        format!(
            "{load} requests a second of {:?} each are {under_way} under way (Little), and the bulkhead \
             has {permits} permits: it would turn requests away in good times",
            Duration::from_secs_f64(latency)
        )
    })
}
