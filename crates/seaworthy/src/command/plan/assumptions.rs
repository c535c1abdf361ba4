//! What an answer stands on, in plain words.

use std::time::Duration;

use seaworthy_core::cluster::PERSISTENT;
use seaworthy_core::policy::guard::time_to_trip;
use seaworthy_sim::planner::{Answer, Assessed, Candidate, Evidence, Question, World, rounded};

use super::amounts::{many, seconds, share, span};
use super::words::{others, shares};

/// Each with the option that says otherwise, if there is one.
pub(super) fn assumptions(question: &Question<'_>, answer: &Answer) -> Vec<String> {
    let World { mttf, common_percent, hangs_percent, writes_percent, latency, patience, .. } =
        question.world;
    let World { sick_percent, noticed, deployments, .. } = question.world;
    let mut all = vec![
        format!("each task fails once in {} on average, at any time as likely (--mttf)", seconds(mttf)),
        format!("{common_percent} % of these failures take all tasks at once (--common-cause); else they are independent"),
        format!("{hangs_percent} % of failures are hangs (--hangs), found by {}; that a task has died is known at once", who_finds(question, answer)),
        sick(sick_percent, noticed),
        start(question),
        detection(question),
        needed(question),
        overload(question, answer),
        format!("an answer takes {} (--latency) and is too late after {} (--patience); {writes_percent} % of requests may not be sent twice (--writes)", seconds(latency), seconds(patience)),
        format!("{} a month (--deployments), in which as many tasks serve as the floor keeps until the others are replaced, wave by wave; while those are fewer than needed, requests fail", many(deployments, "deployment")),
        share_of_a_bad_one(question),
        "failed share: in closed form, in which two causes of several tasks do not meet, nor one and a deployment that leaves too few, nor what two outages leave to be worked off; simulated: by importance sampling (failures are forced, and weights take that back), with a 95 % interval; repairs take any time of their spans in both, and both are only as good as what is taken for granted".to_owned(),
        "not reckoned with: services that this one calls (what they fail comes on top), clients who ask again by themselves, answers from a fallback, autoscaling, the gateway and its machine; a drill shows those".to_owned(),
    ];
    all.splice(2..2, places(question));
    let (asked, not) = (shares(question), others(question).join(", "));
    let is_all = question.route_percent.is_some() && question.percent() >= 100.0;
    if !question.along.is_empty() || is_all && !not.is_empty() {
        let none = if not.is_empty() { String::new() } else { format!(", and none by {not}") };
        all.push(format!(
            "requests come by {asked}{none} (--share), each as likely at any time; only settings of `{}`, and of the \
             service, are changed (--route)",
            question.route.name
        ));
    } else if !not.is_empty() {
        all.push(format!(
            "of the requests by the route `{}`, {} % of all (--share); not of those by {not}: ask for each (--route), \
             or for all with --share NAME=PERCENT",
            question.route.name,
            question.percent()
        ));
    }
    if let Some(scaled) = &question.service.cluster.autoscaling {
        all.push(format!(
            "desired_count is where autoscaling begins, and no candidate leaves its {} to {} tasks: reckoned, and priced, as if \
             they stayed as many",
            scaled.minimum, scaled.maximum
        ));
    }
    all.extend(opens(question, answer));
    all.extend(only_simulated(question).map(str::to_owned));
    if question.load.is_some() {
        all.push("in closed form requests come evenly, and hedges and retries take nothing of what a task bears".to_owned());
        all.push(rehearsed(question).to_owned());
    } else {
        let who = if question.hangs_pass() { "somebody does (--noticed)" } else { "checks do" };
        all.push(format!("not known without --load: whether budgets of retries and the queue are large enough, and how soon requests show that a task is bad, so only {who}"));
    }
    all
}

