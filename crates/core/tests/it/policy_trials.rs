//! The breaker, step by step: what it lets through when it is half-open, and how calls come back.

use std::time::Duration;

use expect_test::expect;
use seaworthy_core::policy::breaker::{Config, Ramp, Trials};

use crate::policy_shell::{CONFIG, SLOW, check};

#[test]
fn a_late_result_of_an_earlier_state_decides_nothing() {
    check(
        CONFIG,
        &expect![[r#"
            0s a         | a passes
            0s b         | b passes
            0s c         | c passes
            0s d         | d passes
            0s 5 failed  | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            1s a failed  |
            5s x         | 5.000s: open until 5.000s -> half-open: the open time is over
                         | x passes
            6s b ok      |
            6s c failed  |
            6s d timeout |
            6s y         | y passes
            6s state     | half-open
            7s x ok      |
            7s y ok      | 7.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            7s state     | closed
            7s metrics   | 3 ok, 8 failed, 1 slow, 0 cancelled
                         | 4 late, 0 expired
                         | rejected: 0 open, 0 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn a_trial_of_an_earlier_half_open_time_decides_nothing() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s c        | c passes
            6s a failed |
            6s b failed | 6.000s: half-open -> open until 16.000s: 2 of 3 failed, 50% is too many
            16s x       | 16.000s: open until 16.000s -> half-open: the open time is over
                        | x passes
            17s c ok    |
            17s x ok    |
            17s state   | half-open
        "#]],
    );
}

#[test]
fn there_are_never_more_trials_than_the_verdict_needs() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s c        | c passes
            5s d        | d rejected: the breaker is half-open; trials taken: 3
            6s a ok     |
            6s d        | d rejected: the breaker is half-open; trials taken: 3
            7s b failed |
            7s d        | d rejected: the breaker is half-open; trials taken: 3
            8s c ok     | 8.000s: half-open -> closed: 2 of 3 trials succeeded, 1 failed
            8s d        | d passes
        "#]],
    );
}

#[test]
fn the_verdict_falls_as_soon_as_the_rest_cannot_change_it() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s a ok     |
            5s b ok     | 5.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
        "#]],
    );
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s a failed |
            5s b failed | 5.000s: half-open -> open until 15.000s: 2 of 3 failed, 50% is too many
        "#]],
    );
}

#[test]
fn slow_trials_open_it_again() {
    check(
        Config { slow: Some(SLOW), ..CONFIG },
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            7s a ok     |
            7s b ok     | 7.000s: half-open -> open until 17.000s: 2 of 3 took longer than 1s, 40% is too many
        "#]],
    );
}

#[test]
fn a_trial_that_hangs_fails_by_its_lease_and_its_late_result_is_ignored() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            6s b        | b passes
            7s c        | c passes
            14.9s d     | d rejected: the breaker is half-open; trials taken: 3
            15s d       | d rejected: the breaker is half-open; trials taken: 3
            16s state   | 16.000s: half-open -> open until 26.000s: 2 of 3 failed, 50% is too many
                        | open until 26.000s
            16.1s a ok  |
            26s x       | 26.000s: open until 26.000s -> half-open: the open time is over
                        | x passes
            27s b ok    |
            27s x ok    |
            27s metrics | 3 ok, 5 failed, 0 slow, 0 cancelled
                        | 2 late, 2 expired
                        | rejected: 0 open, 2 trials, 0 ramp, 0 forced
        "#]],
    );
}

#[test]
fn a_trial_dropped_before_its_time_gives_its_place_back() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed  | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a         | 5.000s: open until 5.000s -> half-open: the open time is over
                         | a passes
            5s b         | b passes
            5s c         | c passes
            5s d         | d rejected: the breaker is half-open; trials taken: 3
            6s a dropped |
            6s d         | d passes
            6s e         | e rejected: the breaker is half-open; trials taken: 3
            7s d ok      |
            7s b ok      | 7.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
        "#]],
    );
}

