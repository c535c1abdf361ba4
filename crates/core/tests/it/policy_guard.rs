//! The guard: its order, what it gives back, and what the three together do to a service that
//! hangs.

use std::time::Duration;

use seaworthy_core::policy::breaker::{self, Mode, Opening, Ramp, State, Trials, Window};
use seaworthy_core::policy::bulkhead::Bulkhead;
use seaworthy_core::policy::guard::{Config, Guard};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection, bulkhead};
use seaworthy_core::time::Instant;

use crate::policy_world::{Answer, Patience, World};

const ASK: Ask = Ask { repeatable: true, deadline: None };
const SECOND: Duration = Duration::from_secs(1);
const HANGS: Answer = Answer::Right(Duration::from_secs(30));
const QUICK: Answer = Answer::Right(Duration::from_millis(100));

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

/// One second, ten permits, a window of ten seconds, open for 5 s, three trials.
fn config() -> Config {
    let breaker = breaker::Config {
        open: Opening { first: 5 * SECOND, longest: 5 * SECOND, jitter_percent: 0 },
        trials: Trials { calls: 3, lease: 10 * SECOND },
        ramp: Ramp { length: 10 * SECOND, floor_percent: 10 },
        ..breaker::Config::default()
    };
    Config { breaker: Some(breaker), ..Config::default() }
}

/// A guard whose breaker is open until second 5.
fn open_guard(bulkhead: u32) -> Guard {
    let mut config = config();
    config.bulkhead = Some(bulkhead::Config::Fixed(bulkhead));
    let mut guard = Guard::new(config, 1);
    for _ in 0..20 {
        let pass = guard.admit(at(0), &ASK).expect("it is closed until the minimum");
        guard.settle(at(0), pass, Outcome::Failure);
    }
    guard
}

fn running(guard: &Guard) -> (u32, u32) {
    let bulkhead = guard.bulkhead().expect("it has one");
    (bulkhead.running(), bulkhead.abandoned())
}

#[test]
fn the_deadline_is_asked_first_then_the_breaker_then_the_bulkhead() {
    let mut guard = open_guard(1);
    let late = Ask { deadline: Some(at(0)), ..ASK };
    assert_eq!(guard.admit(at(0), &late).unwrap_err(), Rejection::DeadlinePassed);
    let open = Rejection::Open { retry_after: 5 * SECOND };
    assert_eq!(guard.admit(at(0), &ASK).unwrap_err(), open);
    let pass = guard.admit(at(5), &ASK).unwrap();
    let full = Rejection::Full { limit: 1, running: 1, abandoned: 0 };
    assert_eq!(guard.admit(at(5), &ASK).unwrap_err(), full);
    guard.settle(at(5), pass, Outcome::Success);
}

#[test]
fn a_full_bulkhead_takes_no_trial_and_counts_nowhere_for_the_breaker() {
    let mut guard = open_guard(1);
    let first = guard.admit(at(5), &ASK).unwrap();
    for _ in 0..100 {
        assert!(matches!(guard.admit(at(5), &ASK), Err(Rejection::Full { .. })));
    }
    guard.settle(at(5), first, Outcome::Success);
    let second = guard.admit(at(5), &ASK).unwrap();
    guard.settle(at(5), second, Outcome::Success);
    assert_eq!(guard.breaker().unwrap().state(at(5)), State::Closed);
    assert_eq!(guard.bulkhead().unwrap().rejected(), 100);
}

#[test]
fn an_open_breaker_takes_no_permit_and_is_named_though_the_bulkhead_is_full_too() {
    let mut guard = open_guard(1);
    let failed = guard.admit(at(5), &ASK).unwrap();
    guard.settle(at(5), failed, Outcome::Failure);
    let mut abandoned = guard.admit(at(5), &ASK).unwrap();
    guard.abandon(at(6), &mut abandoned);
    // Two of three trials have failed, and the work of the second runs on.
    assert!(matches!(guard.admit(at(6), &ASK), Err(Rejection::Open { .. })));
    assert_eq!(guard.bulkhead().map(Bulkhead::rejected), Some(0));
    guard.settle(at(30), abandoned, Outcome::Success);
}

