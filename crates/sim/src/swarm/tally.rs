//! What many scenarios have shown together.

use super::rule::Violation;
use super::run::Outcome;
use super::sometimes::Sometimes;

/// What many scenarios have shown together.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many they were.
    pub seeds: u64,
    /// Requests in all of them.
    pub requests: u64,
    /// In how many each state was reached, in the order of [`Sometimes::ALL`].
    reached: Vec<u64>,
    /// What broke a rule, by seed.
    pub violations: Vec<(u64, Violation)>,
}

// === impl Tally ===

impl Tally {
    /// One scenario more, of this seed.
    pub fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.requests += outcome.requests;
        for (count, what) in self.reached.iter_mut().zip(Sometimes::ALL) {
            *count += u64::from(outcome.reached.has(*what));
        }
        self.violations.extend(outcome.violation.map(|violation| (seed, violation)));
    }

    /// In how many scenarios of 100 each state was reached.
    pub fn shares(&self) -> impl Iterator<Item = (Sometimes, f64)> {
        let share = |count: &u64| 100.0 * *count as f64 / self.seeds.max(1) as f64;
        Sometimes::ALL.iter().copied().zip(self.reached.iter().map(share))
    }
}

impl Default for Tally {
    fn default() -> Self {
        let reached = vec![0; Sometimes::ALL.len()];
        Self { seeds: 0, requests: 0, reached, violations: Vec::new() }
    }
}
