//! A guard allocates when it is made and never again, a balancer when tasks come, and a checker for no
//! request that shows what is known. A program of its own, for it counts the allocations of a whole
//! thread.

use std::net::Ipv4Addr;
use std::time::Duration;

use allocation_counter::measure;
use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{How, Loads, Pick, Seen};
use seaworthy_core::endpoints::{Endpoint, Endpoints, Health, TaskId};
use seaworthy_core::health::{self, Check, Checker, Input, Rotation, passive};
use seaworthy_core::machine::Machine;
use seaworthy_core::policy::breaker::{self, Opening, Ramp, Window};
use seaworthy_core::policy::guard::{Config, Guard};
use seaworthy_core::policy::{Ask, Outcome, Policy, adaptive, bulkhead};
use seaworthy_core::time::Instant;

/// Calls that succeed, fail until the breaker opens, are rejected, try, and come back; with more
/// transitions than are kept.
fn story(guard: &mut Guard) {
    let mut now = Instant::EPOCH;
    for n in 0..200_000u32 {
        now = now + Duration::from_millis(5);
        let outcome = if n / 2000 % 2 == 0 { Outcome::Success } else { Outcome::Failure };
        if let Ok(mut pass) = guard.admit(now, &Ask { repeatable: true, deadline: None }) {
            if n % 7 == 0 {
                guard.abandon(now, &mut pass);
            }
            guard.settle(now, pass, outcome);
        }
    }
}

/// A breaker that is open for a second at most, and closes within another.
fn restless() -> breaker::Config {
    let longest = Duration::from_secs(1);
    let default = breaker::Config::default();
    breaker::Config {
        open: Opening { first: longest / 10, longest, ..default.open },
        ramp: Ramp { length: longest, ..default.ramp },
        ..default
    }
}

#[test]
fn no_call_allocates_whatever_becomes_of_it() {
    for window in [Window::Calls(100), Window::Time(Duration::from_secs(1))] {
        let adaptive = bulkhead::Config::Adaptive(adaptive::Config::default());
        for bulkhead in [bulkhead::Config::Fixed(10), adaptive] {
            let config = Config {
                breaker: Some(breaker::Config { window, ..restless() }),
                bulkhead: Some(bulkhead),
                ..Config::default()
            };
            let mut guard = Guard::new(config, 1);
            assert_eq!(measure(|| story(&mut guard)).count_total, 0, "{window:?}");
            let metrics = guard.breaker().expect("it has one").metrics();
            assert!(metrics.rejected.open > 0 && metrics.rejected.ramp > 0);
            assert!(metrics.transitions_lost > 0, "the story is long enough");
        }
    }
}

#[test]
fn no_choice_of_a_task_allocates() {
    use Algorithm::{ConsistentHash, LatencyAware, LeastOutstandingRequests, WeightedRandom};
    for algorithm in [LatencyAware, LeastOutstandingRequests, WeightedRandom, ConsistentHash] {
        let slow_start = Duration::from_secs(1);
        let mut loads =
            Loads::new(balance::Config { slow_start, ..balance::Config::plain(algorithm) }, 1);
        let tasks = [1, 2, 3].map(TaskId);
        loads.rotate(Instant::EPOCH, &Rotation::of(tasks[..1].iter().copied()));
        loads.rotate(Instant::EPOCH, &Rotation::of(tasks));
        let story = |loads: &mut Loads| {
            for n in 0..10_000 {
                let now = Instant::EPOCH + Duration::from_millis(n);
                let pick = Pick { affinity: n, safe: true, not: &tasks[..1], ..Pick::default() };
                let task = loads.pick(now, &pick).expect("two are left");
                loads.take(now, task);
                loads.answered(now, task, Duration::from_millis(n % 7));
                loads.release(now, task, true);
            }
        };
        // The memory for a choice is there from the first one on.
        story(&mut loads);
        assert_eq!(measure(|| story(&mut loads)).count_total, 0, "{algorithm:?}");
    }
}

#[test]
fn no_request_that_goes_well_allocates_where_tasks_are_checked() {
    let mut checker = Checker::new(health::Config {
        check: Check::Tcp,
        interval: Duration::from_secs(3600),
        fast_interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1800),
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        passive: Some(passive::Config::default()),
    });
    let healthy = |n: u16| Endpoint {
        inherited: Some(Health::Healthy.into()),
        ..Endpoint::new(TaskId(n.into()), (Ipv4Addr::LOCALHOST, 9000 + n).into())
    };
    let endpoints =
        Endpoints { version: 1, tasks: [1, 2, 3].map(healthy).to_vec(), ..Endpoints::default() };
    checker.handle(Instant::EPOCH, Input::Endpoints(endpoints));
    let mut requests = || {
        for n in 0..100_000 {
            let now = Instant::EPOCH + Duration::from_millis(n);
            let how = How::Answered(Duration::from_millis(n % 150));
            let seen =
                Seen { task: TaskId((n % 3) as u32 + 1), how, on_trial: false, fingerprint: n };
            checker.handle(now, Input::Seen(seen));
        }
    };
    assert_eq!(measure(&mut requests).count_total, 0);
}

#[test]
fn the_counter_counts() {
    assert!(measure(|| drop(Guard::new(Config::default(), 1))).count_total > 0);
}
