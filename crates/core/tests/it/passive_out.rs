//! How long tasks are out for what requests show, how many may be, and who is used then.
//!
//! Scripts as in `passive_shell.rs`, with the default rules.

use expect_test::expect;
use seaworthy_core::health::passive;

use crate::passive_shell::{Shell, check, config};

#[test]
fn each_ejection_in_a_row_is_longer_and_one_request_decides_on_the_return() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        1 answer                                   |
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 fail                                     | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
        at 14s                                     |
        verdicts                                   | task-1 Healthy, out for 1s, 2 in a row
                                                   | task-2 Healthy
                                                   | task-3 Healthy
        at 15s                                     | task-1: on trial: it was ejected for 10s
        1 fall-behind                              | task-1: leave rotation: the trial request did not go well: ejected for 15s, number 3 in a row
        at 30s                                     | task-1: on trial: it was ejected for 15s
        verdicts                                   | task-1 Healthy, on trial after 3 in a row
                                                   | task-2 Healthy
                                                   | task-3 Healthy
        1 answer                                   | task-1: enter rotation: its trial request went well
        1 fail x4                                  |
        1 fail                                     | task-1: leave rotation: 5 requests failed in a row: ejected for 20s, number 4 in a row
    "#]]);
}

#[test]
fn a_slow_answer_to_the_trial_is_no_return() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms                    |
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 answer in 206ms                          | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
        at 15s                                     | task-1: on trial: it was ejected for 10s
        1 answer in 200ms                          | task-1: enter rotation: its trial request went well
    "#]]);
}

#[test]
fn calm_makes_ejections_forgotten() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 fail                                     | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
        at 15s                                     | task-1: on trial: it was ejected for 10s
        1 answer                                   | task-1: enter rotation: its trial request went well
        at 24s                                     |
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 15s, number 3 in a row
        at 39s                                     | task-1: on trial: it was ejected for 15s
        1 answer                                   | task-1: enter rotation: its trial request went well
        at 61s                                     |
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 10s, number 2 in a row
    "#]]);
}

#[test]
fn a_trial_that_nobody_gives_does_not_cost_a_task() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 5s                                      | task-1: on trial: it was ejected for 5s
        at 9s                                      |
        at 10s                                     | task-1: enter rotation: no trial request showed anything in 5s
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 10s, number 2 in a row
    "#]]);
}

/// It may take longer than the ejection was, as where the deadline of a call is later; and one whose client has gone
/// shows nothing.
#[test]
fn a_trial_that_is_under_way_is_waited_for() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 is-tried until 14s                       |
        at 13s                                     |
        at 14s                                     |
        1 time-out                                 | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
        at 24s                                     | task-1: on trial: it was ejected for 10s
        1 is-tried until 80s                       |
        at 40s                                     |
        1 is-tried until 40s                       |
        at 49s                                     |
        at 50s                                     | task-1: enter rotation: no trial request showed anything in 10s
    "#]]);
}

/// A hedge may come to it when the first answer is about to come.
#[test]
fn a_trial_is_not_over_when_another_task_was_quicker_than_usual() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        2,3 answer x20 in 30ms                     |
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 is-tried until 65s                       |
        1 fall-behind after 30ms                   |
        1 is-tried until 5s                        |
        at 9s                                      |
        1 is-tried until 69s                       |
        1 fall-behind after 31ms                   | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
    "#]]);
}

/// Such a request says what was known when the task was ejected.
#[test]
fn what_was_sent_before_an_ejection_is_no_trial() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 time-out x5                              | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        1 time-out before                          |
        at 5s                                      | task-1: on trial: it was ejected for 5s
        1 time-out before                          |
        1 answer before                            |
        1 fail                                     | task-1: leave rotation: the trial request did not go well: ejected for 10s, number 2 in a row
        at 15s                                     | task-1: on trial: it was ejected for 10s
        1 answer                                   | task-1: enter rotation: its trial request went well
    "#]]);
}

