//! The dispatcher: what is tried again and what is not, and how every call ends.
//!
//! A script says what happens; what the dispatcher wants done for it stands behind the bar.
//! `UPDATE_EXPECT=1` rewrites that; read the difference before you believe it.

use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::call::Config;

use crate::call_shell::Shell;

#[test]
fn a_call_is_sent_answered_and_over() {
    check(&expect![[r#"
        rotate 1 2 |
        get a      | a try 1 on task-1
        post b     | b try 1 on task-2
        a head     | a passes 1
        a done     |
        b done     |
        get c      | c try 1 on task-1
    "#]]);
}

#[test]
fn before_any_byte_was_sent_another_task_is_tried_repeatable_or_not() {
    check(&expect![[r#"
        rotate 1 2 3  |
        post a        | a try 1 on task-1
        a refused     | a try 2 on task-2
        a unreachable | a try 3 on task-3
        a unsent      | a answered: the task closed the connection early
    "#]]);
}

#[test]
fn a_refused_connection_is_not_sought_again_even_if_tries_are_left() {
    check(&expect![[r#"
        rotate 1 2 |
        get a      | a try 1 on task-1
        a refused  | a try 2 on task-2
        a refused  | a answered: the task refused the connection
    "#]]);
}

#[test]
fn a_repeatable_request_without_a_byte_of_answer_is_tried_again() {
    check(&expect![[r#"
        rotate 1 2 3 |
        get a        | a try 1 on task-1
        a lost       | a try 2 on task-2, fresh
        a head       | a passes 2
        a done       |
    "#]]);
}

#[test]
fn a_request_that_is_not_repeatable_is_sent_once() {
    check(&expect![[r#"
        rotate 1 2 3    |
        post a          | a try 1 on task-1
        a lost          | a answered: the task closed the connection early
        get b           | b try 1 on task-2
        b lost-for-good | b answered: the task closed the connection early
    "#]]);
}

#[test]
fn a_query_of_death_gets_one_more_try_and_never_a_third() {
    check(&expect![[r#"
        rotate 1 2 3 4 |
        get a          | a try 1 on task-1
        a lost         | a try 2 on task-2, fresh
        a lost         | a answered: the task closed the connection early
        get b          | b try 1 on task-3
        b lost         | b try 2 on task-4, fresh
        b refused      | b try 3 on task-2, fresh
        b lost         | b answered: the task closed the connection early
    "#]]);
}

#[test]
fn after_a_byte_of_answer_nothing_is_repeated() {
    check(&expect![[r#"
        rotate 1 2 3 |
        get a        | a try 1 on task-1
        a cut        | a answered: the task closed the connection early
        get b        | b try 1 on task-2
        b garbled    | b answered: the task's answer was malformed
        get c        | c try 1 on task-3
        c head       | c passes 1
        c cut        | c aborted
    "#]]);
}

#[test]
fn a_stale_connection_says_nothing_about_its_task_and_the_next_one_is_fresh() {
    check(&expect![[r#"
        rotate 1     |
        post a       | a try 1 on task-1
        a stale      | a try 2 on task-1, fresh
        a done       |
        post b       | b try 1 on task-1
        b stale-sent | b answered: the task closed the connection early
        get c        | c try 1 on task-1
        c stale-sent | c try 2 on task-1, fresh
        c stale-sent | c answered: the task closed the connection early
    "#]]);
}

#[test]
fn once_a_connection_was_stale_every_further_one_is_fresh() {
    check(&expect![[r#"
        rotate 1 2 3 |
        get a        | a try 1 on task-1
        a stale      | a try 2 on task-2, fresh
        a refused    | a try 3 on task-3, fresh
    "#]]);
}

#[test]
fn tries_are_counted_whatever_they_cost() {
    check(&expect![[r#"
        rotate 1 2 3 4 5 |
        get a            | a try 1 on task-1
        a refused        | a try 2 on task-2
        a refused        | a try 3 on task-3
        a refused        | a try 4 on task-4
    "#]]);
}

#[test]
fn one_deadline_holds_for_all_tries() {
    check(&expect![[r#"
        rotate 1 2      |
        get a           | a try 1 on task-1
        get b           | b try 1 on task-2
        get c until 30s | c try 1 on task-1
        get d until 90s | d try 1 on task-2
        at 29s          |
        b head          | b passes 1
        a refused       | a try 2 on task-2
        at 30s          | c answered: the deadline passed
        at 60s          | a answered: the deadline passed
                        | b aborted
                        | d answered: the deadline passed
    "#]]);
}

/// What goes on in another protocol has no end that could be late, but it still is in flight.
#[test]
fn a_change_of_protocol_has_no_deadline() {
    check(&expect![[r#"
        rotate 1 |
        get a    | a try 1 on task-1
        a switch | a passes 1
        at 9000s |
        a done   |
    "#]]);
}

#[test]
fn a_deadline_that_has_passed_is_no_call() {
    check(&expect![[r#"
        rotate 1        |
        at 10s          |
        get a until 10s | a answered: the deadline passed
        get b until 11s | b try 1 on task-1
    "#]]);
}

#[test]
fn the_time_counts_even_if_nobody_told_it() {
    check(&expect![[r#"
        rotate 1 2 |
        get a      | a try 1 on task-1
        get b      | b try 1 on task-2
        get c      | c try 1 on task-1
        clock 60s  |
        a head     | a answered: the deadline passed
                   | b answered: the deadline passed
                   | c answered: the deadline passed
        b refused  |
        c done     |
    "#]]);
}

#[test]
fn a_client_that_goes_away_ends_its_call() {
    check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        a client-gone |
        a lost        |
        get b         | b try 1 on task-1
        b head        | b passes 1
        b client-gone |
        at 60s        |
    "#]]);
}

#[test]
fn what_belongs_to_an_earlier_try_or_call_is_ignored() {
    check(&expect![[r#"
        rotate 1 2      |
        get a           | a try 1 on task-1
        a refused       | a try 2 on task-2
        a#1 head        |
        a#1 done        |
        a#1 lost        |
        a#3 done        |
        a done          |
        get b           | b try 1 on task-2
        a#2 lost        |
        a#1 client-gone |
        b head          | b passes 1
        at 60s          | b aborted
    "#]]);
}

#[test]
fn without_a_task_in_rotation_there_is_no_try() {
    check(&expect![[r#"
        get a      | a answered: no task is in rotation
        rotate 1 2 |
        get b      | b try 1 on task-1
        rotate     |
        b refused  | b answered: the task refused the connection
        get c      | c answered: no task is in rotation
    "#]]);
}

#[test]
fn a_task_out_of_rotation_keeps_what_it_has_and_gets_nothing_new() {
    check(&expect![[r#"
        rotate 1 2 |
        get a      | a try 1 on task-1
        rotate 2   |
        get b      | b try 1 on task-2
        a head     | a passes 1
        a done     |
    "#]]);
}

fn check(expect: &Expect) {
    Shell::new(Config::plain(Duration::from_secs(60), 3)).check(expect);
}
