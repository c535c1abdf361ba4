//! The breaker, step by step: when it opens and when it does not, by itself and by hand.

use std::time::Duration;

use expect_test::expect;
use seaworthy_core::policy::breaker::{Config, Mode, Opening, Ramp, Slow, Window};

use crate::policy_shell::{CONFIG, SLOW, Shell, check};

#[test]
fn it_opens_at_the_threshold_and_not_below() {
    check(
        CONFIG,
        &expect![[r#"
            0s 6 ok     |
            0s 4 failed |
            1s 1 failed | 1.000s: closed -> open until 6.000s: 5 of 10 failed, 50% is too many
        "#]],
    );
}

#[test]
fn there_is_no_verdict_before_the_minimum() {
    check(
        CONFIG,
        &expect![[r#"
            0s 4 failed |
            0s rates    | 4 calls, no failures, no slow
            0s 1 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
        "#]],
    );
    check(
        CONFIG,
        &expect![[r#"
            0s 3 ok     |
            0s 2 failed |
            0s rates    | 5 calls, 0.40 failures, no slow
        "#]],
    );
}

#[test]
fn a_minimum_above_the_window_is_the_window() {
    check(
        Config { minimum_calls: 100, ..CONFIG },
        &expect![[r#"
            0s 9 failed |
            0s rates    | 9 calls, no failures, no slow
            0s 1 failed | 0.000s: closed -> open until 5.000s: 10 of 10 failed, 50% is too many
        "#]],
    );
}

#[test]
fn a_healthy_past_does_not_outweigh_a_fault() {
    check(
        CONFIG,
        &expect![[r#"
            0s 100000 ok |
            1s 4 failed  |
            1s 1 failed  | 1.000s: closed -> open until 6.000s: 5 of 10 failed, 50% is too many
        "#]],
    );
}

#[test]
fn in_a_window_of_time_outcomes_count_by_their_end_and_leave_one_by_one() {
    let window = Window::Time(Duration::from_secs(10));
    check(
        Config { window, ..CONFIG },
        &expect![[r#"
            0s slow      | slow passes
            0s 2 ok      |
            5s 3 ok      |
            9.9s rates   | 5 calls, 0.00 failures, no slow
            10s rates    | 3 calls, no failures, no slow
            14s slow ok  |
            14s 3 failed |
            15s rates    | 4 calls, no failures, no slow
            15s 1 failed | 15.000s: closed -> open until 20.000s: 4 of 5 failed, 50% is too many
        "#]],
    );
}

#[test]
fn few_calls_a_second_open_it_too_if_they_go_on_failing() {
    // A window that tumbles each second would never hold five of these.
    let window = Window::Time(Duration::from_secs(10));
    check(
        Config { window, ..CONFIG },
        &expect![[r#"
            0s 1 failed |
            1s 1 failed |
            2s 1 failed |
            3s 1 failed |
            4s 1 failed | 4.000s: closed -> open until 9.000s: 5 of 5 failed, 50% is too many
        "#]],
    );
}

#[test]
fn slow_answers_open_it_and_one_that_takes_just_the_threshold_is_not_slow() {
    check(
        Config { slow: Some(SLOW), ..CONFIG },
        &expect![[r#"
            0s a         | a passes
            0s b         | b passes
            0s c         | c passes
            0s 2 ok      |
            1s a ok      |
            1.1s b ok    |
            1.1s rates   | 4 calls, no failures, no slow
            1.1s c ok    | 1.100s: closed -> open until 6.100s: 2 of 5 took longer than 1s, 40% is too many
            1.1s metrics | 5 ok, 0 failed, 2 slow, 0 cancelled
                         | 0 late, 0 expired
                         | rejected: 0 open, 0 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn failures_and_slowness_have_their_own_minimums() {
    let slow = Some(Slow { minimum_calls: 7, ..SLOW });
    check(
        Config { slow, minimum_calls: 9, ..CONFIG },
        &expect![[r#"
            0s a        | a passes
            0s b        | b passes
            0s c        | c passes
            0s 3 ok     |
            2s a failed |
            2s b failed |
            2s rates    | 5 calls, no failures, no slow
            2s c failed |
            2s 1 ok     | 2.000s: closed -> open until 7.000s: 3 of 7 took longer than 1s, 40% is too many
        "#]],
    );
}

#[test]
fn a_call_dropped_past_its_deadline_or_the_slow_threshold_is_a_slow_failure() {
    check(
        CONFIG,
        &expect![[r#"
            0s a until 3s | a passes
            0s b until 3s | b passes
            0s c until 3s | c passes
            0s d until 3s | d passes
            0s e until 3s | e passes
            2s a dropped  |
            2s metrics    | 0 ok, 0 failed, 0 slow, 1 cancelled
                          | 0 late, 0 expired
                          | rejected: 0 open, 0 trials, 0 ramp, 0 forced
            3s b dropped  |
            3s c dropped  |
            3s d dropped  |
            3s e dropped  |
            3s 1 ok       | 3.000s: closed -> open until 8.000s: 4 of 5 failed, 50% is too many
            3s metrics    | 1 ok, 4 failed, 4 slow, 1 cancelled
                          | 0 late, 0 expired
                          | rejected: 0 open, 0 trials, 0 ramp, 0 forced
        "#]],
    );
    check(
        Config { slow: Some(SLOW), ..CONFIG },
        &expect![[r#"
            0s a         | a passes
            0s b         | b passes
            0s c         | c passes
            1s a dropped |
            2s b dropped |
            2s c dropped |
            2s 2 ok      |
            2s metrics   | 2 ok, 2 failed, 2 slow, 1 cancelled
                         | 0 late, 0 expired
                         | rejected: 0 open, 0 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn open_it_rejects_and_says_for_how_long_and_time_alone_ends_it() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            0s a        | a rejected: the breaker is open, trials begin in 5.0s
            4.5s a      | a rejected: the breaker is open, trials begin in 500.0ms
            60s state   | 5.000s: open until 5.000s -> half-open: the open time is over
                        | half-open
            60s metrics | 0 ok, 5 failed, 0 slow, 0 cancelled
                        | 0 late, 0 expired
                        | rejected: 2 open, 0 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn by_hand_it_is_held_open_or_closed_and_begins_anew_with_a_ramp() {
    let ramp = Ramp { length: Duration::from_secs(10), floor_percent: 10 };
    check(
        Config { ramp, ..CONFIG },
        &expect![[r#"
            0s a               | a passes
            0s forced-open     | 0.000s: closed -> forced open: switched to forced open by hand
            1s a failed        |
            1s b               | b rejected: the breaker is held open by hand
            100s state         | forced open
            100s normal        | 100.000s: forced open -> closed: switched to normal by hand
            100s 5 ok          | 4 rejected
            200s forced-closed | 200.000s: closed -> forced closed: switched to forced closed by hand
            200s 20 failed     |
            200s rates         | 10 calls, 1.00 failures, no slow
            200s state         | forced closed
            200s normal        | 200.000s: forced closed -> closed: switched to normal by hand
            200s 4 failed      |
            200s 1 failed      | 200.000s: closed -> open until 205.000s: 5 of 5 failed, 50% is too many
            200s metrics       | 1 ok, 26 failed, 0 slow, 0 cancelled
                               | 1 late, 0 expired
                               | rejected: 0 open, 0 trials, 4 ramp, 1 forced
        "#]],
    );
}

#[test]
fn one_that_only_counts_lets_everything_pass_and_says_what_it_would_have_done() {
    check(
        Config { mode: Mode::MetricsOnly, ..CONFIG },
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            0s 3 ok     |
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s c        | c passes
            5s d        | d passes
            6s d failed |
            6s a ok     |
            6s b ok     | 6.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            6s metrics  | 5 ok, 6 failed, 0 slow, 0 cancelled
                        | 4 late, 0 expired
                        | rejected: 3 open, 1 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn jitter_shortens_the_open_time_differently_for_each_seed_and_opening() {
    let open = Opening { jitter_percent: 50, ..CONFIG.open };
    let open_times = |seed| {
        let mut shell = Shell::new(Config { open, ..CONFIG }, seed);
        let lines: Vec<String> = ["0s 5 failed", "5s 2 failed", "15s 2 failed"]
            .iter()
            .flat_map(|step| shell.step(step))
            .collect();
        lines.into_iter().filter(|line| line.contains("open until")).collect::<Vec<_>>()
    };
    assert_eq!(open_times(1), open_times(1));
    assert_ne!(open_times(1), open_times(2));
    expect![[r#"
        0.000s: closed -> open until 2.970s: 5 of 5 failed, 50% is too many
        2.970s: open until 2.970s -> half-open: the open time is over
        5.000s: half-open -> open until 11.637s: 2 of 3 failed, 50% is too many
        11.637s: open until 11.637s -> half-open: the open time is over
        15.000s: half-open -> open until 25.204s: 2 of 3 failed, 50% is too many"#]]
    .assert_eq(&open_times(1).join("\n"));
}
