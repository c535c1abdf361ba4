//! The dispatcher and the policies of a route: in which order they are asked, and what they hear.

use std::time::Duration;

use expect_test::expect;
use seaworthy_core::call::{Config, Route};
use seaworthy_core::policy::breaker::{self, Window};
use seaworthy_core::policy::{budget, bulkhead, hedge};

use crate::call_shell::Shell;

const SECOND: Duration = Duration::from_secs(1);

fn shell(change: impl Fn(&mut Route)) -> Shell {
    let mut config = Config::plain(SECOND * 2, 3);
    change(&mut config.routes[0]);
    Shell::new(config)
}

fn with_breaker(route: &mut Route) {
    route.guard.breaker = Some(breaker::Config {
        window: Window::Calls(4),
        minimum_calls: 4,
        open: breaker::Opening { first: SECOND * 5, longest: SECOND * 60, jitter_percent: 0 },
        trials: breaker::Trials { calls: 1, lease: SECOND * 10 },
        ramp: breaker::Ramp { length: Duration::ZERO, floor_percent: 0 },
        ..breaker::Config::default()
    });
}

fn with_bulkhead(route: &mut Route) {
    route.guard.bulkhead = Some(bulkhead::Config::Fixed(1));
}

#[test]
fn a_breaker_counts_calls_by_their_status_and_tells_what_it_decides() {
    shell(with_breaker).check(&expect![[r#"
        rotate 1 |
        get a    | a try 1 on task-1
        a error  | a passes 1
        a done   |
        get b    | b try 1 on task-1
        b cut    | b answered: the task closed the connection early
        get c    | c try 1 on task-1
        c head   | c passes 1
        c done   |
        get d    | d try 1 on task-1
        d head   | d passes 1
        d done   | service: breaker: route default: closed -> open until 5.000s: 2 of 4 failed, 50% is too many
        get e    | e answered: the breaker is open, trials begin in 5.0s
        get f    | f answered: the breaker is open, trials begin in 5.0s
        at 5s    |
        get g    | g try 1 on task-1
                 | service: breaker: route default: open until 5.000s -> half-open: the open time is over
        get h    | h answered: the breaker is half-open; trials taken: 1
        g head   | g passes 1
        g done   | service: breaker: route default: half-open -> closed: 1 of 1 trials succeeded, 0 failed
        get i    | i try 1 on task-1
    "#]]);
}

#[test]
fn a_turn_is_for_what_is_sent() {
    shell(with_bulkhead).check(&expect![[r#"
        rotate 1 2 |
        get a      | a try 1 on task-1
        get b      | b answered: the bulkhead is full: 1 of 1 calls run
        a head     | a passes 1
        a done     |
        get c      | c try 1 on task-2
    "#]]);
    let without_retries = |route: &mut Route| {
        route.budget = Some(budget::Config { success_percent: 0, per_second: 0, cap: 0 });
        route.retry_status = Some("500".parse().expect("a status"));
    };
    shell(without_retries).check(&expect![[r#"
        rotate 1 2 3 |
        look a       | a try 1 on task-1
        a error      | a passes 1
        a done       |
        look b       | b try 1 on task-2
        look c       | c try 1 on task-3
    "#]]);
    let without_hedges = |route: &mut Route| {
        let budget = budget::Config { success_percent: 0, per_second: 0, cap: 0 };
        route.hedge = Some(hedge::Config { budget, ..hedge::Config::default() });
    };
    shell(without_hedges).check(&expect![[r#"
        rotate 1 2 3   |
        usual 21 0.01s |
        look a         | a try 1 on task-1
        at 0.5s        |
        look b         | b try 1 on task-2
        look c         | c try 1 on task-3
    "#]]);
}

#[test]
fn a_deadline_is_a_failure_and_a_client_that_goes_is_not() {
    shell(with_breaker).check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        get b         | b try 1 on task-1
        get c         | c try 1 on task-1
        get d         | d try 1 on task-1
        get e         | e try 1 on task-1
        get f         | f try 1 on task-1
        a client-gone |
        b client-gone |
        c client-gone |
        d client-gone |
        at 2s         | e answered: the deadline passed
                      | f answered: the deadline passed
        get g         | g try 1 on task-1
        get h         | h try 1 on task-1
        at 4s         | h answered: the deadline passed
                      | g answered: the deadline passed
                      | service: breaker: route default: closed -> open until 9.000s: 4 of 4 failed, 50% is too many
        get i         | i answered: the breaker is open, trials begin in 5.0s
    "#]]);
}

#[test]
fn without_a_task_no_policy_is_asked_and_none_learns() {
    shell(with_breaker).check(&expect![[r#"
        get a    | a answered: no task is in rotation
        get b    | b answered: no task is in rotation
        get c    | c answered: no task is in rotation
        get d    | d answered: no task is in rotation
        rotate 1 |
        get e    | e try 1 on task-1
    "#]]);
}

#[test]
fn all_tries_of_a_call_are_one_call_for_its_policies() {
    shell(|route| {
        with_breaker(route);
        with_bulkhead(route);
    })
    .check(&expect![[r#"
        rotate 1 2 3 |
        get a        | a try 1 on task-1
        a refused    | a try 2 on task-2
        a lost       | a try 3 on task-3, fresh
        bulkhead     | 1 running, 0 abandoned
        get b        | b answered: the bulkhead is full: 1 of 1 calls run
        a head       | a passes 3
        a done       |
        bulkhead     | 0 running, 0 abandoned
    "#]]);
}

#[test]
fn a_task_that_stops_with_its_connection_gives_its_place_back_at_once() {
    shell(with_bulkhead).check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        get b         | b answered: the bulkhead is full: 1 of 1 calls run
        a client-gone |
        get c         | c try 1 on task-1
        at 2s         | c answered: the deadline passed
        bulkhead      | 0 running, 0 abandoned
    "#]]);
}

#[test]
fn a_tunnel_is_a_success_when_it_begins_and_keeps_its_place_until_it_ends() {
    shell(|route| {
        with_breaker(route);
        with_bulkhead(route);
        let breaker = route.guard.breaker.as_mut().expect("it was just put there");
        breaker.slow = Some(breaker::Slow { threshold: SECOND, percent: 50, minimum_calls: 4 });
    })
    .check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        a switch      | a passes 1
        bulkhead      | 1 running, 0 abandoned
        get x         | x answered: the bulkhead is full: 1 of 1 calls run
        at 10s        |
        a done        |
        bulkhead      | 0 running, 0 abandoned
        get b         | b try 1 on task-1
        b switch      | b passes 1
        at 20s        |
        b cut         | b aborted
        get c         | c try 1 on task-1
        c switch      | c passes 1
        at 30s        |
        c client-gone |
        get d         | d try 1 on task-1
        d switch      | d passes 1
        at 40s        |
        d done        |
        get e         | e try 1 on task-1
    "#]]);
}

#[test]
fn work_that_outlasts_its_client_keeps_its_place_until_it_must_have_ended() {
    shell(|route| {
        with_bulkhead(route);
        route.outlasts = SECOND * 10;
    })
    .check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        at 1s         |
        a client-gone |
        bulkhead      | 1 running, 1 abandoned
        get b         | b answered: the bulkhead is full: 1 of 1 calls run, 1 of them abandoned
        at 10s        |
        bulkhead      | 0 running, 0 abandoned
        get c         | c try 1 on task-1
        at 12s        | c answered: the deadline passed
        bulkhead      | 1 running, 1 abandoned
        get d         | d answered: the bulkhead is full: 1 of 1 calls run, 1 of them abandoned
        at 20s        |
        get e         | e try 1 on task-1
    "#]]);
}

#[test]
fn tries_that_cost_a_task_something_come_from_the_budget() {
    shell(|route| {
        route.budget = Some(budget::Config { success_percent: 50, per_second: 0, cap: 1 });
    })
    .check(&expect![[r#"
        rotate 1 2 3 |
        get a        | a try 1 on task-1
        a lost       | a try 2 on task-2, fresh
        get b        | b try 1 on task-3
        b lost       | b answered: the task closed the connection early
        get c        | c try 1 on task-2
        c refused    | c try 2 on task-3
        c refused    | c try 3 on task-1
        a head       | a passes 2
        a done       |
        c head       | c passes 3
        c done       |
        get d        | d try 1 on task-1
        d lost       | d try 2 on task-3, fresh
        get e        | e try 1 on task-2
        e lost       | e answered: the task closed the connection early
    "#]]);
}

#[test]
fn a_client_comes_back_to_its_task_as_long_as_that_is_in_rotation() {
    shell(|_| {}).check(&expect![[r#"
        rotate 1 2 3    |
        get a used-to 2 | a try 1 on task-2
        get b used-to 2 | b try 1 on task-2
        a refused       | a try 2 on task-1
        get c           | c try 1 on task-3
        rotate 1 3      |
        get d used-to 2 | d try 1 on task-1
    "#]]);
}
