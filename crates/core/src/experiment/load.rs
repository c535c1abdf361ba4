//! An open-loop load: when each request is meant to be sent is fixed before the first one is.

use std::time::Duration;

use serde::Deserialize;

use crate::random::{Stream, draw, unit};

/// The requests of a drill. The answers have no influence on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests a second.
    pub rate: u32,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// What is asked for, each with equal chance.
    pub paths: Vec<String>,
}

/// How requests are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// Each independent of all others.
    Poisson,
}

/// One request of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it is meant to be sent, from the first moment of the load.
    pub intended: Duration,
    /// Which of the load's paths.
    pub path: usize,
}

impl Load {
    /// The mean distance between two requests.
    pub fn spacing(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// Every request of a load of `duration`, in order.
    pub fn schedule(&self, seed: u64, duration: Duration) -> Vec<Planned> {
        let spacing = 1e9 / f64::from(self.rate);
        let mut at = 0.0;
        let mut planned = Vec::new();
        for ordinal in 0.. {
            let nanos = match self.arrivals {
                Arrivals::Constant => ordinal as f64 * spacing,
                Arrivals::Poisson => {
                    // An exponential distance; libm's logarithm is the same on every machine.
                    at -= libm::log(1.0 - unit(seed, Stream::Arrivals, ordinal)) * spacing;
                    at
                }
            };
            let intended = Duration::from_nanos(nanos as u64);
            if intended >= duration {
                break;
            }
            let path = draw(seed, Stream::Requests, ordinal) % self.paths.len() as u64;
            planned.push(Planned { intended, path: path as usize });
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: Arrivals, seed: u64) -> Vec<Planned> {
        let load = Load { rate: 1000, arrivals, paths: vec!["/a".into(), "/b".into()] };
        load.schedule(seed, Duration::from_secs(10))
    }

    #[test]
    fn a_constant_load_is_even_and_a_poisson_load_has_its_rate() {
        let even = schedule(Arrivals::Constant, 1);
        assert_eq!(even.len(), 10_000);
        assert_eq!(even[5].intended, Duration::from_millis(5));
        let random = schedule(Arrivals::Poisson, 1);
        // The count of a Poisson process has a standard deviation of 100 here.
        assert!((9_600..10_400).contains(&random.len()), "{}", random.len());
        assert!(random.is_sorted_by_key(|planned| planned.intended));
        let of_a = random.iter().filter(|planned| planned.path == 0).count();
        assert!((4_700..5_300).contains(&of_a), "{of_a}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule() {
        assert_eq!(schedule(Arrivals::Poisson, 7), schedule(Arrivals::Poisson, 7));
        assert_ne!(schedule(Arrivals::Poisson, 7), schedule(Arrivals::Poisson, 8));
    }
}
