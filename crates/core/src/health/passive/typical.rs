//! What is typical of a task: the median of its latencies, followed step by step.

use std::time::Duration;

/// From so few answers nothing is typical.
const ENOUGH: u32 = 10;
/// One answer moves the estimate by up to a sixteenth of it: ten times slower is known after 40.
const STEP: u64 = 16;

/// A median that costs an addition for each answer. One outlier moves it no further than any other.
#[derive(Debug, Default)]
pub(super) struct Typical {
    nanos: u64,
    answers: u32,
}

// === impl Typical ===

impl Typical {
    /// An answer took so long.
    pub(super) fn learn(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let step = self.nanos / STEP + 1;
        self.nanos = match self.answers {
            0 => nanos,
            _ => nanos.clamp(self.nanos.saturating_sub(step), self.nanos.saturating_add(step)),
        };
        self.answers = self.answers.saturating_add(1);
    }

    /// No answer came for so long: it would have taken at least as much.
    pub(super) fn learn_at_least(&mut self, waited: Duration) {
        if self.get().is_some_and(|typical| typical < waited) {
            self.learn(waited);
        }
    }

    /// The estimate, once there is one.
    pub(super) fn get(&self) -> Option<Duration> {
        (self.answers >= ENOUGH).then(|| Duration::from_nanos(self.nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_move_it_and_a_change_does() {
        let mut typical = Typical::default();
        let millis = Duration::from_millis;
        for n in 0..200 {
            assert_eq!(typical.get().is_some(), n >= 10);
            typical.learn(if n % 4 == 3 { millis(2000) } else { millis(10) });
        }
        assert!((millis(9)..millis(13)).contains(&typical.get().unwrap()), "{typical:?}");
        (0..40).for_each(|_| typical.learn(millis(100)));
        assert!((millis(90)..=millis(100)).contains(&typical.get().unwrap()), "{typical:?}");
        typical.learn_at_least(millis(20));
        assert!(typical.get().unwrap() >= millis(90));
    }
}
