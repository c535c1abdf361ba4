//! Intervals in which something that differs from run to run should be, by runs that were simulated.

use std::collections::BTreeMap;

use super::{Predicting, Role};
use crate::experiment::reading::Unit;

/// An interval is to hold this share of what is measured,
pub(super) const WITHIN: f64 = 0.95;
/// which takes so many runs,
pub const FEWEST_PREDICTED: u32 = 39;
/// and says much if it is no wider than this share of its middle.
const WIDEST: f64 = 0.25;

/// No model is like what it is a model of to less than a hundredth. Of figures of which chance makes nothing, such as the
/// median of a thousand waits of 50 ms, simulated runs differ by less from each other.
const OF_THE_MODEL: f64 = 0.01;

/// The variance of a mean of normal values, in that of their median.
const MEAN_FOR_MEDIAN: f64 = 2.0 / std::f64::consts::PI;

/// The median of more is taken to be known no better: half of the power of many more is no number any more.
const MOST_DRAWS: f64 = 1000.0;

/// Machines that are slow alike are those of so many runs before and after.
const NEAR: usize = 3;

/// At each end lies what is beyond an interval.
const BEYOND: f64 = (1.0 - WITHIN) / 2.0;

/// So many of `count` values lie beyond each end of the interval that holds [`WITHIN`] of what else is drawn as
/// they were.
pub(super) fn beyond(count: usize) -> usize {
    below(BEYOND, count)
}

/// The ends of the interval beyond which so many of these values lie at each end.
pub(super) fn interval(mut values: Vec<f64>, beyond: usize) -> Option<[f64; 2]> {
    values.sort_unstable_by(f64::total_cmp);
    Some([*values.get(beyond)?, *values.iter().nth_back(beyond)?])
}

/// The same, if the model itself may be off as well. Numbers are whole, and no share is more than all.
pub(super) fn by_a_model([low, high]: [f64; 2], unit: Unit) -> [f64; 2] {
    let [lower, higher] = [low * (1.0 - OF_THE_MODEL), high * (1.0 + OF_THE_MODEL)];
    match unit {
        Unit::Time => [lower, higher],
        Unit::Share => [lower, higher.min(1.0)],
        Unit::Count => [lower.ceil().min(low), higher.floor().max(high)],
    }
}

/// Where the median of so many runs should be: of `runs`, by those that were simulated, on machines that are as
/// different as the known ones are. What chance does to a median grows less with their number; how well
/// the machine is known does not, and differs for all of them alike. Two things make no median less certain. What is
/// slow for a while is so for known runs as well, which lie evenly among those that are measured. And what they meant
/// to do is known.
pub(super) fn of_medians(
    simulated: &[Option<f64>],
    runs: usize,
    how: Predicting,
) -> Option<[f64; 2]> {
    let Shares { machine, drift, meant } = Shares::of(simulated, how);
    let values: Vec<f64> = simulated.iter().copied().flatten().collect();
    let for_now = machine - drift;
    let by_machine = how.known.map_or(0.0, |known| for_now * MEAN_FOR_MEDIAN / known);
    // Of runs that are missing it is not known what they meant.
    let missing = (1.0 - runs as f64 / how.seeds as f64).max(0.0);
    let by_chance = (1.0 - meant * (1.0 - missing) - drift).max(0.0) / runs as f64;
    let by_simulation = (1.0 + machine + 2.0 * drift) / values.len() as f64;
    let beyond = below(tail(1.0 / (by_chance + by_machine + by_simulation)), values.len());
    interval(values, beyond)
}

/// Which share of what differs runs have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shares {
    /// Two on one machine,
    machine: f64,
    /// two on machines that are slow alike,
    drift: f64,
    /// and two that mean to do the same.
    meant: f64,
}

/// Where both ends are infinite there is nothing between them.
pub(super) fn is_narrow([low, high]: [f64; 2]) -> bool {
    low.is_infinite() || high.is_finite() && high - low <= f64::midpoint(low, high) * WIDEST
}

/// So many of `count` values lie below where one more does with this probability at most.
fn below(probability: f64, count: usize) -> usize {
    // What is a whole number may have become a little less by rounding.
    (((count + 1) as f64 * probability + 1e-9) as usize).saturating_sub(1)
}

/// The share of all values below which the median of so many of them lies in [`BEYOND`] of all cases. Of an odd number
/// of draws it is the one in the middle, and lies below a value if more than half of them do; of others the share is
/// between those of the odd numbers beside them.
fn tail(draws: f64) -> f64 {
    let pairs = ((draws.min(MOST_DRAWS) - 1.0) / 2.0).max(0.0);
    let [fewer, more] = [pairs.floor(), pairs.ceil()].map(|half| tail_of_odd(half as u32));
    fewer + (more - fewer) * pairs.fract()
}

/// The same of twice as many and one.
fn tail_of_odd(half: u32) -> f64 {
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        let end = if more_than_half(half, middle) < BEYOND { &mut low } else { &mut high };
        *end = middle;
    }
    low
}

