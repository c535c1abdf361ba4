//! How long a breaker takes to open when every call hangs: the formula against the guard itself,
//! and settings under which it never does.

use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::policy::breaker::{self, Slow, Trials, Window};
use seaworthy_core::policy::bulkhead;
use seaworthy_core::policy::guard::{Config, Finding, Severity, check, time_to_trip};

use crate::policy_world::{Answer, Patience, World};

const SECOND: Duration = Duration::from_secs(1);

/// What matters for the time to trip.
#[derive(Clone, Copy, Debug)]
struct Settings {
    window: Window,
    minimum: u32,
    percent: u32,
    timeout: Duration,
    permits: Option<u32>,
    spacing: Duration,
}

impl Settings {
    fn config(self) -> Config {
        let breaker = breaker::Config {
            window: self.window,
            minimum_calls: self.minimum,
            failure_percent: self.percent,
            trials: Trials { calls: 3, lease: 60 * SECOND },
            ..breaker::Config::default()
        };
        Config {
            timeout: Some(self.timeout),
            breaker: Some(breaker),
            bulkhead: self.permits.map(bulkhead::Config::Fixed),
            ..Config::default()
        }
    }

    fn rate(self) -> f64 {
        1.0 / self.spacing.as_secs_f64()
    }

    fn formula(self) -> Option<Duration> {
        time_to_trip(&self.config(), self.rate())
    }

    /// How long the guard itself takes after a past of so long, if it opens within `limit`.
    fn truth(self, past: Duration, limit: Duration) -> Option<Duration> {
        let mut world = World::new(self.config(), Patience::Tells);
        world.load(self.spacing, past, |_| Answer::Right(Duration::ZERO));
        let fault = world.now;
        while world.opened(fault).is_none() && world.now < fault + limit {
            world.load(self.spacing, self.spacing, |_| Answer::Right(Duration::MAX));
        }
        world.opened(fault)
    }

    /// When each of the calls that hang ends, of those that find a permit.
    fn ends(self, limit: Duration) -> Vec<Duration> {
        let mut ends: Vec<Duration> = Vec::new();
        let mut at = self.spacing;
        while at <= limit {
            let held = ends.iter().rev().take_while(|end| **end > at).count();
            if self.permits.is_none_or(|permits| held < permits as usize) {
                ends.push(at + self.timeout);
            }
            at += self.spacing;
        }
        ends
    }

    /// Whether the last of these ends surely opens it, or may. A window of time slides in tenths: it holds what was in
    /// nine of them, and of the tenth nobody knows how much. `spare` calls more or less make up the minimum too.
    fn opens(self, ends: &[Duration], surely: bool, spare: f64) -> bool {
        let length = match self.window {
            Window::Calls(calls) => return ends.len() as u32 * 100 >= calls * self.percent,
            Window::Time(length) => length,
        };
        let Some(now) = ends.last() else { return false };
        let of = |window: Duration| {
            let failed = ends.iter().filter(|end| **end + window > *now).count() as f64;
            let succeeded = window.saturating_sub(*now).as_secs_f64() * self.rate();
            (failed, failed + succeeded)
        };
        let [all, less] = [length, length * 9 / 10].map(of);
        let ((failed, calls), (_, held)) = if surely { (all, less) } else { (less, all) };
        let spare = if surely { -spare } else { spare };
        held + spare >= f64::from(self.minimum)
            && (failed + spare) * 100.0 >= (calls - spare) * f64::from(self.percent)
    }

    /// Neither the guard nor the formula has it open before it may, or not when it surely does.
    fn compare(self) {
        // As many rounds as it takes until the window holds nothing else, or each is like the one before it.
        let (past, rounds) = match self.window {
            Window::Calls(calls) => {
                (self.spacing * (calls + 1), calls / self.permits.unwrap_or(calls))
            }
            Window::Time(length) => (length * 2, 0),
        };
        let limit = past + (self.timeout + self.spacing) * (rounds + 3);
        let ends = self.ends(limit);
        let right = |opened: Option<Duration>, spare: &dyn Fn(Duration) -> u32| {
            let first = |surely| {
                let opens =
                    |n: &usize| self.opens(&ends[..=*n], surely, f64::from(spare(ends[*n])));
                (0..ends.len()).find(opens).map(|n| ends[n])
            };
            let (may, surely) = (first(false), first(true));
            let slack = |time: Duration| self.spacing * spare(time);
            let right = match opened {
                None => surely.is_none(),
                Some(opened) => {
                    may.is_some_and(|may| opened + slack(opened) >= may)
                        && surely.is_none_or(|surely| opened <= surely + slack(surely))
                }
            };
            assert!(right, "{self:?}: {opened:?}, and not {may:?} to {surely:?}");
        };
        // In each round a permit waits for the next call, by the formula not.
        let waits = self.permits.is_some_and(|permits| self.spacing * permits < self.timeout);
        let rounds = |time: Duration| (time.as_nanos() / self.timeout.as_nanos()) as u32;
        right(self.truth(past, limit), &|_| 2);
        right(self.formula(), &|time| if waits { rounds(time) + 2 } else { 2 });
    }
}

