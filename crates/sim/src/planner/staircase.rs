//! Which nine is bought by what: one change after the other, those that cost nothing first.

use std::cmp::Ordering;

use super::answer::WORTH;
use super::{Assessed, Candidate};

/// From the candidate with the fewest changes to one that no single further change makes better.
pub(super) fn staircase(assessed: &[Assessed]) -> Vec<Assessed> {
    let least = assessed.iter().min_by_key(|one| one.candidate.changes.len());
    let Some(mut at) = least else { return Vec::new() };
    let mut steps = vec![at.clone()];
    // Where nothing fails any more, nothing is to be had.
    let buys = |at: &Assessed, one: &Assessed| total(at) - total(one) > total(at) * WORTH;
    while let Some(next) =
        assessed.iter().filter(|one| is_next(at, one) && buys(at, one)).min_by(|a, b| by(at, a, b))
    {
        steps.push(next.clone());
        at = next;
    }
    steps
}

/// What buys most for what it costs more than `at`, which is without end if that is nothing; and of those
/// that are as good, what buys most.
fn by(at: &Assessed, a: &Assessed, b: &Assessed) -> Ordering {
    let buys = |one: &Assessed| total(at) - total(one);
    let worth = |one: &Assessed| buys(one) / (one.price - at.price).max(0.0);
    worth(b).total_cmp(&worth(a)).then(buys(b).total_cmp(&buys(a)))
}

fn is_next(at: &Assessed, one: &Assessed) -> bool {
    adds_one(&at.candidate, &one.candidate) || adds_tasks(&at.candidate, &one.candidate)
}

fn adds_one(before: &Candidate, after: &Candidate) -> bool {
    after.changes.len() == before.changes.len() + 1
        && before.changes.iter().all(|change| after.changes.contains(change))
}

/// A larger number takes the place of one that was changed before; and with it another percentage that of one that
/// was changed, which is of all tasks.
fn adds_tasks(before: &Candidate, after: &Candidate) -> bool {
    let Candidate { tasks, minimum_healthy_percent, maximum_percent, .. } = *before;
    let changes = before.changes.clone();
    let same =
        Candidate { tasks, minimum_healthy_percent, maximum_percent, changes, ..after.clone() };
    after.tasks > tasks && same == *before && others(after).eq(others(before))
}

/// The keys of all that is changed beside the number of tasks.
fn others(candidate: &Candidate) -> impl Iterator<Item = &str> {
    let keys = candidate.changes.iter().filter_map(|change| change.split_once(" = "));
    keys.map(|(key, _)| key).filter(|key| *key != "desired_count")
}

fn total(one: &Assessed) -> f64 {
    one.expected.causes.total()
}
