//! Intervals in which something that differs from run to run should be, by runs that were simulated.

use super::{ALIKE, Predicting};

/// An interval is to hold this share of what is measured,
pub(super) const WITHIN: f64 = 0.95;
/// which takes so many runs,
pub const FEWEST_PREDICTED: u32 = 39;
/// and says much if it is no wider than this share of its middle.
const WIDEST: f64 = 0.25;

/// The variance of a mean of normal values, in that of their median.
const MEAN_FOR_MEDIAN: f64 = 2.0 / std::f64::consts::PI;

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

/// Where the median of so many runs should be: of `runs`, by those that were simulated, on machines that are as far from
/// the mean of the known ones as one more would be. What chance does to a median grows less with their number; how well
/// the machine is known does not, and differs for all of them alike. Two things make no median less certain. What is
/// slow for a while is so for known runs as well, which lie evenly among those that are measured. And what they meant
/// to do is known.
pub(super) fn of_medians(
    simulated: &[Option<f64>],
    runs: usize,
    Predicting { seeds, known }: Predicting,
) -> Option<[f64; 2]> {
    let Shares { machine, drift, meant } = Shares::of(simulated, seeds);
    let values: Vec<f64> = simulated.iter().copied().flatten().collect();
    let for_now = known.map_or(0.0, |known| (machine - drift) * MEAN_FOR_MEDIAN / known as f64);
    let drifts = if known.is_some() { drift } else { 0.0 };
    let by_chance = (1.0 - meant - drifts).max(0.0) / runs as f64;
    let by_simulation = (1.0 + machine + 2.0 * drift) / values.len() as f64;
    let beyond = below(tail(1.0 / (by_chance + for_now + by_simulation)), values.len());
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
    (((count + 1) as f64 * probability + 1e-9) as usize).saturating_sub(1)
}

/// The share of all values below which the median of so many of them lies in [`BEYOND`] of all cases. Of an odd number
/// of draws it is the one in the middle, and lies below a value if more than half of them do; of others the share is
/// between those of the odd numbers beside them.
fn tail(draws: f64) -> f64 {
    let pairs = ((draws - 1.0) / 2.0).max(0.0);
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
    /// Of runs that are as [`ALIKE`] says, and of which each means to do what the one so many `seeds` before it did.
    fn of(simulated: &[Option<f64>], seeds: usize) -> Self {
        let ranks = ranks(simulated);
        let fours = || (0..ranks.len()).step_by(ALIKE);
        let twins = fours().flat_map(|n| [[n, n + 1], [n + 2, n + 3]]);
        let cousins = |n| [[n, n + 2], [n, n + 3], [n + 1, n + 2], [n + 1, n + 3]];
        let next = |n: usize| (n + seeds..ranks.len()).step_by(seeds).map(move |m| [n, m]);
        let machine = in_common(&ranks, twins);
        Self {
            machine,
            drift: in_common(&ranks, fours().flat_map(cousins)).min(machine),
            meant: in_common(&ranks, (0..ranks.len()).flat_map(next)),
        }
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

/// The correlation within classes, by pairs of each class; none is less than nothing.
fn in_common(ranks: &[Option<f64>], pairs: impl Iterator<Item = [usize; 2]>) -> f64 {
    let rank = |n: usize| ranks.get(n).copied().flatten();
    let (mut common, mut of) = (0.0, 0.0);
    for [one, other] in pairs.filter_map(|[one, other]| Some([rank(one)?, rank(other)?])) {
        common += 2.0 * one * other;
        of += one * one + other * other;
    }
    if of > 0.0 { (common / of).max(0.0) } else { 0.0 }
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

    const UNKNOWN: Predicting = Predicting { seeds: 200, known: None };
    const BY_SEVEN: Predicting = Predicting { seeds: 200, known: Some(7) };

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
        let chance = Shares::of(&by_chance(), 20);
        assert!([chance.machine, chance.drift, chance.meant].into_iter().all(|share| share < 0.2));
        // Each two are alike, and have nothing in common with the next two.
        let of_machines = simulated(|n| n / 2 * 37 % 100);
        let Shares { machine, drift, meant } = Shares::of(&of_machines, 200);
        assert!((machine - 1.0).abs() < 1e-9 && drift < 0.2 && meant <= 0.0, "{machine} {drift}");
        let never = [Some(1.0), Some(f64::INFINITY), None, Some(1.0)];
        assert!(Shares::of(&never, 4).machine <= 0.0);
        // The mean of seven is as well known as the median of eleven, which is as far off as one of ten or eleven.
        let low = |runs, how| of_medians(&of_machines, runs, how).unwrap()[0];
        let few = low(1000, BY_SEVEN);
        assert!(low(10, UNKNOWN) <= few && few <= low(12, UNKNOWN), "{few}");
    }

    /// Both those that are known and those that are measured lie all over the time.
    #[test]
    fn what_is_slow_for_a_while_is_so_for_known_runs_as_well() {
        let for_a_while = simulated(|n| n / 4 * 37 % 50);
        assert!((Shares::of(&for_a_while, 200).drift - 1.0).abs() < 1e-9);
        let [known, unknown] =
            [BY_SEVEN, UNKNOWN].map(|how| of_medians(&for_a_while, 20, how).unwrap());
        assert!(
            known[0] > unknown[0] + 3.0 && known[1] < unknown[1] - 3.0,
            "{known:?} {unknown:?}"
        );
    }

    #[test]
    fn what_runs_mean_to_do_is_known() {
        let meant = simulated(|n| n % 20 * 10 + n % 3);
        assert!(Shares::of(&meant, 20).meant > 0.9);
        let width = |seeds| {
            let [low, high] = of_medians(&meant, 20, Predicting { seeds, known: None }).unwrap();
            high - low
        };
        assert!(width(20) < 0.6 * width(200), "{} {}", width(20), width(200));
    }
}