#[test]
fn a_breaker_that_only_counts_stops_no_call_of_its_guard() {
    let mut config = config();
    config.breaker.as_mut().unwrap().mode = Mode::MetricsOnly;
    let mut guard = Guard::new(config, 1);
    for _ in 0..100 {
        let pass = guard.admit(at(0), &ASK).unwrap();
        guard.settle(at(0), pass, Outcome::Failure);
    }
    let breaker = guard.breaker().unwrap();
    assert!(matches!(breaker.state(at(0)), State::Open { .. }));
    assert_eq!(breaker.metrics().rejected.open, 80, "it would have rejected these");
}

#[test]
fn what_the_breaker_rejects_last_gives_its_permit_back() {
    let mut guard = open_guard(10);
    for _ in 0..2 {
        let pass = guard.admit(at(5), &ASK).unwrap();
        guard.settle(at(5), pass, Outcome::Success);
    }
    let results: Vec<_> = (0..10).map(|_| guard.admit(at(5), &ASK)).collect();
    let passes: Vec<_> = results.into_iter().filter_map(Result::ok).collect();
    assert_eq!(passes.len(), 2, "the first call of the ramp, and a tenth of ten");
    assert_eq!(running(&guard), (2, 0));
    for pass in passes {
        guard.settle(at(5), pass, Outcome::Success);
    }
}

#[test]
fn the_earlier_deadline_goes_with_the_pass() {
    let mut guard = Guard::new(config(), 1);
    let own = guard.admit(at(0), &ASK).unwrap();
    assert_eq!(own.deadline(), Some(at(1)));
    let half = Instant::EPOCH + SECOND / 2;
    let asked = guard.admit(at(0), &Ask { deadline: Some(half), ..ASK }).unwrap();
    assert_eq!(asked.deadline(), Some(half));
    guard.settle(half, asked, Outcome::Cancelled);
    guard.settle(half, own, Outcome::Cancelled);
    let metrics = guard.breaker().unwrap().metrics();
    assert_eq!((metrics.failures, metrics.cancelled), (1, 1), "only one was past its deadline");
}

#[test]
fn an_abandoned_call_is_a_failure_at_once_and_keeps_its_permit_until_the_work_ends() {
    let mut guard = Guard::new(config(), 1);
    let mut pass = guard.admit(at(0), &ASK).unwrap();
    guard.abandon(at(1), &mut pass);
    guard.abandon(at(2), &mut pass);
    assert_eq!(guard.breaker().unwrap().metrics().failures, 1);
    assert_eq!(running(&guard), (1, 1));
    guard.settle(at(30), pass, Outcome::Success);
    assert_eq!(running(&guard), (0, 0));
    let metrics = guard.breaker().unwrap().metrics();
    assert_eq!((metrics.failures, metrics.successes), (1, 0), "it is told once");
}

#[test]
fn a_call_abandoned_before_its_time_is_told_by_its_work() {
    let mut guard = Guard::new(Config { timeout: Some(10 * SECOND), ..config() }, 1);
    let mut pass = guard.admit(at(0), &ASK).unwrap();
    guard.abandon(at(1), &mut pass);
    assert_eq!(running(&guard), (1, 1));
    guard.settle(at(2), pass, Outcome::Success);
    let metrics = guard.breaker().unwrap().metrics();
    assert_eq!((metrics.successes, metrics.failures, metrics.cancelled), (1, 0, 0));
}

#[test]
fn without_its_stages_a_guard_is_an_open_door() {
    let mut guard =
        Guard::new(Config { timeout: None, breaker: None, bulkhead: None, ..Config::default() }, 1);
    let passes: Vec<_> = (0..1000).map(|_| guard.admit(at(0), &ASK).unwrap()).collect();
    assert!(passes.iter().all(|pass| pass.deadline().is_none()));
    for pass in passes {
        guard.settle(at(9), pass, Outcome::Timeout);
    }
    let late = Ask { deadline: Some(at(9)), ..ASK };
    assert_eq!(guard.admit(at(9), &late).unwrap_err(), Rejection::DeadlinePassed);
}

#[test]
fn which_statuses_are_failures_is_said_by_the_user() {
    let mut config = Config::default();
    assert_eq!(
        [200, 404, 499, 500, 503].map(|s| config.outcome(s) == Outcome::Failure),
        [false, false, false, true, true]
    );
    config.failure_status = "429,500-599".parse().unwrap();
    assert_eq!(config.outcome(429), Outcome::Failure);
}

