//! Which nine is bought by what: one change after the other, those that cost nothing first.

use std::cmp::Ordering;

use super::Assessed;
use super::answer::WORTH;

/// From the candidate with the fewest changes to one that no single further change makes better.
pub(super) fn staircase(assessed: &[Assessed]) -> Vec<Assessed> {
    let least = assessed.iter().min_by_key(|one| one.candidate.changes.len());
    let Some(mut at) = least else { return Vec::new() };
    let mut steps = vec![at.clone()];
    let buys = |at: &Assessed, one: &Assessed| total(one) <= total(at) * (1.0 - WORTH);
    while let Some(next) =
        assessed.iter().filter(|one| adds_one(at, one) && buys(at, one)).min_by(|a, b| by(at, a, b))
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

fn adds_one(before: &Assessed, after: &Assessed) -> bool {
    let [before, after] = [&before.candidate.changes, &after.candidate.changes];
    after.len() == before.len() + 1 && before.iter().all(|change| after.contains(change))
}

fn total(one: &Assessed) -> f64 {
    one.expected.causes.total()
}
