//! How long processes take to start, by runs in which nothing happened.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Distribution, Run, SHORTEST, Spread};

/// A start is at least one in so many parts of what was measured.
const LEAST: u32 = 10;

/// How long a process of each service takes that starts alone, and by so much of it longer for each that starts
/// beside it, of whatever service. That is one number for all of them: what they share is the machine, and the
/// slowest of a few starts tells little of one service. What was measured began with the decision to start it:
/// it takes so long `before` a process is there.
pub(super) fn starts(runs: &[Run], before: Duration) -> (BTreeMap<String, Distribution>, f64) {
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.measured.starts.keys()).collect();
    let (mut starts, mut crowds) = (BTreeMap::new(), Vec::new());
    for name in names {
        let (start, crowd) = starts_of(name, runs, before);
        starts.insert(name.clone(), start);
        crowds.extend(crowd);
    }
    (starts, mean(&crowds))
}

/// The same of one service. Where none started alone: as all of them did, and no process makes another one slower.
fn starts_of(name: &str, runs: &[Run], before: Duration) -> (Distribution, Option<f64>) {
    let own = |range: &RangeInclusive<Duration>| {
        // Whatever came before, the process took some of it.
        let less = |end: &Duration| end.saturating_sub(before).max(*end / LEAST);
        less(range.start())..=less(range.end())
    };
    let known = || runs.iter().filter_map(|run| Some((run, run.measured.starts.get(name)?)));
    let all: Vec<_> = known().map(|(_, starts)| own(&starts.all)).collect();
    let alone = known().filter_map(|(_, starts)| starts.alone.as_ref());
    let alone: Vec<_> = alone.map(own).collect();
    if alone.is_empty() {
        return (uniform(&all, known().map(|(run, _)| run.tasks).sum()), None);
    }
    let alone =
        Spread::of(alone.iter().flat_map(ends).map(|took| took.max(SHORTEST).as_secs_f64()));
    // Who starts last has all others beside it.
    let longer = |((run, _), all): ((&Run, _), &RangeInclusive<Duration>)| {
        let times = all.end().as_secs_f64() / alone.middle();
        (times - 1.0).max(0.0) / f64::from(run.tasks.saturating_sub(1).max(1))
    };
    let crowds: Vec<f64> = known().zip(&all).map(longer).collect();
    (alone.one_more_in_seconds(), Some(mean(&crowds)))
}

/// What is known of a range by two values, or by one that is both.
fn ends(range: &RangeInclusive<Duration>) -> impl Iterator<Item = Duration> + use<> {
    let [least, most] = [*range.start(), *range.end()];
    std::iter::once(least).chain((most > least).then_some(most))
}

/// 0 of nothing.
fn mean(all: &[f64]) -> f64 {
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

/// Of `count` uniform draws the least and the most are on average `1 / (count - 1)` of their distance from the ends.
fn uniform(seen: &[RangeInclusive<Duration>], count: u32) -> Distribution {
    let least = seen.iter().map(|range| *range.start()).min().unwrap_or_default();
    let most = seen.iter().map(|range| *range.end()).max().unwrap_or_default();
    let beyond = most.saturating_sub(least) / count.saturating_sub(1).max(1);
    Distribution::Uniform(least.saturating_sub(beyond), most + beyond)
}