/// What of the file only the simulation of one of each event knows.
fn only_simulated(question: &Question<'_>) -> impl Iterator<Item = &'static str> {
    let service = question.service;
    let slow = !service.balancing.slow_start.is_zero();
    let canary = service.cluster.deployment.canary.is_some();
    let slow = slow.then_some(
        "in closed form a task that has just come bears as much as the others, and not less at first (slow_start)",
    );
    let canary = canary.then_some(
        "in closed form a deployment has no canary, beside which fewer old tasks have nearly the whole load for a while",
    );
    slow.into_iter().chain(canary)
}

/// How long the breaker of the route takes to open, if there is one and it is known how many requests come.
fn opens(question: &Question<'_>, answer: &Answer) -> Option<String> {
    let load = question.by_route()?;
    let now = answer.now.as_ref().ok().map(|one| ("as the file has it", one));
    let both = now.into_iter().chain(answer.chosen().map(|one| ("as chosen", one)));
    let breakers = both.filter(|(_, one)| one.candidate.route.guard.breaker.is_some());
    let after = |(whose, one): (&str, &Assessed)| match trips(question, &one.candidate) {
        Some(after) => format!("after {} {whose}", seconds(after.as_secs_f64())),
        None => format!("never {whose}"),
    };
    let mut all: Vec<String> = breakers.map(after).collect();
    all.dedup();
    (!all.is_empty()).then(|| {
        format!(
            "when every request by `{}` hangs, its breaker opens {}, at {} requests a second (by arithmetic)",
            question.route.name,
            all.join(", "),
            rounded(load)
        )
    })
}

/// After which time of hanging requests the breaker of this candidate opens; none if it never does, or nobody knows.
pub(super) fn trips(question: &Question<'_>, candidate: &Candidate) -> Option<Duration> {
    time_to_trip(&candidate.route.guard, question.by_route()?)
}

/// Who finds a hang.
fn who_finds(question: &Question<'_>, answer: &Answer) -> String {
    let mut told = answer.now.as_ref().ok().into_iter().chain(answer.chosen());
    let is_alone = told.any(|one| one.candidate.is_left_alone(question));
    if question.hangs_pass() {
        format!(
            "requests, or by somebody who stops the task {} later (--noticed), and not by checks: by TCP a connection \
             opens also where nobody answers",
            seconds(question.world.noticed)
        )
    } else if is_alone {
        format!(
            "health checks or by requests, but the only task, beside which no other may start, is replaced when somebody \
             stops it {} later (--noticed)",
            seconds(question.world.noticed)
        )
    } else {
        "health checks or by requests".to_owned()
    }
}

/// How far one of each event is simulated.
fn rehearsed(question: &Question<'_>) -> &'static str {
    if question.can_be_rehearsed() {
        "what one of each costs: by core's own agent and gateway on a machine that is never late, for requests that come at \
         random and tasks that answer as many at a time as they bear, and go on with what nobody waits for; two to eight \
         runs of each, and of nothing as many as have 100,000 requests; not of zones and machines, nor of tasks that all \
         hang or are sick together"
    } else {
        "what one of each costs is not simulated: it is from one request a second on, if a task bears one at a time at \
         least (--capacity and --latency)"
    }
}

/// What is reckoned of zones and machines, and what is not. Nothing where the file names none.
fn places(question: &Question<'_>) -> Vec<String> {
    let machines = &question.service.cluster.machines;
    let World { zone_mttf, machine_mttf, .. } = question.world;
    let of = |(one, key, mttf): (&str, &str, Option<f64>)| match mttf {
        Some(mttf) => format!(
            "each {one} fails once in {} on average ({key}), beside all of that: its tasks die at once, which is known \
             at once, and are replaced as ever; those that are elsewhere answer what they can. That the new ones may be \
             elsewhere as well, and together, until the next deployment, is not reckoned",
            seconds(mttf)
        ),
        None => format!(
            "that a {one} is lost, with all tasks there, is not reckoned with: {key} says how often one is"
        ),
    };
    let all = [("zone", "--zone-mttf", zone_mttf), ("machine", "--machine-mttf", machine_mttf)];
    all.into_iter().filter(|_| !machines.is_empty()).map(of).collect()
}

fn share_of_a_bad_one(question: &Question<'_>) -> String {
    let gets = match question.load {
        Some(_) if question.state_matters() => {
            "what its balancer gives it, request by request, among tasks that all answer as quickly as ever,"
        }
        _ if question.service.sticky_cookie.is_some() => {
            "its even share of the requests, as users come back to their task (sticky_cookie; in the simulation of one of each \
             event they do not),"
        }
        _ => "its even share of the requests",
    };
    format!("a bad task gets {gets} until it is found out; all replacements go on side by side")
}

fn sick(percent: f64, noticed: f64) -> String {
    let noticed = seconds(noticed);
    match percent {
        0.0 => "no task fails its requests and passes its checks (--sick)".to_owned(),
        _ => format!(
            "{percent} % of failures are of a task that fails its requests and passes its checks (--sick); if requests show it (health.passive, where a task is spare), it is out for longer each time that it is tried in vain, and from the {PERSISTENT}th time on until another one is there; if not, somebody stops it {noticed} later (--noticed)"
        ),
    }
}

fn start(question: &Question<'_>) -> String {
    let measured = question.evidence.as_ref().and_then(|evidence| {
        let starts = evidence.starts();
        Some(format!(
            "{} to be ready: measured {}",
            span(starts.span()?),
            many(starts.count(), "time")
        ))
    });
    let taken =
        || format!("{} to be ready (--start): nothing was measured", span(question.world.start));
    format!("a process takes {}", measured.unwrap_or_else(taken))
}

fn detection(question: &Question<'_>) -> String {
    let evidence = question.evidence.as_ref();
    let found = evidence.and_then(|evidence| evidence.detections().span());
    let count = |of: fn(&Evidence) -> usize| evidence.map(of).filter(|count| *count > 0);
    let never = count(Evidence::never_found).map(|never| {
        format!(
            "; in {} it got them as long as it hung, which is not reckoned with",
            many(never, "drill")
        )
    });
    let left_out = count(Evidence::left_out).map(|count| {
        format!(
            "; left out: {} of drills that are faster than life, as requests may have told (health.passive), in times that are \
             as ever; allowed is --scale 1",
            many(count, "hang")
        )
    });
    let but: String = never.into_iter().chain(left_out).collect();
    let found = found.map(|found| {
        let replaced = match question.service.health.passive {
            None => "replaced from then on",
            Some(_) if question.hangs_pass() => "replaced when somebody stops it (--noticed)",
            Some(_) => "replaced when checks find it by arithmetic, as its requests may have told sooner",
        };
        format!(
            "a task that hangs got requests for {}, and is {replaced}: measured with the settings of the file; with \
             others as much longer or shorter as arithmetic has it{but}",
            span(found)
        )
    });
    found.unwrap_or(format!(
        "how long a task that hangs gets requests is reckoned: nothing was measured{but}"
    ))
}

fn needed(question: &Question<'_>) -> String {
    let Some(load) = question.load else {
        return "any one task in rotation bears the whole load (--load and --capacity say otherwise)"
            .to_owned();
    };
    let Some(bears) = question.bears() else {
        return format!(
            "any one task bears all {load} requests a second: nobody said what one can bear (--capacity)"
        );
    };
    let by = match question.capacity {
        Some(capacity) if capacity <= bears => "(--capacity)".to_owned(),
        Some(capacity) => format!(
            "by its most_in_flight over --latency, which is less than {capacity} (--capacity)"
        ),
        None => "by its most_in_flight over --latency".to_owned(),
    };
    format!("{load} requests a second come (--load) and a task bears {} {by}", rounded(bears))
}

/// What one task too few costs.
fn overload(question: &Question<'_>, answer: &Answer) -> String {
    let few = answer.needed - 1;
    match question.demand().filter(|_| few > 0) {
        Some(demand) => format!(
            "with {few} up and {} needed, {} of the requests fail if a bulkhead or most_in_flight turns \
             away what is too much before it is late; if nothing does, all who come too late fail, also \
             afterwards, until all tasks together have worked off what has gathered",
            answer.needed,
            share(1.0 - f64::from(few) / demand)
        ),
        None => "while no task is up, requests wait in the queue if the file has one, and fail if nobody waits so long; not for one that hangs, which gets them until it is replaced".to_owned(),
    }
}
