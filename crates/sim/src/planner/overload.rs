//! What fails while fewer tasks are up than the load needs.

use seaworthy_core::policy::bulkhead;

use super::{Candidate, Question};
use crate::availability::Loss;

/// Where one task is enough, requests wait for it. Where more are needed, those that are up answer what
/// they can if the rest is turned away in time; else all are late, and if nothing bounds how many wait, also
/// afterwards.
pub(super) fn loss(question: &Question<'_>, candidate: &Candidate) -> Loss {
    match question.demand() {
        Some(demand) if demand > 1.0 => {
            if sheds(question, candidate) {
                Loss::Excess { demand }
            } else if bounded(question, candidate) {
                Loss::ALL
            } else {
                Loss::Backlog { demand }
            }
        }
        _ => Loss::All { waiting: waiting(question, candidate) },
    }
}

/// For how long before a task comes back requests wait for it and are answered in time: as many as the
/// queue has room for.
fn waiting(question: &Question<'_>, candidate: &Candidate) -> f64 {
    let Some(queue) = candidate.queue else { return 0.0 };
    let patience = (candidate.patience(question) - question.world.latency).max(0.0);
    let room = question.load.map_or(f64::INFINITY, |load| queue.most_calls as f64 / load);
    patience.min(room)
}

/// Whether there is a bound on what is under way: what has gathered is soon worked off then.
fn bounded(question: &Question<'_>, candidate: &Candidate) -> bool {
    let most = question.service.balancing.most_in_flight;
    candidate.route.guard.bulkhead.is_some() || most.is_some()
}

/// Whether what is under way, and waits, is answered while somebody waits for it, however few tasks are
/// up (Little). A queue comes before the bulkhead, and is used when all tasks have as many as they may.
fn sheds(question: &Question<'_>, candidate: &Candidate) -> bool {
    let Some(capacity) = question.bears() else { return false };
    let permits = match &candidate.route.guard.bulkhead {
        None => f64::INFINITY,
        Some(bulkhead::Config::Fixed(size)) => f64::from(*size),
        // It keeps as little under way as its latency bears.
        Some(bulkhead::Config::Adaptive(_)) => 0.0,
    };
    let most = question.service.balancing.most_in_flight.map_or(f64::INFINITY, f64::from);
    let queued = candidate.queue.map_or(0.0, |queue| queue.most_calls as f64);
    (1..question.needed()).map(f64::from).all(|up| {
        let busy = most * up;
        let under_way = if busy < permits { busy + queued } else { permits };
        under_way / (up * capacity) <= candidate.patience(question)
    })
}
