//! Adaptive limit: how much work a service bears, by the gradient of its latency.
//!
//! *What it protects*: a service, from more work than it can do, where nobody knows how much that
//! is. *When it trips*: the limit shrinks when answers of late take longer than over the long run,
//! and when calls time out. *How it recovers*: it grows by the room for a queue while latency stays
//! as it was and at least half of it is used. *What it does not do*: know what a good latency is.
//! One that rises slowly, over hundreds of windows, becomes the new normal; the bounds are what
//! holds then.
//!
//! The formula is `Gradient2Limit` of Netflix's concurrency-limits, over its sample windows:
//! `gradient = max(0.5, min(1, tolerance · long / short))`,
//! `limit' = (1 − smoothing) · limit + smoothing · (limit · gradient + queue)`, and no change while
//! less than half the limit is used. That one ignores drops; here a window with one shrinks the
//! limit by the backoff of its `AIMDLimit` instead, because a call that times out has no latency.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// How a limit moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The limit at first.
    pub initial: u32,
    /// It never shrinks below this, at least 1.
    pub smallest: u32,
    /// It never grows above this.
    pub largest: u32,
    /// A sample is taken after so long,
    pub window: Duration,
    /// but not of fewer calls than this.
    pub window_calls: u32,
    /// Latency may be so much of the long run's before the limit shrinks: 100 and more.
    pub tolerance_percent: u32,
    /// How much of the new limit counts against the old one: 1 to 100.
    pub smoothing_percent: u32,
    /// Room for a queue: how much the limit tries to grow at each sample.
    pub queue: u32,
    /// Over how many samples the long run goes.
    pub long_run: u32,
    /// What is left of the limit after a window in which a call timed out: 50 to 99.
    pub backoff_percent: u32,
}

/// The limit, and the latencies it follows.
#[derive(Debug)]
pub struct Adaptive {
    config: Config,
    limit: f64,
    long_run: LongRun,
    window: Window,
}

/// A mean over many samples: plain at first, then exponential.
#[derive(Debug, Default)]
struct LongRun {
    samples: u32,
    mean: f64,
}

/// Calls since the last sample.
#[derive(Debug, Default)]
struct Window {
    since: Instant,
    answered: u32,
    dropped: u32,
    /// Of those that were answered.
    total: Duration,
    most_running: u32,
}

/// Samples over which the long run is a plain mean.
const WARM_UP: u32 = 10;

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        // Those of Gradient2Limit, WindowedLimit and AIMDLimit, but for `smallest`: a service that
        // is down is not to get twenty calls at a time.
        Self {
            initial: 20,
            smallest: 5,
            largest: 200,
            window: Duration::from_secs(1),
            window_calls: 10,
            tolerance_percent: 150,
            smoothing_percent: 20,
            queue: 4,
            long_run: 600,
            backoff_percent: 90,
        }
    }
}

// === impl Adaptive ===

impl Adaptive {
    /// A limit that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        let mut adaptive =
            Self { limit: 0.0, long_run: LongRun::default(), window: Window::default(), config };
        adaptive.set(f64::from(adaptive.config.initial));
        adaptive
    }

    /// The limit: whole calls.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// A call was answered rightly after `latency`; `running` calls were under way when it began.
    pub fn answered(&mut self, now: Instant, latency: Duration, running: u32) {
        self.window.answered += 1;
        self.window.total += latency;
        self.sample(now, running);
    }

    /// A call had no answer by its deadline.
    pub fn dropped(&mut self, now: Instant, running: u32) {
        self.window.dropped += 1;
        self.sample(now, running);
    }

    fn sample(&mut self, now: Instant, running: u32) {
        self.window.most_running = self.window.most_running.max(running);
        let calls = self.window.answered + self.window.dropped;
        let young = now.since(self.window.since) < self.config.window;
        if young || calls < self.config.window_calls.max(1) {
            return;
        }
        let window =
            std::mem::replace(&mut self.window, Window { since: now, ..Window::default() });
        if window.dropped > 0 {
            return self.set(self.limit * percent(self.config.backoff_percent));
        }
        let short = window.total.as_nanos() as f64 / f64::from(window.answered);
        let long = self.long_run.add(short, self.config.long_run);
        if f64::from(window.most_running) >= self.limit / 2.0 {
            self.follow(long, short);
        }
    }

    /// The gradient's step.
    fn follow(&mut self, long: f64, short: f64) {
        // At least a nanosecond each: in virtual time an answer may take none.
        let ratio = long.max(1.0) / short.max(1.0);
        let gradient = (percent(self.config.tolerance_percent) * ratio).clamp(0.5, 1.0);
        let smoothing = percent(self.config.smoothing_percent);
        let aim = self.limit * gradient + f64::from(self.config.queue);
        self.set(self.limit * (1.0 - smoothing) + aim * smoothing);
    }

    fn set(&mut self, limit: f64) {
        let smallest = f64::from(self.config.smallest.max(1));
        self.limit = limit.min(f64::from(self.config.largest)).max(smallest);
    }
}