#[test]
fn a_passing_check_does_not_clear_a_verdict_of_requests() {
    check(&expect![[r#"
        1 checks by-hand                           |
        endpoints 1: 1=healthy 2=healthy 3=healthy | check task-1
                                                   | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 fail x5                                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        1 passes                                   |
        at 1s                                      | check task-1
        1 passes                                   |
        at 2s                                      | check task-1
        1 passes                                   |
        verdicts                                   | task-1 Healthy, out for 3s, 1 in a row
                                                   | task-2 Healthy
                                                   | task-3 Healthy
    "#]]);
}

#[test]
fn of_two_tasks_one_may_be_out_and_where_both_look_bad_none_is() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 fail x5                        | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 fail x4                        |
        2 fail                           | service: hold: every task looks bad, so it is held against none
                                         | task-1: enter rotation: every task looks bad, so it is held against none
        1,2 fail x20                     |
        at 5s                            |
        1 fail                           | task-1: leave rotation: 21 requests failed in a row: ejected for 10s, number 2 in a row
        2 fail                           | service: hold: every task looks bad, so it is held against none
                                         | task-1: enter rotation: every task looks bad, so it is held against none
    "#]]);
}

#[test]
fn of_three_tasks_one_may_be_out_for_being_worse_than_its_peers() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms                    |
        1,2 answer x11 in 1s every 100ms           |
        3 answer in 5ms                            |
        1,2 answer in 1s                           |
        2 answer in 5ms                            |
        1 answer in 1s                             |
        2 answer x11 in 1s every 100ms             |
        3 answer in 5ms                            |
        2 answer in 1s                             |
        2 fail x4                                  |
        2 fail                                     | task-2: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        3 fail x5                                  | task-3: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn a_task_alone_is_never_out() {
    check(&expect![[r#"
        endpoints 1: 1=healthy           | task-1: enter rotation: the verdict of an earlier gateway
        1 fail x100 every 10ms           |
        1 answer x100 in 10s every 100ms |
    "#]]);
}

#[test]
fn a_refused_connection_is_a_fact_and_one_pass_brings_the_task_back() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 checks by-hand                 |
        at 3s                            |
        1 refuse                         | check task-1
                                         | task-1: leave rotation: it refused a connection
        1 refuse                         |
        1 is-refused                     |
        at 3.9s                          |
        at 4s                            | check task-1
        1 is-refused                     |
        at 5s                            | check task-1
        1 passes                         | task-1: enter rotation: 1 of 1 checks passed in a row
        at 14s                           |
        at 15s                           | check task-1
    "#]]);
}

#[test]
fn where_nobody_listens_nobody_is_sent_not_even_by_failing_open() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=unhealthy | task-1: enter rotation: the verdict of an earlier gateway
                                                     | task-2: enter rotation: the verdict of an earlier gateway
        3 checks fail                                |
        1 checks refuse                              |
        2 checks refuse                              |
        1 refuse                                     | task-1: leave rotation: it refused a connection
        2 refuse                                     | task-2: leave rotation: it refused a connection
                                                     | task-3: enter rotation: no task is healthy, so all are used
        3 refuse                                     | task-3: leave rotation: it refused a connection
        3 withdraw                                   |
        at 20s                                       |
        verdicts                                     | task-1 Unhealthy
                                                     | task-2 Unhealthy
                                                     | task-3 Unhealthy
        2 checks pass                                |
        at 21s                                       | task-2: enter rotation: 1 of 1 checks passed in a row
    "#]]);
}

#[test]
fn a_check_that_is_refused_says_the_same() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3 | task-3: enter rotation: 1 of 1 checks passed in a row
                                           | task-1: enter rotation: the verdict of an earlier gateway
                                           | task-2: enter rotation: the verdict of an earlier gateway
        1 checks refuse                    |
        3 checks refuse                    |
        at 10s                             | task-1: leave rotation: it refused a connection
                                           | task-3: leave rotation: it refused a connection
        verdicts                           | task-1 Healthy
                                           | task-2 Healthy
                                           | task-3 Healthy
        1 checks pass                      |
        at 11s                             | task-1: enter rotation: 1 of 1 checks passed in a row
    "#]]);
}

#[test]
fn who_listens_after_a_refusal_is_not_who_was_judged() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 fail x5                        | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        1 checks refuse                  |
        at 2s                            |
        verdicts                         | task-1 Healthy, out for 3s, 1 in a row
                                         | task-2 Healthy
        1 checks pass                    |
        at 3s                            | task-1: enter rotation: 1 of 1 checks passed in a row
    "#]]);
}

#[test]
fn a_task_that_withdraws_is_out_until_checks_pass() {
    check(&expect![[r#"
        1 checks by-hand                 |
        endpoints 1: 1=healthy 2=healthy | check task-1
                                         | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        at 400ms                         |
        1 withdraw                       | task-1: leave rotation: it wants no more requests
        1 passes                         |
        at 1.3s                          |
        at 1.4s                          | check task-1
        1 passes                         |
        1 withdraw                       |
        at 2.4s                          | check task-1
        1 passes                         |
        at 3.4s                          | check task-1
        1 passes                         | task-1: enter rotation: 2 of 2 checks passed in a row
        verdicts                         | task-1 Healthy
                                         | task-2 Healthy
    "#]]);
}

#[test]
fn where_all_withdraw_all_are_used() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 checks fail                    |
        2 checks fail                    |
        1 withdraw                       | task-1: leave rotation: it wants no more requests
        2 withdraw                       | task-1: enter rotation: no task is healthy, so all are used
        1 checks pass                    |
        at 3s                            | task-2: leave rotation: others are healthy again
    "#]]);
}

#[test]
fn a_task_that_is_used_for_want_of_better_ones_is_not_judged() {
    check(&expect![[r#"
        1 checks fail                        |
        2 checks fail                        |
        endpoints 1: 1=unhealthy 2=unhealthy | task-1: enter rotation: no task is healthy, so all are used
                                             | task-2: enter rotation: no task is healthy, so all are used
        1 fail x10                           |
        2 answer x20                         |
        1 fail x10                           |
        verdicts                             | task-1 Unhealthy
                                             | task-2 Unhealthy
    "#]]);
}

#[test]
fn when_the_last_good_task_goes_the_ejected_are_used() {
    check(&expect![[r#"
        3 checks fail              |
        2 checks refuse            |
        endpoints 1: 1=healthy 2 3 | task-1: enter rotation: the verdict of an earlier gateway
        2 checks pass              |
        at 1s                      | task-2: enter rotation: 1 of 1 checks passed in a row
        1 fail x5                  | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 checks refuse            |
        2 refuse                   | task-2: leave rotation: it refused a connection
                                   | task-1: enter rotation: every task looks bad, so it is held against none
        at 6s                      |
        1 fail                     |
        2 checks pass              |
        at 7s                      | task-1: on trial: it was ejected for 5s
                                   | task-2: enter rotation: 1 of 1 checks passed in a row
        at 16s                     | task-1: enter rotation: no trial request showed anything in 5s
    "#]]);
}

#[test]
fn a_verdict_of_requests_outlives_the_gateway() {
    check(&expect![[r#"
        endpoints 7: 1=out-3s 2=healthy 3=trial | task-2: enter rotation: the verdict of an earlier gateway
                                                | task-3: on trial: the verdict of an earlier gateway
        verdicts                                | task-1 Healthy, out for 3s, 2 in a row
                                                | task-2 Healthy
                                                | task-3 Healthy, on trial after 2 in a row
        at 2.9s                                 |
        at 3s                                   | task-1: on trial: it was ejected for 10s
        1 fail                                  | task-1: leave rotation: the trial request did not go well: ejected for 15s, number 3 in a row
        3 answer                                | task-3: enter rotation: its trial request went well
        verdicts                                | task-1 Healthy, out for 15s, 3 in a row
                                                | task-2 Healthy
                                                | task-3 Healthy
    "#]]);
}

#[test]
fn a_task_that_drains_is_judged_by_nobody_and_is_no_peer() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3-draining | task-1: enter rotation: the verdict of an earlier gateway
                                                    | task-2: enter rotation: the verdict of an earlier gateway
        3 fail x20                                  |
        1 fail x5                                   | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 fail x5                                   | service: hold: every task looks bad, so it is held against none
                                                    | task-1: enter rotation: every task looks bad, so it is held against none
    "#]]);
}

/// Slow tasks go as long as most others are quick, up to a number; failing ones go until one is left.
#[test]
fn of_two_to_nine_tasks_so_many_may_be_out() {
    let told: String = (2..=9).map(so_many_may_be_out).collect();
    expect![[r#"
        of 2: 1 slow, 1 failing
        of 3: 1 slow, 2 failing
        of 4: 1 slow, 3 failing
        of 5: 2 slow, 4 failing
        of 6: 2 slow, 5 failing
        of 7: 3 slow, 6 failing
        of 8: 3 slow, 7 failing
        of 9: 4 slow, 8 failing
    "#]]
    .assert_eq(&told);
}

fn so_many_may_be_out(count: usize) -> String {
    let all: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
    let registered: Vec<String> = all.iter().map(|n| format!("{n}=healthy")).collect();
    let out = |steps: &[String]| {
        let mut shell = Shell::new(config(passive::Config::default()));
        shell.step(&format!("endpoints 1: {}", registered.join(" ")));
        shell.step(&format!("{} answer x20 in 5ms", all.join(",")));
        let records: Vec<String> = steps.iter().flat_map(|step| shell.step(step)).collect();
        records.iter().filter(|record| record.contains("leave rotation")).count()
    };
    let slow = |bad: usize| {
        let (bad, good) = (all[..bad].join(","), all[bad..].join(","));
        let round = [format!("{good} answer in 5ms"), format!("{bad} answer in 1s every 100ms")];
        out(&vec![round; 20].concat())
    };
    let slow = (1..count).map(slow).max().expect("there are tasks");
    let failing = out(&all[1..].iter().map(|one| format!("{one} fail x5")).collect::<Vec<_>>());
    format!("of {count}: {slow} slow, {failing} failing\n")
}

/// Where the load needs all tasks, one that is out makes the others late. If most of them are not, it is not that.
#[test]
fn who_is_late_for_another_is_not_ejected() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 5ms                    |
        1 time-out x5                              | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 time-out x5 every 10ms                   | task-2: hold: it is late since another task is out, so nobody is ejected for a while
        at 12s                                     | task-1: on trial: it was ejected for 5s
                                                   | task-1: enter rotation: no trial request showed anything in 5s
        2 time-out x5                              | task-2: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2,1 time-out x5                            | task-1: hold: it is late since another task is out, so nobody is ejected for a while
        at 40s                                     | task-2: on trial: it was ejected for 5s
                                                   | task-2: enter rotation: no trial request showed anything in 5s
        1,2,3 answer x20 in 5ms                    |
        1 time-out x5                              | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 time-out x4 every 10ms                   |
        3 answer in 5ms                            |
        2 time-out                                 | task-2: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
    "#]]);
}

/// It is asked for more than it bears while another one is out, or before that one is there, and works that off when
/// there are two again: the others are quicker, as nothing waits there.
#[test]
fn what_was_asked_for_while_another_was_missing_is_held_against_nobody() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1,2 answer x20 in 5ms            |
        1 fail x5                        | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        at 12s                           | task-1: on trial: it was ejected for 5s
                                         | task-1: enter rotation: no trial request showed anything in 5s
        2 answer x20 in 9s every 100ms   |
        1 answer in 5ms                  |
        2 answer x20 in 9s every 100ms   | task-2: hold: it is late since another task is out, so nobody is ejected for a while
        at 40s                           |
        1,2 answer x20 in 5ms            |
        endpoints 2: 1=healthy 3         | task-3: enter rotation: 1 of 1 checks passed in a row
                                         | task-2: leave rotation: deregistered
        at 42s                           |
        3 answer x20 in 5ms              |
        1 answer x20 in 9s every 100ms   |
        3 answer in 5ms                  |
        1 answer x20 in 9s every 100ms   | task-1: hold: it is late since another task is out, so nobody is ejected for a while
        at 80s                           |
        1,3 answer x20 in 5ms            |
        1 answer x20 in 9s every 100ms   |
        3 answer in 5ms                  |
        1 answer x20 in 9s every 100ms   | task-1: leave rotation: 21 requests in a row over 2.0s were slower than 205.0ms or overtaken, its peers take 5.0ms: ejected for 5s, number 1 in a row
    "#]]);
}

#[test]
fn who_is_beyond_its_deadline_is_no_worse_where_others_are_hardly_quicker() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1,2,3 answer x20 in 30ms                   |
        1 time-out-perhaps x50                     |
        2,3 answer x40 in 5ms                      |
        1 time-out-perhaps x50                     | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
    "#]]);
}

/// Who is out for being late is missed where hardly anything is answered in time. Failures that are no lateness are
/// nobody else's doing.
#[test]
fn where_everything_is_late_who_is_out_for_that_returns() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy 3=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                                   | task-2: enter rotation: the verdict of an earlier gateway
                                                   | task-3: enter rotation: the verdict of an earlier gateway
        1 answer in 5ms                            |
        1 time-out x5                              | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 fail x5                                  | task-2: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        3 fail-perhaps x50                         |
        3 time-out-perhaps x9                      |
        3 time-out-perhaps                         | service: hold: every task looks bad, so it is held against none
                                                   | task-1: enter rotation: every task looks bad, so it is held against none
        1 time-out x5                              |
        1 fail x5                                  | task-1: leave rotation: 6 requests failed in a row: ejected for 10s, number 2 in a row
        3 time-out-perhaps                         |
        at 4s                                      |
        3 time-out x5                              |
    "#]]);
}

/// A hold is twice as long each time, but not longer than something is late.
#[test]
fn a_hold_is_over_when_nothing_is_late() {
    check(&expect![[r#"
        endpoints 1: 1=healthy 2=healthy | task-1: enter rotation: the verdict of an earlier gateway
                                         | task-2: enter rotation: the verdict of an earlier gateway
        1 time-out x5                    | task-1: leave rotation: 5 requests failed in a row: ejected for 5s, number 1 in a row
        2 time-out-perhaps x10           | service: hold: every task looks bad, so it is held against none
                                         | task-1: enter rotation: every task looks bad, so it is held against none
        at 5s                            |
        1,2 time-out x6                  | task-1: leave rotation: 5 requests failed in a row: ejected for 10s, number 2 in a row
                                         | service: hold: every task looks bad, so it is held against none
                                         | task-1: enter rotation: every task looks bad, so it is held against none
        2 time-out-perhaps x10           |
        at 14s                           |
        1 time-out x5                    |
        at 15s                           |
        1 time-out x5                    | task-1: leave rotation: 7 requests failed in a row: ejected for 10s, number 2 in a row
        2 time-out-perhaps x10           | service: hold: every task looks bad, so it is held against none
                                         | task-1: enter rotation: every task looks bad, so it is held against none
        at 25s                           |
        1 time-out x5                    | task-1: leave rotation: 5 requests failed in a row: ejected for 10s, number 2 in a row
    "#]]);
}