/// How probable it is that more than `half` of twice as many draws and one are below what `share` of all are below.
fn more_than_half(half: u32, share: f64) -> f64 {
    let draws = 2 * half + 1;
    // Of none of them, and then each from the one before (the binomial distribution).
    let mut exactly = libm::pow(1.0 - share, f64::from(draws));
    let mut at_most = 0.0;
    for below in 0..=half {
        at_most += exactly;
        exactly *= f64::from(draws - below) / f64::from(below + 1) * share / (1.0 - share);
    }
    1.0 - at_most
}

// === impl Shares ===

impl Shares {
    fn of(simulated: &[Option<f64>], how: Predicting) -> Self {
        let ranks = ranks(simulated);
        let role = |run| Role::of(run, how.seeds);
        let meant = Common::within(&ranks, |run| role(run).meant).surely();
        // Two that never mean the same differ by more than two of any others.
        let apart = if how.seeds > 1 { meant / (how.seeds - 1) as f64 } else { 0.0 };
        let machine = (Common::within(&ranks, |run| role(run).machine).share() + apart).max(0.0);
        // Not what two have in common as they are on one machine, or mean to do the same.
        let is_other = |[one, other]: &[usize; 2]| {
            let [one, other] = [one, other].map(|run| role(*run));
            let differ = one.meant != other.meant || how.seeds == 1;
            one.drift == other.drift && one.machine != other.machine && differ
        };
        let near = |run: usize| (run + 1..ranks.len()).take(NEAR).map(move |other| [run, other]);
        let near = (0..ranks.len()).flat_map(near).filter(is_other);
        let drift = Common::of(&ranks, near).surely();
        Self { machine: machine.min(1.0), drift: drift.min(machine), meant }
    }
}

/// What pairs of runs have in common: the sums of a correlation within classes.
#[derive(Clone, Copy, Debug, Default)]
struct Common {
    products: f64,
    squares: f64,
    pairs: f64,
}

// === impl Common ===

impl Common {
    /// Of these pairs.
    fn of(ranks: &[Option<f64>], pairs: impl Iterator<Item = [usize; 2]>) -> Self {
        let known = pairs.filter_map(|[one, other]| Some([ranks[one]?, ranks[other]?]));
        known.fold(Self::default(), |so_far, [one, other]| Self {
            products: so_far.products + one * other,
            squares: so_far.squares + f64::midpoint(one * one, other * other),
            pairs: so_far.pairs + 1.0,
        })
    }

    /// Of every two of the same class.
    fn within(ranks: &[Option<f64>], class: impl Fn(usize) -> usize) -> Self {
        let mut classes: BTreeMap<usize, [f64; 3]> = BTreeMap::new();
        for (run, rank) in ranks.iter().enumerate().filter_map(|(n, rank)| Some((n, (*rank)?))) {
            let [count, sum, squares] = classes.entry(class(run)).or_default();
            (*count, *sum, *squares) = (*count + 1.0, *sum + rank, *squares + rank * rank);
        }
        classes.into_values().fold(Self::default(), |so_far, [count, sum, squares]| Self {
            products: so_far.products + (sum * sum - squares) / 2.0,
            squares: so_far.squares + squares * (count - 1.0) / 2.0,
            pairs: so_far.pairs + count * (count - 1.0) / 2.0,
        })
    }

    fn share(self) -> f64 {
        if self.squares > 0.0 { self.products / self.squares } else { 0.0 }
    }

    /// The same, less what chance may make of nothing.
    fn surely(self) -> f64 {
        (self.share() - 1.0 / self.pairs.max(1.0).sqrt()).max(0.0)
    }
}

