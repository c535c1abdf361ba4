//! Which nine is bought by what: one change after the other, each the one that buys most.

use super::Assessed;
use super::answer::WORTH;

/// From the candidate with the fewest changes to one that no single further change makes better.
pub(super) fn staircase(assessed: &[Assessed]) -> Vec<Assessed> {
    let least = assessed.iter().min_by_key(|one| one.candidate.changes.len());
    let Some(mut at) = least else { return Vec::new() };
    let mut steps = vec![at.clone()];
    while let Some(next) = assessed.iter().filter(|one| adds_one(at, one)).min_by(|a, b| by(a, b)) {
        if total(next) > total(at) * (1.0 - WORTH) {
            break;
        }
        steps.push(next.clone());
        at = next;
    }
    steps
}

/// The best, and of those that are as good the cheapest.
fn by(a: &Assessed, b: &Assessed) -> std::cmp::Ordering {
    total(a).total_cmp(&total(b)).then(a.price.total_cmp(&b.price))
}

fn adds_one(before: &Assessed, after: &Assessed) -> bool {
    let [before, after] = [&before.candidate.changes, &after.candidate.changes];
    after.len() == before.len() + 1 && before.iter().all(|change| after.contains(change))
}

fn total(one: &Assessed) -> f64 {
    one.expected.causes.total()
}
