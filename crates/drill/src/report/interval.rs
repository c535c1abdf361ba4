//! Intervals in which something that differs from run to run should be, by runs that were simulated.

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

/// Where the median of so many runs should be: of `runs`, by what was simulated, on machines that are as far from the
/// mean of `known` runs as one more would be. What chance does to a median grows less with their number; how well
/// the machine is known does not, and differs for all of them alike. `pairs` were simulated on one machine each, and
/// show how much of what differs is the machine's: what two have in common is known by one of them.
pub(super) fn of_medians(
    values: Vec<f64>,
    pairs: &[[f64; 2]],
    runs: usize,
    known: Option<usize>,
) -> Option<[f64; 2]> {
    let shared = shared(pairs);
    let by_machine = known.map_or(0.0, |known| shared * MEAN_FOR_MEDIAN / known as f64);
    let variance = 1.0 / runs as f64 + by_machine + (1.0 + shared) / values.len() as f64;
    let beyond = below(tail(1.0 / variance), values.len());
    interval(values, beyond)
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
    let mut exactly = (1.0 - share).powf(f64::from(draws));
    let mut at_most = 0.0;
    for below in 0..=half {
        at_most += exactly;
        exactly *= f64::from(draws - below) / f64::from(below + 1) * share / (1.0 - share);
    }
    1.0 - at_most
}

/// Which share of what differs the two of each pair have in common: the correlation within classes, of ranks, so that
/// what is infinite is just last.
fn shared(pairs: &[[f64; 2]]) -> f64 {
    let mut all: Vec<f64> = pairs.iter().copied().flatten().collect();
    all.sort_unstable_by(f64::total_cmp);
    let rank = |value: f64| {
        let less = all.partition_point(|other| other.total_cmp(&value).is_lt());
        let no_more = all.partition_point(|other| other.total_cmp(&value).is_le());
        (less + no_more) as f64 - all.len() as f64
    };
    let (mut common, mut of) = (0.0, 0.0);
    for [one, other] in pairs.iter().map(|pair| pair.map(rank)) {
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

    /// The ends for three are those of the binomial distribution: 3 q² - 2 q³ = 0.025.
    #[test]
    fn a_median_differs_less_than_a_run() {
        let tails = [1.0, 3.0, 21.0].map(|draws| (tail(draws) * 1e4).round() as u32);
        assert_eq!(tails, [250, 943, 2978]);
        let alone = of_medians(numbers(200), &[], 1, None);
        let of_many = of_medians(numbers(200), &[], 20, None);
        assert_eq!((alone, of_many), (Some([5.0, 196.0]), Some([57.0, 144.0])));
    }

    #[test]
    fn what_the_machine_does_to_all_runs_their_number_does_not_lessen() {
        let alike: Vec<[f64; 2]> = numbers(100).into_iter().map(|value| [value; 2]).collect();
        let chance: Vec<[f64; 2]> = (0..100).map(|n| [n, n * 37 % 100].map(f64::from)).collect();
        assert!((shared(&alike) - 1.0).abs() < 1e-9 && shared(&chance) < 0.2);
        assert!(shared(&[[1.0, f64::INFINITY], [f64::INFINITY, 1.0]]) == 0.0);
        // The mean of seven is as well known as the median of eleven, which is as far off as one of ten or eleven.
        let few = of_medians(numbers(200), &alike, 1000, Some(7));
        assert_eq!(few, Some([44.0, 157.0]));
        let of = |runs| of_medians(numbers(200), &[], runs, None).unwrap()[0];
        assert!(of(10) < 44.0 && 44.0 < of(11));
    }
}