fn settings(
    window: Window,
    minimum: u32,
    timeout: u64,
    permits: Option<u32>,
    rate: u32,
) -> Settings {
    let timeout = Duration::from_secs(timeout);
    Settings { window, minimum, percent: 50, timeout, permits, spacing: SECOND / rate }
}

#[test]
fn after_a_healthy_day_a_hard_fault_trips_it_as_the_formula_says() {
    // T + θN/r
    let free = settings(Window::Calls(100), 100, 1, None, 5);
    assert_eq!(free.formula(), Some(11 * SECOND));
    assert_eq!(free.truth(Duration::from_secs(86_400), 60 * SECOND), Some(11 * SECOND));
    // ceil(θN/B) · T, and the place in the last round
    let starved = settings(Window::Calls(100), 100, 30, Some(10), 50);
    assert_eq!(starved.formula(), Some(150 * SECOND + SECOND / 5));
    assert_eq!(starved.truth(3600 * SECOND, 300 * SECOND), Some(150 * SECOND + SECOND / 5));
    // T + max(θ(W − T), m/r)
    let time = settings(Window::Time(10 * SECOND), 20, 1, None, 50);
    assert_eq!(time.formula(), Some(SECOND + SECOND * 9 / 2));
    time.compare();
    let rare = settings(Window::Time(10 * SECOND), 20, 8, None, 4);
    assert_eq!(rare.formula(), Some(13 * SECOND));
    rare.compare();
    // When more than half have failed, the last success soon leaves: within one tenth of the window.
    let narrow = settings(Window::Time(8 * SECOND), 51, 1, Some(2), 47);
    Settings { percent: 54, timeout: SECOND * 3 / 10, ..narrow }.compare();
    // The ninth round: 80 failures and one more against 49 successes that are left of 50 a second
    let rounds = settings(Window::Time(10 * SECOND), 20, 1, Some(10), 50);
    assert_eq!(rounds.formula(), Some(SECOND * 9 + SECOND / 50));
    rounds.compare();
    // W < T and B < m: never
    let never = settings(Window::Time(10 * SECOND), 20, 30, Some(10), 50);
    assert_eq!(never.formula(), None);
    assert_eq!(never.truth(100 * SECOND, 600 * SECOND), None);
}

#[test]
fn a_slow_rule_may_trip_it_first() {
    let mut config = settings(Window::Calls(100), 100, 1, None, 10).config();
    assert_eq!(time_to_trip(&config, 10.0), Some(6 * SECOND));
    let breaker = config.breaker.as_mut().unwrap();
    breaker.slow = Some(Slow { threshold: SECOND / 2, percent: 20, minimum_calls: 10 });
    assert_eq!(time_to_trip(&config, 10.0), Some(3 * SECOND));
}

#[test]
fn without_a_timeout_a_breaker_or_calls_it_never_trips() {
    let config = Config::default();
    assert!(time_to_trip(&config, 50.0).is_some());
    assert_eq!(time_to_trip(&config, 0.0), None);
    assert_eq!(time_to_trip(&Config { timeout: None, ..config.clone() }, 50.0), None);
    assert_eq!(time_to_trip(&Config { breaker: None, ..config }, 50.0), None);
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![
        (1u32..60).prop_map(Window::Calls),
        (1u64..12).prop_map(|s| Window::Time(Duration::from_secs(s))),
    ];
    let permits = prop_oneof![Just(None), (1u32..30).prop_map(Some)];
    (window, 1u32..60, 1u32..=100, 1u64..80, permits, 1u32..60).prop_map(
        |(window, minimum, percent, tenths, permits, rate)| Settings {
            window,
            minimum,
            percent,
            timeout: Duration::from_millis(100 * tenths),
            permits,
            spacing: Duration::from_secs(1) / rate,
        },
    )
}

proptest! {
    #[test]
    fn the_formula_is_what_the_guard_does(settings in any_settings()) {
        settings.compare();
    }

    /// Whatever came before: a refusal is a proof.
    #[test]
    fn what_is_refused_as_starved_never_opens(settings in any_settings(), past in 0u64..20) {
        let starved = |finding: &Finding| matches!(finding, Finding::Starved(_));
        if check(&settings.config(), None).iter().any(starved) {
            let limit = settings.timeout * 5;
            prop_assert_eq!(settings.truth(Duration::from_secs(past), limit), None);
        }
    }
}

