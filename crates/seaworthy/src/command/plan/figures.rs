//! The answer for programs.

use seaworthy_sim::availability::{MONTH, Place};
use seaworthy_sim::planner::{
    Answer, Assessed, Evidence, Measured, Question, Refused, Rehearsed, World, tenants,
};
use serde_json::{Value, json};

use super::assumptions::trips;

/// All of it. Shares are shares of requests, times are in seconds.
pub(super) fn figures(question: &Question<'_>, answer: &Answer) -> Value {
    let one = |one: &Assessed| assessed(question, answer, one);
    let rehearsed = |one: &Assessed| with_rehearsal(question, answer, one);
    // Where nothing is chosen it is in its place.
    let nearest = |nearest: &Assessed| match answer.cheapest {
        Some(_) => one(nearest),
        None => rehearsed(nearest),
    };
    let refused = |Refused { changes, why, count }: &Refused| json!({ "changes": changes, "why": why, "candidates": count });
    let eased = answer.eased.as_ref();
    json!({
        "schema": 1,
        "service": question.service.name,
        "route": question.route.name,
        "target_percent": question.target,
        "tolerated_share": question.tolerated(),
        "asked": asked(question),
        "tasks_needed": answer.needed,
        "candidates": answer.candidates,
        "candidates_skipped": answer.skipped.len(),
        "now": answer.now.as_ref().ok().map(rehearsed),
        "now_refused": answer.now.as_ref().err(),
        "cheapest": answer.cheapest.as_ref().map(rehearsed),
        "only_in_closed_form": answer.only_closed.as_ref().map(rehearsed),
        "nearest": answer.nearest.as_ref().map(nearest),
        "failures_to_be_rarer_by": answer.rarer.as_ref().map(|rarer| rarer.mttf / question.world.mttf),
        "changes_if_rarer": answer.rarer.as_ref().map(|rarer| &rarer.one.candidate.changes),
        "works_from_mttf_seconds": eased.map(|eased| eased.world.mttf),
        "works_from_zone_mttf_seconds": eased.and_then(|eased| eased.world.zone_mttf),
        "works_from_machine_mttf_seconds": eased.and_then(|eased| eased.world.machine_mttf),
        "meets_from_mttf_seconds": eased.and_then(|eased| Some(eased.meets.as_ref()?.mttf)),
        "pareto": answer.pareto.iter().map(one).collect::<Vec<_>>(),
        "buys": answer.buys.iter().map(one).collect::<Vec<_>>(),
        "buy_nothing": answer.idle,
        "steps": answer.steps.iter().map(one).collect::<Vec<_>>(),
        "measured": question.evidence.as_ref().map(measured),
        "refused": answer.refused.iter().map(refused).collect::<Vec<_>>(),
        "warnings": super::words::warnings(question, answer),
        "assumptions": super::assumptions::assumptions(question, answer),
    })
}

/// The command line in numbers, options that were not given included.
fn asked(question: &Question<'_>) -> Value {
    let World {
        mttf,
        common_percent,
        zone_mttf,
        machine_mttf,
        hangs_percent,
        sick_percent,
        noticed,
        writes_percent,
        latency,
        patience,
        start,
        deployments,
    } = question.world;
    json!({
        "target_percent": question.target,
        "load_per_second": question.load,
        "share_percent": question.percent(),
        "shares_percent": question.shares().map(|(route, percent)| (route.name.clone(), percent)).collect::<Value>(),
        "capacity_per_second": question.capacity,
        "price": question.price,
        "mttf_seconds": mttf,
        "common_cause_percent": common_percent,
        "zone_mttf_seconds": zone_mttf,
        "machine_mttf_seconds": machine_mttf,
        "hangs_percent": hangs_percent,
        "sick_percent": sick_percent,
        "noticed_seconds": noticed,
        "writes_percent": writes_percent,
        "latency_seconds": latency,
        "patience_seconds": patience,
        "start_seconds": start,
        "deployments_a_month": deployments,
        "seed": question.seed,
    })
}

fn assessed(question: &Question<'_>, answer: &Answer, one: &Assessed) -> Value {
    let expected = &one.expected;
    let failed = expected.causes.total();
    let down = answer.simulate(question, one);
    let routes = one.by_route(question).into_iter().map(|(name, _, failed)| (name, failed));
    json!({
        "tasks": one.candidate.tasks,
        "minimum_healthy_percent": one.candidate.minimum_healthy_percent,
        "maximum_percent": one.candidate.maximum_percent,
        "changes": one.candidate.changes,
        "price": one.price,
        "tasks_by_zone": by_name(question, Place::Zone, one),
        "tasks_by_machine": by_name(question, Place::Machine, one),
        "meets_target": answer.meets(question, one),
        "failed_share": failed,
        "failed_share_range": expected.range(),
        "failed_seconds_a_month": failed * MONTH,
        "causes": expected.causes,
        "failed_share_by_route": routes.collect::<Value>(),
        "time_to_trip_seconds": trips(question, &one.candidate).map(|after| after.as_secs_f64()),
        "simulated_failed_share": down.map(|down| expected.simulated(down)),
        "detection_seconds": expected.timing.detection,
        "replacement_seconds": expected.timing.replacement,
        "window_seconds": expected.window,
        "second_failure_in_window": expected.second_failure,
    })
}

/// And what one of each event costs.
fn with_rehearsal(question: &Question<'_>, answer: &Answer, one: &Assessed) -> Value {
    let event = |rehearsed: &Rehearsed| {
        json!({
            "event": rehearsed.event.name(),
            "a_month": rehearsed.a_month,
            "requests_reckoned": rehearsed.reckoned,
            "requests_simulated": rehearsed.mean(),
            "requests_simulated_range": rehearsed.range(),
            "not_as_reckoned": rehearsed.differs(question),
            "runs": rehearsed.runs.len(),
            "runs_not_seen_to_their_end": rehearsed.unfinished(),
            "runs_without_end": rehearsed.lasting(),
        })
    };
    let mut told = assessed(question, answer, one);
    let all = answer.rehearse(question, one);
    told["events"] = all.iter().map(event).collect();
    told["failed_share_as_simulated"] = answer.as_simulated(question, one).into();
    told
}

/// How many tasks are where; empty if the file does not say.
fn by_name(question: &Question<'_>, place: Place, one: &Assessed) -> Value {
    let there = tenants(question.service, place, one.candidate.tasks).into_iter();
    there.map(|there| (there.name, there.tasks.count())).collect()
}

/// At life size, from the shortest to the longest.
fn measured(evidence: &Evidence) -> Value {
    let of =
        |measured: Measured<'_>| json!({ "count": measured.count(), "seconds": measured.span() });
    json!({
        "start": of(evidence.starts()),
        "window": of(evidence.windows()),
        "detection": of(evidence.detections()),
    })
}
