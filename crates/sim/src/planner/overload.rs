//! What fails while fewer tasks are up than the load needs.

use seaworthy_core::policy::bulkhead;

use super::shut::{Bad, opens};
use super::timing::Timing;
use super::{Candidate, Question};
use crate::availability::{Late, Loss};

/// Where one task is enough, requests wait for it. Where more are needed, those that are up answer what
/// they can if the rest is turned away in time; else all are late, and also afterwards, until what has
/// gathered is worked off.
pub(super) fn loss(question: &Question<'_>, candidate: &Candidate) -> Loss {
    let known = question.demand().zip(question.bears());
    let Some((demand, bears)) = known.filter(|(demand, _)| *demand > 1.0) else {
        return Loss::All { waiting: waiting(question, candidate) };
    };
    let too_few = question.needed() - 1;
    let most = |up: u32| under_way(question, candidate, f64::from(up)) / bears;
    // The fewer are up, the longer each of those who are let in waits.
    let is_late = |up: &u32| most(*up) / f64::from(*up) > candidate.patience(question);
    let below = (1..=too_few).rev().find(is_late);
    let late = below.map(|last| {
        let gathers = |up: u32| {
            let kept = if outlived(question, candidate, most(up) / f64::from(up)) {
                f64::INFINITY
            } else {
                most(up)
            };
            kept.min(until_open(question, candidate, demand, f64::from(up)))
        };
        let most = (1..=last).map(gathers).fold(0.0, f64::max);
        Late { below: last + 1, patience: patience(question, candidate), most }
    });
    // What is being answered does not wait.
    let room = (most(too_few) - f64::from(too_few) * question.world.latency).max(0.0);
    Loss::Excess { demand, room, waiting: waiting(question, candidate), late }
}

/// Whether calls reach their deadline, or their clients go, while tasks still have them to do, if so many seconds of work are under way: then nothing
/// bounds what tasks have, for others come in their place. Who has waited in a queue has little time left.
fn outlived(question: &Question<'_>, candidate: &Candidate, wait: f64) -> bool {
    let (held, _) = candidate.holds(question);
    let is_queued =
        candidate.queue.is_some() && question.service.balancing.most_in_flight.is_some();
    let queued = candidate.patience(question) + question.world.latency;
    held < if is_queued { wait.min(queued) } else { wait }
}

/// What gathers, in seconds of one task's work, until a breaker opens for what is late: the first to fail by its
/// timeout comes when so much waits, and who comes until enough have failed is let in. Without end if it never
/// opens.
fn until_open(question: &Question<'_>, candidate: &Candidate, demand: f64, up: f64) -> f64 {
    // Other routes' requests go on to come, and of whose client has gone it is not told.
    let (late, is_overdue) = candidate.holds(question);
    let breaker = candidate.route.guard.breaker.as_ref();
    let told = breaker.filter(|_| is_overdue && !question.is_part());
    let Some(breaker) = told else { return f64::INFINITY };
    let seconds = Timing::new(question, candidate).window().1;
    let opens = opens(breaker, question.by_route(), &Bad { share: 1.0, late, seconds });
    opens.map_or(f64::INFINITY, |opens| late * up + (demand - up) * opens)
}

/// For how long before a task comes back requests wait for it and are answered in time: as many as the
/// queue has room for.
fn waiting(question: &Question<'_>, candidate: &Candidate) -> f64 {
    let Some(queue) = candidate.queue else { return 0.0 };
    let room = question.load.map_or(f64::INFINITY, |load| queue.most_calls as f64 / load);
    patience(question, candidate).min(room)
}

/// For how long a request may wait and still be answered in time.
fn patience(question: &Question<'_>, candidate: &Candidate) -> f64 {
    (candidate.patience(question) - question.world.latency).max(0.0)
}

/// How many requests are under way, and wait, at most while so many tasks are up: if that is more than they
/// answer while somebody waits, all are late (Little). A queue comes before the bulkhead, and is used when all
/// tasks have as many as they may; who has had enough leaves it.
fn under_way(question: &Question<'_>, candidate: &Candidate, up: f64) -> f64 {
    // Other routes' requests need none of its permits.
    let bulkhead = candidate.own_bulkhead(question);
    let permits = match bulkhead {
        None => f64::INFINITY,
        Some(bulkhead::Config::Fixed(size)) => f64::from(*size),
        // It keeps as little under way as its latency bears.
        Some(bulkhead::Config::Adaptive(_)) => 0.0,
    };
    let busy = question.service.balancing.most_in_flight.map_or(f64::INFINITY, f64::from) * up;
    let patient = question.load.map_or(f64::INFINITY, |load| load * candidate.patience(question));
    let queued = candidate.queue.map_or(0.0, |queue| patient.min(queue.most_calls as f64));
    if busy < permits { busy + queued } else { permits }
}
