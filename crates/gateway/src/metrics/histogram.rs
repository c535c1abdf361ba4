//! How long things took, in fixed buckets: two for each doubling, from 65 µs to 137 s.

use std::time::Duration;

use super::Count;

/// The first bucket ends at 2 to the power of this many nanoseconds,
const FIRST: u32 = 16;
/// and the last one that ends at all at this.
const LAST: u32 = 37;
/// Two for each doubling, the first one, and one without an end.
const BUCKETS: usize = 2 * (LAST - FIRST) as usize + 2;

/// Durations by bucket, and their sum.
pub(super) struct Histogram {
    buckets: [Count; BUCKETS],
    nanoseconds: Count,
}

/// Several histograms added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    /// By bucket, not cumulative.
    pub(super) buckets: [u64; BUCKETS],
    /// All durations together.
    pub(super) nanoseconds: u64,
}

// === impl Histogram ===

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Count::default()), nanoseconds: Count::default() }
    }
}

impl Histogram {
    /// Counts one.
    pub(super) fn add(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanoseconds)].add(1);
        self.nanoseconds.add(nanoseconds);
    }
}

/// The bucket that `nanoseconds` fall into: the first whose end is not below them.
fn bucket(nanoseconds: u64) -> usize {
    // What is below an end by less than this belongs to it.
    let below = nanoseconds.saturating_sub(1);
    if below < 1 << FIRST {
        return 0;
    }
    let power = below.ilog2();
    let half = (below >> (power - 1)) & 1;
    (2 * (power - FIRST) as usize + half as usize + 1).min(BUCKETS - 1)
}

/// Where a bucket ends, in nanoseconds; none for the last one.
pub(super) fn end(bucket: usize) -> Option<u64> {
    let power = FIRST + bucket as u32 / 2;
    let half = if bucket.is_multiple_of(2) { 0 } else { 1 << (power - 1) };
    (bucket < BUCKETS - 1).then_some((1 << power) + half)
}

// === impl Sum ===

impl Default for Sum {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], nanoseconds: 0 }
    }
}

impl Sum {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.get();
        }
        self.nanoseconds += histogram.nanoseconds.get();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_double_with_one_between() {
        let ends: Vec<_> = (0..4).map(end).collect();
        assert_eq!(ends, [Some(65_536), Some(98_304), Some(131_072), Some(196_608)]);
        assert_eq!((end(BUCKETS - 2), end(BUCKETS - 1)), (Some(1 << LAST), None));
    }

    proptest! {
        #[test]
        fn any_duration_is_in_the_first_bucket_that_ends_not_before_it(
            nanoseconds in prop_oneof![any::<u64>(), 0..200_000_000_000_u64, 65_000..200_000_u64],
        ) {
            let first = (0..BUCKETS).find(|b| end(*b).is_none_or(|end| nanoseconds <= end));
            prop_assert_eq!(Some(bucket(nanoseconds)), first);
        }

        #[test]
        fn an_end_belongs_to_its_bucket(b in 0..BUCKETS - 1) {
            let end = end(b).expect("not the last one");
            prop_assert_eq!((bucket(end), bucket(end + 1)), (b, b + 1));
        }
    }
}