/// How far each is from the middle, so that what is infinite is just last.
fn ranks(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut all: Vec<f64> = values.iter().copied().flatten().collect();
    all.sort_unstable_by(f64::total_cmp);
    let rank = |value: f64| {
        let less = all.partition_point(|other| other.total_cmp(&value).is_lt());
        let no_more = all.partition_point(|other| other.total_cmp(&value).is_le());
        (less + no_more) as f64 - all.len() as f64
    };
    values.iter().map(|value| value.map(rank)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: u32) -> Vec<f64> {
        (1..=count).map(f64::from).rev().collect()
    }

    #[test]
    fn an_interval_is_narrow_beside_its_middle() {
        let narrow = [[0.0, 0.0], [7.0, 9.0], [f64::INFINITY, f64::INFINITY]];
        let wide = [[0.0, 0.1], [6.9, 9.0], [7.0, f64::INFINITY]];
        assert!(narrow.into_iter().all(is_narrow) && !wide.into_iter().any(is_narrow));
    }

    #[test]
    fn an_interval_leaves_out_as_many_at_each_end_as_it_may() {
        let interval = |count: u32| interval(numbers(count), beyond(count as usize));
        assert_eq!(interval(0), None);
        assert_eq!(interval(FEWEST_PREDICTED), Some([1.0, 39.0]));
        assert_eq!(interval(200), Some([5.0, 196.0]));
    }

    #[test]
    fn a_model_is_off_by_a_hundredth() {
        let with = |ends, unit| Some(by_a_model(ends, unit).map(|end| (end * 1e6).round() / 1e6));
        assert_eq!(with([1.0, 2.0], Unit::Time), Some([0.99, 2.02]));
        assert_eq!(with([0.5, 1.0], Unit::Share), Some([0.495, 1.0]));
        assert_eq!(with([2.0, 2.0], Unit::Count), Some([2.0, 2.0]));
        assert_eq!(with([0.5, 101.0], Unit::Count), Some([0.5, 102.0]));
        let never = f64::INFINITY;
        assert_eq!(with([0.0, never], Unit::Time), Some([0.0, never]));
    }

    const UNKNOWN: Predicting = Predicting { seeds: 200, known: None };
    const BY_SEVEN: Predicting = Predicting { known: Some(7.0), ..UNKNOWN };
    const IN_ROUNDS: Predicting = Predicting { seeds: 20, ..BY_SEVEN };

    /// Two hundred simulated runs, and what each has by its number.
    fn simulated(value: impl Fn(u32) -> u32) -> Vec<Option<f64>> {
        (0..200).map(|n| Some(f64::from(value(n)))).collect()
    }

    /// Of 1 to 200.
    fn by_chance() -> Vec<Option<f64>> {
        simulated(|n| n * 77 % 200 + 1)
    }

    /// The ends for three are those of the binomial distribution: 3 q² - 2 q³ = 0.025.
    #[test]
    fn a_median_differs_less_than_a_run() {
        let tails = [1.0, 3.0, 21.0].map(|draws| (tail(draws) * 1e4).round() as u32);
        assert_eq!(tails, [250, 943, 2978]);
        let [alone, of_many] = [1, 20].map(|runs| of_medians(&by_chance(), runs, UNKNOWN));
        assert_eq!((alone, of_many), (Some([5.0, 196.0]), Some([57.0, 144.0])));
    }

    #[test]
    fn what_the_machine_does_to_all_runs_their_number_does_not_lessen() {
        let Shares { machine, drift, meant } = Shares::of(&by_chance(), IN_ROUNDS);
        assert!(machine < 0.2 && drift < 0.1 && meant < 0.1, "{machine} {drift} {meant}");
        // Each two are alike, and have nothing in common with the next two.
        let of_machines = simulated(|n| n / 2 * 37 % 100);
        let Shares { machine, drift, meant } = Shares::of(&of_machines, BY_SEVEN);
        assert!((machine - 1.0).abs() < 1e-9 && drift < 0.1 && meant <= 0.0, "{machine} {drift}");
        let never = [Some(1.0), Some(f64::INFINITY), None, Some(1.0)];
        assert!(Shares::of(&never, BY_SEVEN).machine <= 0.0);
        // The mean of seven is as well known as the median of eleven, which is as far off as one of ten or eleven.
        let low = |runs, how| of_medians(&of_machines, runs, how).unwrap()[0];
        let few = low(1000, BY_SEVEN);
        assert!(low(10, UNKNOWN) <= few && few <= low(12, UNKNOWN), "{few}");
    }

    /// Both those that are known and those that are measured lie all over the time.
    #[test]
    fn what_is_slow_for_a_while_is_so_for_known_runs_as_well() {
        let for_a_while = simulated(|n| n / 4 * 37 % 50);
        assert!(Shares::of(&for_a_while, BY_SEVEN).drift > 0.9);
        let for_now = simulated(|n| n / 2 * 37 % 100);
        let [for_a_while, for_now] =
            [for_a_while, for_now].map(|all| of_medians(&all, 20, BY_SEVEN).unwrap());
        let width = |[low, high]: [f64; 2], all: f64| (high - low) / all;
        assert!(
            width(for_a_while, 50.0) < 0.7 * width(for_now, 100.0),
            "{for_a_while:?} {for_now:?}"
        );
    }

    #[test]
    fn what_runs_mean_to_do_is_known() {
        let meant = simulated(|n| n % 20 * 7 % 20 * 10 + n % 3);
        assert!(Shares::of(&meant, IN_ROUNDS).meant > 0.9);
        // Of two rounds each two machines have both of them.
        let two = simulated(|n| n % 2);
        let shares = Shares::of(&two, Predicting { seeds: 2, ..BY_SEVEN });
        assert!(shares.meant > 0.9 && shares.drift <= 0.0, "{shares:?}");
        // Half of it is meant, and half the machine's, by the two bits of a number.
        let both = simulated(|n| n % 2 * 2 + n / 2 * 37 % 100 / 50 * 2);
        let shares = Shares::of(&both, Predicting { seeds: 2, ..BY_SEVEN });
        assert!(shares.meant > 0.3 && shares.machine > 0.3, "{shares:?}");
        let width = |how| {
            let [low, high] = of_medians(&meant, 20, how).unwrap();
            high - low
        };
        let widths = [Predicting { seeds: 20, ..UNKNOWN }, UNKNOWN].map(width);
        assert!(widths[0] < 0.7 * widths[1], "{widths:?}");
    }

    /// However many are known and simulated.
    #[test]
    fn the_median_of_many_is_where_theirs_is() {
        let [some, many] = [1_000.0, 1e9].map(tail);
        assert!(0.46 < some && some < 0.48 && (some - many).abs() < 1e-9, "{some} {many}");
    }
}
