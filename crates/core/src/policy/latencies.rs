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
/// From fewer latencies nothing is told.
const ENOUGH: u32 = 20;

/// Latencies, and one quantile of them.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    percent: u32,
    /// A half is filled for so long.
    turns: Duration,
    halves: [Half; 2],
    /// The half that is filled, and until when.
    filled: usize,
    until: Instant,
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
    /// None yet. So many percent of them are to be at most the quantile. Each is known for at least
    /// as long as `turns`, and at most for twice as long.
    pub(crate) fn new(percent: u32, turns: Duration) -> Self {
        let half = || Half { buckets: vec![0; BUCKETS].into(), count: 0 };
        let until = Instant::EPOCH + turns;
        Self { percent, turns, halves: [half(), half()], filled: 0, until, told: None, counted: 0 }
    }

    /// One more.
    pub(crate) fn record(&mut self, now: Instant, latency: Duration) {
        self.turn(now);
        let half = &mut self.halves[self.filled];
        half.buckets[bucket(latency)] += 1;
        half.count += 1;
    }

    /// The quantile, rounded up to its bucket's end; none while too few are known.
    pub(crate) fn quantile(&mut self, now: Instant) -> Option<Duration> {
        self.turn(now);
        let count = self.count();
        // It hardly moves by a few more, and looking through all buckets takes its time.
        if self.told.is_none() || count.abs_diff(self.counted) > self.counted / 16 {
            self.counted = count;
            self.told = self.look_up(&self.halves);
        }
        self.told
    }

    /// The same for somebody who only looks, and seldom: it is looked up anew each time.
    pub(crate) fn quantile_at(&self, now: Instant) -> Option<Duration> {
        match () {
            () if now < self.until => self.look_up(&self.halves),
            () if now < self.until + self.turns => {
                self.look_up(std::slice::from_ref(&self.halves[self.filled]))
            }
            () => None,
        }
    }

    fn count(&self) -> u32 {
        self.halves.iter().map(|half| half.count).sum()
    }

    fn look_up(&self, halves: &[Half]) -> Option<Duration> {
        let count: u32 = halves.iter().map(|half| half.count).sum();
        let rank = (u64::from(count) * u64::from(self.percent)).div_ceil(100);
        let mut passed = 0;
        let is_below = |bucket: &usize| {
            passed += halves.iter().map(|half| u64::from(half.buckets[*bucket])).sum::<u64>();
            passed < rank
        };
        (count >= ENOUGH).then(|| end((0..BUCKETS).take_while(is_below).count()))
    }

    /// Lets go of the older half when the other one has been filled for long enough.
    fn turn(&mut self, now: Instant) {
        if now < self.until {
            return;
        }
        if now >= self.until + self.turns {
            self.halves[self.filled].clear();
        }
        self.filled = 1 - self.filled;
        self.halves[self.filled].clear();
        self.until = now + self.turns;
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
    const TURNS: Duration = Duration::from_secs(10);
    const MS: fn(u64) -> Duration = Duration::from_millis;

    impl Latencies {
        fn told_anew(mut self, now: Instant) -> Option<Duration> {
            self.told = None;
            self.quantile(now)
        }
    }

    #[test]
    fn a_quantile_is_told_from_twenty_on() {
        let mut latencies = Latencies::new(99, TURNS);
        (1..20).for_each(|ms| latencies.record(NOW, MS(ms)));
        assert_eq!(latencies.quantile(NOW), None);
        latencies.record(NOW, MS(20));
        let told = latencies.quantile(NOW).unwrap();
        assert!((MS(20)..=MS(23)).contains(&told), "{told:?}");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut latencies = Latencies::new(50, TURNS);
        (0..100).for_each(|_| latencies.record(NOW, MS(500)));
        let later = NOW + TURNS;
        (0..1000).for_each(|_| latencies.record(later, MS(1)));
        assert!(latencies.quantile(later).unwrap() < MS(2));
        assert_eq!(latencies.quantile(later + TURNS * 2), None);
    }

    #[test]
    fn whoever_only_looks_is_told_the_same() {
        let mut latencies = Latencies::new(50, TURNS);
        for n in 0..60 {
            (0..n * 3).for_each(|_| latencies.record(NOW + MS(n * 900), MS(n)));
            for later in [0, 1, 9_999, 10_000, 19_999, 20_000].map(|ms| NOW + MS(n * 900 + ms)) {
                let told = latencies.clone().told_anew(later);
                assert_eq!(latencies.quantile_at(later), told, "{n}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_right_to_within_an_eighth(
            nanos in prop::collection::vec(1024..60_000_000_000u64, 20..200), percent in 1..100u32,
        ) {
            let mut latencies = Latencies::new(percent, TURNS);
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