/// The findings' texts, with an `x` before those that are refused.
fn told(config: &Config, rate: Option<f64>) -> Vec<String> {
    let line = |finding: Finding| {
        let mark = if finding.severity() == Severity::Refused { "x " } else { "" };
        format!("{mark}{finding}")
    };
    check(config, rate).into_iter().map(line).collect()
}

#[test]
fn the_defaults_have_nothing_wrong() {
    assert_eq!(told(&Config::default(), None), [""; 0]);
    assert_eq!(told(&Config::default(), Some(50.0)), [""; 0]);
}

#[test]
fn as_many_outcomes_as_the_minimum_are_enough() {
    let findings = |minimum, timeout| {
        let window = Window::Time(Duration::from_secs(10));
        check(&settings(window, minimum, timeout, Some(10), 50).config(), None)
    };
    assert!(matches!(findings(11, 30)[..], [Finding::Starved(_)]));
    assert_eq!(findings(10, 30), []);
    assert!(matches!(findings(101, 1)[..], [Finding::NeedsThePast(_)]));
    assert_eq!(findings(100, 1), []);
}

#[test]
fn findings_show_their_arithmetic() {
    let time = |seconds| Window::Time(Duration::from_secs(seconds));
    let starved = settings(time(10), 20, 30, Some(10), 50).config();
    assert_eq!(
        told(&starved, None),
        [
            "x 10 permits held for 30s come free 0.33 times a second, which gives a window of 10s at \
         most 10 outcomes, and the breaker's minimum is 20: while calls hang the breaker can never \
         open"
        ]
    );
    let past = settings(time(10), 120, 1, Some(10), 50).config();
    assert_eq!(
        told(&past, None),
        [
            "10 permits held for 1s come free 10.00 times a second, which gives a window of 10s at most \
         100 outcomes, and the breaker's minimum is 120: when calls hang the breaker opens only \
         while earlier successes make up the rest"
        ]
    );
    assert_eq!(
        told(&Config::default(), Some(1.5)),
        [
            "x at 1.5 calls a second a window of 10s holds 15, and the breaker's minimum is 20: it can \
         never open"
        ]
    );
    let late = settings(Window::Calls(100), 100, 30, Some(10), 50).config();
    assert_eq!(
        told(&late, None),
        ["when all calls hang, the breaker opens after 150s at the earliest"]
    );
    let blind = settings(Window::Calls(100), 100, 1, None, 1).config();
    assert_eq!(told(&blind, None), [""; 0]);
    assert_eq!(
        told(&blind, Some(0.5)),
        ["at 0.5 calls a second, when all of them hang, the breaker opens after 101s"]
    );
}

#[test]
fn settings_that_do_not_go_together_are_warned_about() {
    let of = |change: fn(&mut breaker::Config)| {
        let mut breaker = breaker::Config::default();
        change(&mut breaker);
        Config { breaker: Some(breaker), ..Config::default() }
    };
    assert_eq!(
        told(&Config { timeout: None, ..Config::default() }, None),
        ["without a timeout the breaker hears of a call that hangs only when somebody drops it"]
    );
    assert_eq!(
        told(&of(|b| b.window = Window::Calls(10)), None),
        [
            "the breaker's minimum of 20 is more than its window of 10 calls holds: it judges when the \
         window is full"
        ]
    );
    let slow = of(|b| b.slow = Some(Slow { threshold: SECOND, percent: 50, minimum_calls: 20 }));
    assert_eq!(
        told(&slow, None),
        [
            "the slow threshold of 1s is not below the timeout of 1s: no call that is answered in time \
         is slow"
        ]
    );
    assert_eq!(
        told(&of(|b| b.trials.lease = SECOND / 2), None),
        ["a trial has failed after 500ms, although its caller waits 1s for it"]
    );
    assert_eq!(
        told(&of(|b| (b.failure_percent, b.trials.calls) = (0, 2000)), None),
        ["x failure_percent is 0; allowed is 1 to 100", "x trials is 2000; allowed is 1 to 1000"]
    );
    assert_eq!(
        told(&of(|b| b.open.longest = SECOND), None),
        ["x the first open time of 5s is longer than the longest, 1s"]
    );
    let none = Config { bulkhead: Some(bulkhead::Config::Fixed(0)), ..Config::default() };
    assert_eq!(told(&none, None), ["x bulkhead is 0; allowed is 1 to 4294967295"]);
}