// === impl LongRun ===

impl LongRun {
    /// Adds a sample and returns the mean that it is to be compared with.
    fn add(&mut self, sample: f64, over: u32) -> f64 {
        if self.samples < WARM_UP {
            self.samples += 1;
            self.mean += (sample - self.mean) / f64::from(self.samples);
        } else {
            self.mean += (sample - self.mean) * 2.0 / (f64::from(over) + 1.0);
        }
        let mean = self.mean;
        // After a long overload the mean must not take as long again to forget it.
        if mean > 2.0 * sample {
            self.mean *= 0.95;
        }
        mean
    }
}

fn percent(percent: u32) -> f64 {
    f64::from(percent) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One window of answers with this latency and load.
    enum Step {
        Answered { millis: u64, running: u32 },
        Dropped,
    }

    /// Goes through the steps, one window each, and compares the limit after each.
    fn check(steps: &[(Step, u32)]) {
        let config = Config { initial: 20, smallest: 10, largest: 24, ..Config::default() };
        let mut adaptive = Adaptive::new(config);
        let mut now = Instant::EPOCH;
        for (n, (step, expected)) in steps.iter().enumerate() {
            for _ in 0..10 {
                now = now + Duration::from_millis(100);
                match step {
                    Step::Answered { millis, running } => {
                        adaptive.answered(now, Duration::from_millis(*millis), *running);
                    }
                    Step::Dropped => adaptive.dropped(now, 20),
                }
            }
            assert_eq!(adaptive.limit(), *expected, "after step {n}");
        }
    }

    const STEADY: Step = Step::Answered { millis: 100, running: 20 };
    const SLOWER: Step = Step::Answered { millis: 1000, running: 20 };

    #[test]
    fn it_grows_by_a_fifth_of_the_queue_while_latency_is_steady_up_to_the_largest() {
        // 20.8, 21.6, 22.4, 23.2, 24, 24
        check(&[
            (STEADY, 20),
            (STEADY, 21),
            (STEADY, 22),
            (STEADY, 23),
            (STEADY, 24),
            (STEADY, 24),
        ]);
    }

    #[test]
    fn an_answer_in_no_time_is_as_good_as_any() {
        let instant = Step::Answered { millis: 0, running: 20 };
        check(&[(instant, 20), (STEADY, 20), (STEADY, 21)]);
    }

    #[test]
    fn it_does_not_grow_while_less_than_half_of_it_is_used() {
        let idle = |running| Step::Answered { millis: 100, running };
        check(&[(idle(9), 20), (idle(9), 20), (idle(10), 20), (idle(11), 21)]);
    }

    #[test]
    fn latency_within_the_tolerance_does_not_shrink_it_and_more_does() {
        let within = Step::Answered { millis: 149, running: 20 };
        check(&[(STEADY, 20), (STEADY, 21), (STEADY, 22), (within, 23)]);
        // The mean of 100, 100, 100, 100, 100 and 1000 is 250, and 1.5 · 250 / 1000 = 0.375: half.
        // 24 · 0.8 + (24 · 0.5 + 4) · 0.2 = 22.4. Then the mean is 357, the gradient 0.536.
        let slower = [(SLOWER, 22), (SLOWER, 21)];
        let steady = [20, 21, 22, 23, 24].map(|limit| (STEADY, limit));
        check(&steady.into_iter().chain(slower).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_with_a_timeout_shrinks_it_down_to_the_smallest() {
        let tenths = [18, 16, 14, 13, 11, 10, 10];
        check(&tenths.map(|limit| (Step::Dropped, limit)));
    }

    #[test]
    fn a_window_needs_its_time_and_its_calls() {
        let mut adaptive = Adaptive::new(Config::default());
        let second = Instant::EPOCH + Duration::from_secs(1);
        (0..100).for_each(|_| adaptive.dropped(Instant::EPOCH, 20));
        assert_eq!(adaptive.limit(), 20, "too young");
        adaptive.dropped(second, 20);
        assert_eq!(adaptive.limit(), 18);
        (0..9).for_each(|_| adaptive.dropped(second + Duration::from_secs(60), 20));
        assert_eq!(adaptive.limit(), 18, "too few");
        adaptive.dropped(second + Duration::from_secs(60), 20);
        assert_eq!(adaptive.limit(), 16);
    }
}
