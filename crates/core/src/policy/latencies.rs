//! Latencies of the last while, as a histogram that tells one quantile of them.
//!
//! Buckets are log-linear: eight to each doubling, from a microsecond to a minute, so a quantile is
//! known to within an eighth of itself. Two halves take turns, so that what is old is forgotten.

use std::time::Duration;

use crate::time::Instant;

/// So many bits of a latency tell its bucket.
const FINE_BITS: u32 = 3;
const FINE: u64 = 1 << FINE_BITS;
/// Latencies are told apart from 1.024 us ...
const LOWEST_BIT: u32 = 10;
/// ... to 68.7 s.
const HIGHEST_BIT: u32 = 36;
const BUCKETS: usize = ((HIGHEST_BIT - LOWEST_BIT) as usize + 1) << FINE_BITS;
/// A half is filled for so long.
const HALF: Duration = Duration::from_secs(10);
/// From fewer latencies nothing is told.
const ENOUGH: u32 = 20;

/// Latencies, and one quantile of them.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    percent: u32,
    halves: [Half; 2],
    /// The half that is filled, and since when.
    filled: usize,
    since: Instant,
    /// The quantile when `counted` latencies were known.
    told: Option<Duration>,
    counted: u32,
}

#[derive(Clone, Debug)]
struct Half {
    buckets: Box<[u32]>,
    count: u32,
}

// === impl Latencies ===

impl Latencies {
    /// None yet. So many percent of them are to be at most the quantile.
    pub(super) fn new(percent: u32) -> Self {
        let half = || Half { buckets: vec![0; BUCKETS].into(), count: 0 };
        let since = Instant::EPOCH;
        Self { percent, halves: [half(), half()], filled: 0, since, told: None, counted: 0 }
    }

    /// One more.
    pub(super) fn record(&mut self, now: Instant, latency: Duration) {
        self.turn(now);
        let half = &mut self.halves[self.filled];
        half.buckets[bucket(latency)] += 1;
        half.count += 1;
    }

    /// The quantile, rounded up to its bucket's end; none while too few are known.
    pub(super) fn quantile(&mut self, now: Instant) -> Option<Duration> {
        self.turn(now);
        let count = self.count();
        // It hardly moves by a few more, and looking through all buckets takes its time.
        if self.told.is_none() || count.abs_diff(self.counted) > self.counted / 16 {
            self.counted = count;
            self.told = (count >= ENOUGH).then(|| self.look_up(count));
        }
        self.told
    }

    fn count(&self) -> u32 {
        self.halves.iter().map(|half| half.count).sum()
    }

    fn look_up(&self, count: u32) -> Duration {
        let [one, other] = &self.halves;
        let rank = (u64::from(count) * u64::from(self.percent)).div_ceil(100);
        let both = one.buckets.iter().zip(&other.buckets).map(|(one, other)| one + other);
        let mut passed = 0;
        let at = both.take_while(|n| {
            passed += u64::from(*n);
            passed < rank
        });
        end(at.count())
    }

    /// Lets go of the older half when the other one has been filled for long enough.
    fn turn(&mut self, now: Instant) {
        let passed = now.since(self.since);
        if passed < HALF {
            return;
        }
        if passed >= HALF * 2 {
            self.halves[self.filled].clear();
        }
        self.filled = 1 - self.filled;
        self.halves[self.filled].clear();
        self.since = now;
        self.counted = 0;
        self.told = None;
    }
}

impl Half {
    fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }
}

fn bucket(latency: Duration) -> usize {
    let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    let nanos = nanos.clamp(1 << LOWEST_BIT, (1 << (HIGHEST_BIT + 1)) - 1);
    let bit = nanos.ilog2();
    let fine = (nanos >> (bit - FINE_BITS)) & (FINE - 1);
    (((bit - LOWEST_BIT) as usize) << FINE_BITS) + fine as usize
}

/// The first latency that is beyond a bucket.
fn end(bucket: usize) -> Duration {
    let (octave, fine) = (bucket as u64 >> FINE_BITS, bucket as u64 & (FINE - 1));
    Duration::from_nanos((FINE + fine + 1) << (octave + u64::from(LOWEST_BIT - FINE_BITS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Instant = Instant::EPOCH;
    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_quantile_is_told_from_twenty_on() {
        let mut latencies = Latencies::new(99);
        (1..20).for_each(|ms| latencies.record(NOW, MS(ms)));
        assert_eq!(latencies.quantile(NOW), None);
        latencies.record(NOW, MS(20));
        let told = latencies.quantile(NOW).unwrap();
        assert!((MS(20)..=MS(23)).contains(&told), "{told:?}");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut latencies = Latencies::new(50);
        (0..100).for_each(|_| latencies.record(NOW, MS(500)));
        let later = NOW + HALF;
        (0..1000).for_each(|_| latencies.record(later, MS(1)));
        assert!(latencies.quantile(later).unwrap() < MS(2));
        assert_eq!(latencies.quantile(later + HALF * 2), None);
    }

    proptest! {
        #[test]
        fn it_is_right_to_within_an_eighth(
            nanos in prop::collection::vec(1024..60_000_000_000u64, 20..200), percent in 1..100u32,
        ) {
            let mut latencies = Latencies::new(percent);
            for nanos in &nanos {
                latencies.record(NOW, Duration::from_nanos(*nanos));
            }
            let mut sorted = nanos.clone();
            sorted.sort_unstable();
            let rank = (nanos.len() * percent as usize).div_ceil(100).max(1);
            let (exact, told) = (sorted[rank - 1], latencies.quantile(NOW).unwrap());
            let told = told.as_nanos() as u64;
            prop_assert!(told >= exact && told <= exact + exact / 8 + 1, "{told}, exactly {exact}");
        }
    }
}