#[test]
fn a_trial_dropped_past_its_deadline_has_failed() {
    check(
        Config { trials: Trials { calls: 1, ..CONFIG.trials }, ..CONFIG },
        &expect![[r#"
            0s 5 failed   | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a until 6s | 5.000s: open until 5.000s -> half-open: the open time is over
                          | a passes
            6s a dropped  | 6.000s: half-open -> open until 16.000s: 1 of 1 failed, 50% is too many
        "#]],
    );
}

#[test]
fn a_breaker_that_nobody_asks_does_not_stay_half_open_with_forgotten_trials() {
    check(
        CONFIG,
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s a        | 5.000s: open until 5.000s -> half-open: the open time is over
                        | a passes
            5s b        | b passes
            5s c        | c passes
            600s state  | 15.000s: half-open -> open until 25.000s: 2 of 3 failed, 50% is too many
                        | 25.000s: open until 25.000s -> half-open: the open time is over
                        | half-open
            600s x      | x passes
        "#]],
    );
}

#[test]
fn each_opening_in_a_row_lasts_twice_as_long_up_to_the_longest() {
    let ramp = Ramp { length: Duration::from_secs(10), floor_percent: 100 };
    check(
        Config { ramp, ..CONFIG },
        &expect![[r#"
            0s 5 failed  | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s 2 failed  | 5.000s: open until 5.000s -> half-open: the open time is over
                         | 5.000s: half-open -> open until 15.000s: 2 of 3 failed, 50% is too many
            15s 2 failed | 15.000s: open until 15.000s -> half-open: the open time is over
                         | 15.000s: half-open -> open until 35.000s: 2 of 3 failed, 50% is too many
            35s 2 failed | 35.000s: open until 35.000s -> half-open: the open time is over
                         | 35.000s: half-open -> open until 55.000s: 2 of 3 failed, 50% is too many
            55s 2 ok     | 55.000s: open until 55.000s -> half-open: the open time is over
                         | 55.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            64s 5 failed | 64.000s: closed -> open until 84.000s: 5 of 5 failed, 50% is too many
            84s 2 ok     | 84.000s: open until 84.000s -> half-open: the open time is over
                         | 84.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            94s 5 failed | 94.000s: closed -> open until 99.000s: 5 of 5 failed, 50% is too many
        "#]],
    );
}

#[test]
fn after_closing_a_growing_share_passes() {
    let ramp = Ramp { length: Duration::from_secs(10), floor_percent: 10 };
    check(
        Config { ramp, ..CONFIG },
        &expect![[r#"
            0s 5 failed | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s 2 ok     | 5.000s: open until 5.000s -> half-open: the open time is over
                        | 5.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            5s 10 ok    | 8 rejected
            7s 10 ok    | 8 rejected
            10s a       | a passes
            10s 10 ok   | 5 rejected
            14s 10 ok   | 1 rejected
            15s 10 ok   |
            15s metrics | 30 ok, 5 failed, 0 slow, 0 cancelled
                        | 0 late, 0 expired
                        | rejected: 0 open, 0 trials, 22 ramp, 0 forced
        "#]],
    );
}

#[test]
fn failures_in_the_ramp_open_it_and_its_own_rejections_do_not_count() {
    let ramp = Ramp { length: Duration::from_secs(10), floor_percent: 10 };
    check(
        Config { ramp, ..CONFIG },
        &expect![[r#"
            0s 5 failed  | 0.000s: closed -> open until 5.000s: 5 of 5 failed, 50% is too many
            5s 2 ok      | 5.000s: open until 5.000s -> half-open: the open time is over
                         | 5.000s: half-open -> closed: 2 of 3 trials succeeded, 0 failed
            5s 30 failed | 26 rejected
            10s 2 failed | 10.000s: closed -> open until 20.000s: 5 of 5 failed, 50% is too many
                         | 1 rejected
            10s 2 failed | 2 rejected
        "#]],
    );
}
