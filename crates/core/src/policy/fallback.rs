//! Fallback: the last good value instead of an error.
//!
//! *What it protects*: the user, from an error where an old answer would do. *When it trips*: when
//! a call fails or is rejected, and a good value is at hand that has not been stale for too long
//! (`stale-if-error`, RFC 5861). *How it recovers*: the next good answer replaces the old one.
//! *What it does not do*: make an answer look fresh. One from here is of a class of its own, with
//! its age, for the caller to show; and it is no success for any other policy.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::recent::Recent;
use crate::time::Instant;

/// What is kept, and for how long it is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// After it was fresh, a value may be given instead of an error for so long.
    pub stale_if_error: Duration,
    /// So many values are kept.
    pub most_values: u32,
    /// And so much of their weight, in whatever unit they are weighed: bytes, mostly.
    pub most_weight: u64,
}

/// The last good values `V` by key. Beyond the bounds those go that were unused for longest.
#[derive(Debug)]
pub struct Fallback<K, V> {
    config: Config,
    values: Recent<K, Good<V>>,
    weight: u64,
    metrics: Metrics,
}

/// A good value.
#[derive(Debug)]
struct Good<V> {
    value: V,
    weight: u64,
    since: Instant,
    fresh_for: Duration,
}

/// An old value, given instead of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale<V> {
    /// The value.
    pub value: V,
    /// The time since it was good.
    pub age: Duration,
}

/// Why there is nothing but the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// No good value is at hand.
    Unknown,
    /// The value at hand has been stale for too long.
    TooStale {
        /// For so long.
        stale: Duration,
        /// Allowed is so long.
        limit: Duration,
    },
}

/// What became of calls that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// An old value was given.
    pub stale: u64,
    /// The oldest that was.
    pub oldest: Duration,
    /// An error was given: no value at hand.
    pub unknown: u64,
    /// An error was given: the value at hand was too old.
    pub too_stale: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            // An outage that lasts longer is one that users should hear of.
            stale_if_error: Duration::from_secs(300),
            // Pages that are asked for often fit in; it is no cache.
            most_values: 1000,
            most_weight: 16 << 20,
        }
    }
}

// === impl Fallback ===

impl<K: Ord + Clone, V> Fallback<K, V> {
    /// Nothing is at hand yet.
    pub fn new(config: Config) -> Self {
        Self { config, values: Recent::new(), weight: 0, metrics: Metrics::default() }
    }

    /// Keeps the answer that was just good. It says itself how long it is fresh (`max-age`; zero if
    /// it does not). One that is too heavy is not kept, and what `key` had before goes all the
    /// same: it is not the last good value any more.
    pub fn keep(&mut self, now: Instant, key: K, value: V, weight: u64, fresh_for: Duration) {
        if let Some(before) = self.values.remove(&key) {
            self.weight -= before.weight;
        }
        if weight > self.config.most_weight || self.config.most_values == 0 {
            return;
        }
        while self.values.len() >= self.config.most_values as usize
            || self.weight > self.config.most_weight - weight
        {
            let gone = self.values.evict(|_| true).expect("without values nothing is too much");
            self.weight -= gone.weight;
        }
        self.weight += weight;
        self.values.insert(key, Good { value, weight, since: now, fresh_for });
    }

    /// What to give instead of an error.
    pub fn instead(&mut self, now: Instant, key: &K) -> Result<Stale<&V>, Nothing> {
        let limit = self.config.stale_if_error;
        let Some(good) = self.values.get(key) else {
            self.metrics.unknown += 1;
            return Err(Nothing::Unknown);
        };
        let age = now.since(good.since);
        let stale = age.saturating_sub(good.fresh_for);
        if stale > limit {
            self.metrics.too_stale += 1;
            return Err(Nothing::TooStale { stale, limit });
        }
        self.metrics.stale += 1;
        self.metrics.oldest = self.metrics.oldest.max(age);
        Ok(Stale { value: &good.value, age })
    }

    /// How often it helped so far.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What is kept: values and their weight.
    pub fn kept(&self) -> (usize, u64) {
        (self.values.len(), self.weight)
    }
}

// === impl Nothing ===

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "no earlier answer is at hand"),
            Self::TooStale { stale, limit } => {
                write!(f, "the earlier answer has been stale for {stale:.0?}, allowed is {limit:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: Config =
        Config { stale_if_error: Duration::from_secs(60), most_values: 3, most_weight: 10 };

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    /// What is given at each of these seconds, after `"page"` was good at second 100 and said it
    /// would be fresh for `fresh_for`.
    fn check(fresh_for: u64, expected: &[(u64, Result<u64, Nothing>)]) {
        let mut fallback = Fallback::new(CONFIG);
        fallback.keep(at(100), "page", "good", 4, Duration::from_secs(fresh_for));
        for &(second, expected) in expected {
            let given = fallback.instead(at(second), &"page").map(|stale| stale.age.as_secs());
            assert_eq!(given, expected, "at {second}s");
        }
    }

    #[test]
    fn an_old_value_is_given_while_it_is_not_stale_for_too_long() {
        let too_stale = |stale| {
            let limit = CONFIG.stale_if_error;
            Err(Nothing::TooStale { stale: Duration::from_secs(stale), limit })
        };
        check(0, &[(100, Ok(0)), (160, Ok(60)), (161, too_stale(61))]);
        check(30, &[(120, Ok(20)), (190, Ok(90)), (191, too_stale(61))]);
    }

    #[test]
    fn what_was_given_is_counted_by_its_class_with_the_oldest_age() {
        let mut fallback = Fallback::new(CONFIG);
        fallback.keep(at(0), "page", "good", 4, Duration::ZERO);
        for (second, key) in [(10, "page"), (40, "page"), (40, "other"), (90, "page")] {
            let _ = fallback.instead(at(second), &key);
        }
        let oldest = Duration::from_secs(40);
        assert_eq!(*fallback.metrics(), Metrics { stale: 2, oldest, unknown: 1, too_stale: 1 });
    }

    #[test]
    fn beyond_the_bounds_the_longest_unused_go() {
        let mut fallback = Fallback::new(CONFIG);
        let keep = |fallback: &mut Fallback<_, _>, key: &'static str, weight| {
            fallback.keep(at(0), key, (), weight, Duration::ZERO);
        };
        for key in ["a", "b", "c"] {
            keep(&mut fallback, key, 3);
        }
        assert!(fallback.instead(at(1), &"a").is_ok());
        keep(&mut fallback, "d", 3);
        assert_eq!(fallback.instead(at(1), &"b"), Err(Nothing::Unknown));
        keep(&mut fallback, "e", 7);
        assert_eq!(fallback.kept(), (2, 10));
        assert!(fallback.instead(at(1), &"d").is_ok());
        keep(&mut fallback, "d", 11);
        assert_eq!(fallback.instead(at(1), &"d"), Err(Nothing::Unknown));
    }

    proptest! {
        #[test]
        fn it_is_never_above_its_bounds(
            story in prop::collection::vec((0u8..8, 0u64..13, any::<bool>()), 0..100),
        ) {
            let mut fallback = Fallback::new(CONFIG);
            for (key, weight, keeps) in story {
                if keeps {
                    fallback.keep(at(0), key, weight, weight, Duration::ZERO);
                } else {
                    let _ = fallback.instead(at(0), &key);
                }
                let (values, weight) = fallback.kept();
                let sum: u64 = fallback.values.iter().map(|(_, good)| good.weight).sum();
                prop_assert!(values <= 3 && weight <= 10);
                prop_assert_eq!(weight, sum);
            }
        }
    }
}