#[test]
fn an_outer_timeout_that_drops_the_call_still_opens_the_breaker() {
    for patience in [Patience::Tells, Patience::Dropped, Patience::Abandons] {
        let mut world = World::new(Config { bulkhead: None, ..config() }, patience);
        world.load(SECOND / 10, 60 * SECOND, |_| QUICK);
        let fault = world.now;
        world.load(SECOND / 10, 20 * SECOND, |_| HANGS);
        let opened = world.opened(fault).expect("it opens");
        assert!(opened <= 7 * SECOND, "{patience:?}: {opened:?}");
    }
}

#[test]
fn errors_at_once_open_it_when_they_are_half_of_the_window() {
    let mut config = Config { bulkhead: None, ..config() };
    let breaker = config.breaker.as_mut().unwrap();
    (breaker.window, breaker.minimum_calls) = (Window::Calls(100), 100);
    let mut world = World::new(config, Patience::Tells);
    world.load(SECOND / 50, 3600 * SECOND, |_| QUICK);
    let fault = world.now;
    world.load(SECOND / 50, 2 * SECOND, |_| Answer::Error(Duration::ZERO));
    // The five that were under way at the fault still succeed, in the first tenth of a second.
    assert_eq!(world.opened(fault), Some(SECOND));
}

#[test]
fn a_service_of_30_s_at_50_a_second_holds_no_more_than_the_bulkhead() {
    for (patience, abandoned) in [(Patience::Tells, 0), (Patience::Abandons, 10)] {
        let mut world = World::new(Config { breaker: None, ..config() }, patience);
        world.load(SECOND / 50, 60 * SECOND, |_| QUICK);
        assert_eq!((world.seen.rejected, world.seen.most_running), (0, 5), "Little: 50 · 0.1");
        world.load(SECOND / 50, 300 * SECOND, |_| HANGS);
        assert_eq!((world.seen.most_running, world.seen.most_abandoned), (10, abandoned));
        world.wait(world.now + 60 * SECOND);
        assert_eq!(running(&world.guard), (0, 0));
        let rejected = world.seen.rejected;
        world.load(SECOND / 50, 10 * SECOND, |_| QUICK);
        assert_eq!(world.seen.rejected, rejected, "and then it is as before");
    }
}

#[test]
fn under_full_load_no_more_calls_than_trials_reach_a_service_that_is_down() {
    let mut world = World::new(Config { bulkhead: None, ..config() }, Patience::Tells);
    world.load(SECOND / 200, 20 * SECOND, |_| QUICK);
    let fault = world.now;
    world.load(SECOND / 200, 120 * SECOND, |_| HANGS);
    let back = world.now;
    world.load(SECOND / 200, 30 * SECOND, |_| QUICK);
    let first_open = fault + world.opened(fault).expect("it opens");
    // From one half-open time to the next: no more than the verdict needs.
    let transitions = &world.seen.transitions;
    let half_opens: Vec<Instant> =
        transitions.iter().filter(|t| t.after == State::HalfOpen).map(|t| t.at).collect();
    let reached = |from: Instant, to: Instant| {
        world.seen.reached.iter().filter(|at| from < **at && **at <= to).count()
    };
    assert!(half_opens.len() >= 15, "{half_opens:?}");
    assert_eq!(reached(first_open, half_opens[0] - Duration::from_nanos(1)), 0);
    for pair in half_opens.windows(2) {
        let trials = reached(pair[0] - Duration::from_nanos(1), pair[1] - Duration::from_nanos(1));
        assert!(trials <= 3, "{trials} trials from {} on", pair[0]);
    }
    // Back within the open time it was in, and in full one ramp later.
    let closed = transitions.last().filter(|t| t.after == State::Closed).expect("it closes");
    assert!(closed.at.since(back) <= 6 * SECOND, "closed at {}", closed.at);
    let full = closed.at + 10 * SECOND;
    assert_eq!(reached(full, full + SECOND), 200);
    let share = reached(closed.at, full);
    assert!((1080..=1120).contains(&share), "{share} of 2000 in a ramp from a tenth to all");
}
