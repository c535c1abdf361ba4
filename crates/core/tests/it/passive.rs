//! What requests show of tasks, rule by rule, each with a case just below its threshold.
//!
//! Scripts as in `passive_shell.rs`, with the default rules.

use expect_test::expect;
use seaworthy_core::health::passive;

use crate::passive_shell::{Shell, check, config};

#[test]
fn failures_in_a_row_that_others_answer_take_a_task_out() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x4                                  |
        1 answer                                   |
        1 fail x4                                  |
        1 fail                                     | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        verdicts                                   | task-1 Healthy, out for 5s, 1 in a row
                                                   | task-2 Healthy
                                                   | task-3 Healthy
    "#]]);
}

/// Of all tasks one fails, in whose window are so many requests, and in those of its peers as many more.
#[test]
fn so_many_failures_tell_as_is_said_beforehand() {
    let rules = passive::Config::default();
    for (tasks, own) in [(2, 50), (2, 8), (3, 333), (5, 200), (9, 5)] {
        let failures = rules.failures_that_tell(own, own * (tasks - 1)).expect("they tell");
        let mut shell = Shell::new(config(rules));
        let names: Vec<String> = (1..=tasks).map(|n| n.to_string()).collect();
        shell.step(&format!("endpoints 1: {}", names.join("=healthy ") + "=healthy"));
        shell.step(&format!("1 answer x{}", own - failures));
        shell.step(&format!("{} answer x{own}", names[1..].join(",")));
        assert_eq!(shell.step(&format!("1 fail-perhaps x{}", failures - 1)), [""; 0]);
        let told = shell.step("1 fail-perhaps");
        assert!(told[0].starts_with("task-1: leave rotation"), "{tasks} of {own} each: {told:?}");
    }
    assert_eq!(rules.failures_that_tell(7, 7), None);
}

#[test]
fn one_bad_request_takes_nobody_out_and_five_do() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy     | task-1: enter rotation: the verdict of an earlier gateway
                                             | task-2: enter rotation: the verdict of an earlier gateway
        1,2 fail-perhaps of a x20 every 10ms |
        1,2 answer                           |
        2 answer x20                         |
        1 fail-perhaps of a                  |
        1 fail-perhaps of b                  |
        1 fail-perhaps of c                  |
        1 fail-perhaps of d                  |
        1 fail-perhaps of e                  |
        1 fail-perhaps of f                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn what_others_answer_is_not_the_requests_doing() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 fail-perhaps of a x20          |
        2 answer of a                    |
        1 fail-perhaps of a x3           |
        1 fail-perhaps of a              |
    "#]]);
}

#[test]
fn a_share_of_failures_is_held_against_that_of_the_peers() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        2,3 answer x20                             |
        1 fail                                     |
        1 answer                                   |
        1 fail                                     |
        1 answer                                   |
        1 fail                                     |
        1 answer                                   |
        1 fail                                     |
        1 answer x2                                |
        1 fail                                     | task-1: leave rotation: 5 of 10 requests failed, of its peers' 0 of 40: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn fewer_than_the_minimum_or_less_than_the_share_is_no_verdict() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        2,3 answer x20                             |
        1 answer x4                                |
        1 fail x4                                  |
        1 answer                                   |
        at 11s                                     |
        2,3 answer x20                             |
        1 answer x6                                |
        1 fail x4                                  |
        1 answer                                   |
        1 fail                                     |
        1 answer                                   |
    "#]]);
}

#[test]
fn a_share_not_clearly_larger_than_that_of_the_peers_is_no_verdict() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        2,3 answer x4                              |
        2,3 fail x3                                |
        2,3 answer x5                              |
        1 answer x6                                |
        1 fail x4                                  |
        1 answer                                   |
        1 fail x3                                  |
        2,3 answer x6                              |
        1 fail                                     |
        2,3 answer x50                             |
        1 answer                                   |
        1 fail                                     | task-1: leave rotation: 9 of 17 requests failed, of its peers' 6 of 136: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn one_bad_url_that_always_meets_the_same_task_is_no_share() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        2 answer x20                     |
        1 answer x2                      |
        1 fail-perhaps of a x3           |
        1 answer x2                      |
        1 fail-perhaps of a x20          |
        1 answer x6                      |
        1 fail-perhaps of a x20          |
    "#]]);
}

#[test]
fn a_task_that_is_slow_for_long_enough_is_out_and_none_for_a_pause() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms                    |
        1 fall-behind x50 after 30ms every 10ms    |
        1 answer in 50ms                           |
        1 answer x9 in 600ms every 110ms           |
        2,3 answer in 5ms                          |
        1 answer in 600ms every 10ms               |
        1 answer in 600ms                          | task-1: leave rotation: 11 requests in a row over 1.0s were slower than 205.0ms or overtaken, its peers take 5.0ms: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn slow_is_five_times_and_a_floor_more_than_typical() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms                    |
        1 answer x100 in 204ms every 20ms          |
        2,3 answer x400 in 100ms                   |
        1 answer x100 in 499ms every 20ms          |
        2,3 answer x5 in 100ms                     |
        1 answer x20 in 600ms every 110ms          |
        2,3 answer in 100ms                        |
        1 answer in 600ms                          | task-1: leave rotation: 21 requests in a row over 2.2s were slower than 500.0ms or overtaken, its peers take 100.0ms: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn few_slow_answers_are_no_verdict_however_long_they_take() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1,2 answer x20 in 5ms            |
        1 answer x9 in 2s every 2s       |
        2 answer x5 in 5ms               |
        1 answer in 5ms                  |
        1 answer x9 in 2s every 2s       |
        2 answer x5 in 5ms               |
    "#]]);
}

#[test]
fn one_slow_url_takes_nobody_out_unless_others_answer_it_quickly() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy    | task-1: enter rotation: the verdict of an earlier gateway
                                            | task-2: enter rotation: the verdict of an earlier gateway
        1,2 answer x20 in 5ms               |
        1 answer x30 of a in 2s every 100ms |
        2 answer of b in 5ms                |
        1 answer x5 of a in 2s every 100ms  |
        2 answer of a in 5ms                |
        1 answer x8 of a in 2s              |
        2 answer of a in 5ms                |
        1 answer of a in 2s                 | task-1: leave rotation: 10 requests in a row over 3.5s were slower than 205.0ms or overtaken, its peers take 5.0ms: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn when_all_grow_slow_nobody_is_out() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms every 10ms         |
        1,2,3 answer x100 in 2s every 50ms         |
    "#]]);
}
