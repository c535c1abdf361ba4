//! Several tries of one call: hedges, retries on a status, the queue, and what tries show of tasks.

use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::call::{Config, Queue};
use seaworthy_core::policy::{budget, hedge};

use crate::call_shell::Shell;

#[test]
fn a_late_answer_is_asked_for_once_more_and_the_first_one_counts() {
    check(&expect![[r#"
        rotate 1 2     |
        usual 20 0.01s |
        look a         | a try 1 on task-1
        at 0.215s      | a try 2 on task-2, fresh, hedge
        a#2 head       | a passes 2
        a#1 head       |
        a done         |
        look b         | b try 1 on task-2
        at 0.22s       |
        b head         | b passes 1
        b done         |
        at 0.3s        |
    "#]]);
}

#[test]
fn before_it_is_known_what_is_usual_nothing_is_hedged() {
    check(&expect![[r#"
        rotate 1 2     |
        usual 19 0.01s |
        look a         | a try 1 on task-2
        at 5s          |
    "#]]);
}

#[test]
fn only_what_is_safe_is_hedged() {
    check(&expect![[r#"
        rotate 1 2     |
        usual 20 0.01s |
        get a          | a try 1 on task-1
        post b         | b try 1 on task-2
        at 5s          |
    "#]]);
}

#[test]
fn hedges_come_from_their_own_budget() {
    check(&expect![[r#"
        rotate 1 2 3   |
        usual 20 0.01s |
        look a         | a try 1 on task-3
        look b         | b try 1 on task-1
        look c         | c try 1 on task-2
        at 1s          | a try 2 on task-1, fresh, hedge
                       | b try 2 on task-3, fresh, hedge
    "#]]);
}

#[test]
fn a_hedge_that_was_due_before_the_rotation_changed_goes_by_the_new_one() {
    check(&expect![[r#"
        rotate 1 2     |
        usual 20 0.01s |
        look a         | a try 1 on task-1
        clock 1s       |
        rotate 1 3     | a try 2 on task-3, fresh, hedge
    "#]]);
}

#[test]
fn if_one_of_two_fails_the_other_one_is_waited_for() {
    check(&expect![[r#"
        rotate 1 2 3   |
        usual 20 0.01s |
        look a         | a try 1 on task-3
        at 1s          | a try 2 on task-1, fresh, hedge
                       | a try 3 on task-2, fresh, hedge
        a#1 lost       |
        a#2 error      |
        a#3 head       | a passes 3
        a done         |
    "#]]);
}

#[test]
fn after_one_that_was_lost_only_the_other_one_is_waited_for() {
    check(&expect![[r#"
        rotate 1 2 3   |
        usual 20 0.01s |
        look a         | a try 1 on task-3
        at 0.215s      | a try 2 on task-1, fresh, hedge
        a#2 lost       |
        at 1s          |
        a#1 head       | a passes 1
        a done         |
    "#]]);
}

#[test]
fn a_safe_request_is_tried_again_on_a_status() {
    check(&expect![[r#"
        rotate 1 2 3 |
        look a       | a try 1 on task-1
        a error      | a try 2 on task-2
        a head       | a passes 2
        a done       |
        get b        | b try 1 on task-3
        b error      | b passes 1
        b done       |
    "#]]);
}

#[test]
fn what_one_revision_fails_another_one_is_asked_for_first() {
    check(&expect![[r#"
        rotate 1 2@2 3@2 4@2 |
        look a               | a try 1 on task-1
        a error              | a try 2 on task-2
        look b               | b try 1 on task-3
        b error              | b try 2 on task-1
        look c               | c try 1 on task-4
        c error              | c try 2 on task-1
        look d               | d try 1 on task-2
        d error              | d try 2 on task-1
    "#]]);
}

#[test]
fn who_is_on_trial_is_asked_for_what_another_revision_fails_when_nobody_good_is_left() {
    check(&expect![[r#"
        rotate 1 2 3@2? |
        look a          | a try 1 on task-3
        get b           | b try 1 on task-1
        b lost          | b try 2 on task-2, fresh
        b lost          | b answered: the task closed the connection early
        get c           | c try 1 on task-2
        c refused       | c try 2 on task-1
        c refused       | c try 3 on task-3
    "#]]);
}

#[test]
fn if_every_try_fails_the_last_answer_is_passed_on() {
    check(&expect![[r#"
        rotate 1 2 3  |
        look a        | a try 1 on task-1
        a error       | a try 2 on task-2
        a unavailable | a try 3 on task-3
        a error       | a passes 3
        a done        |
        rotate 1 2    |
        look b        | b try 1 on task-2
        b unavailable | b try 2 on task-1
        b lost        | b try 3 on task-1, fresh
        b done        |
    "#]]);
}

#[test]
fn after_an_interim_answer_there_is_no_other_try_and_the_client_can_still_be_told() {
    check(&expect![[r#"
        rotate 1 2 |
        look a     | a try 1 on task-1
        a hint     | a passes 1
        a lost     | a answered: the task closed the connection early
        look b     | b try 1 on task-2
        b hint     | b passes 1
        b error    |
        b done     |
        look c     | c try 1 on task-1
        c hint     | c passes 1
        c head     |
        c lost     | c aborted
    "#]]);
}

#[test]
fn calls_wait_while_no_task_may_get_them_and_are_served_in_their_order() {
    check(&expect![[r#"
        look a   |
        post b   |
        look c   |
        look d   | d answered: no task is in rotation
        rotate 1 | a try 1 on task-1
                 | b try 1 on task-1
                 | c try 1 on task-1
        b head   | b passes 1
        b done   |
    "#]]);
}

/// All at once would be more connections than a new task takes in.
#[test]
fn the_queue_is_let_out_as_the_tasks_can_take_it() {
    let mut config = Config::plain(Duration::from_secs(60), 3);
    config.queue = Some(Queue::default());
    let mut shell = Shell::new(config);
    for n in 0..150 {
        assert_eq!(shell.step(&format!("get {n}")), [""; 0]);
    }
    assert_eq!(shell.step("rotate 1").len(), 100);
    assert_eq!(shell.step("get late"), [""; 0], "whoever waits already comes first");
    assert_eq!(shell.step("0 done"), ["100 try 1 on task-1"]);
    assert_eq!(shell.step("rotate 1 2").len(), 50, "another one takes the rest");
}

#[test]
fn a_call_leaves_the_queue_by_its_deadline_or_with_its_client() {
    check(&expect![[r#"
        get a until 1s |
        get b          |
        b client-gone  |
        at 1s          | a answered: no task is in rotation
        rotate 1       |
    "#]]);
}

/// Both of two tasks are killed: what was in flight waits for the new ones.
#[test]
fn what_a_killed_fleet_had_in_flight_waits_and_is_tried_again() {
    check(&expect![[r#"
        rotate 1 2 |
        look a     | a try 1 on task-1
        post b     | b try 1 on task-2
        a lost     | a try 2 on task-2, fresh
        b lost     | b answered: the task closed the connection early
        look c     | c try 1 on task-1
        c refused  | c try 2 on task-2
        a refused  | a try 3 on task-1, fresh
        c refused  |
        rotate     |
        a refused  |
        rotate 3   | a try 4 on task-3, fresh
                   | c try 3 on task-3
        a head     | a passes 4
        c head     | c passes 3
    "#]]);
}

#[test]
fn what_another_task_does_well_is_this_ones_fault_and_what_none_does_is_the_requests() {
    check_seen(&expect![[r#"
        rotate 1 2 3 |
        look a       | a try 1 on task-1
        a error      | a try 2 on task-2
        a head       | a passes 2
                     | task-1 Failed { what: Status(500), blamed: true }
        a done       | task-2 Answered(0ns)
        look b       | b try 1 on task-3
        b error      | b try 2 on task-2
        b error      | b try 3 on task-1
        b error      | b passes 3
        b done       |
        post c       | c try 1 on task-1
        c error      | c passes 1
                     | task-1 Failed { what: Status(500), blamed: false }
        c done       |
        look d       | d try 1 on task-2
        d refused    | d try 2 on task-3
                     | task-2 Refused
        d withdraws  | d passes 2
                     | task-3 Withdrawn
    "#]]);
}

/// Its head alone makes no answer a proper one.
#[test]
fn an_answer_that_is_cut_short_is_a_failure() {
    check_seen(&expect![[r#"
        rotate 1 2 |
        look a     | a try 1 on task-1
        a head     | a passes 1
        a cut      | a aborted
                   | task-1 Failed { what: Broken(Closed), blamed: false }
        post b     | b try 1 on task-2
        b head     | b passes 1
        b cut      | b aborted
                   | task-2 Failed { what: Broken(Closed), blamed: false }
    "#]]);
}

#[test]
fn a_task_that_is_overtaken_was_at_least_so_slow() {
    check_seen(&expect![[r#"
        rotate 1 2     |
        usual 20 0.01s |
        look a         | a try 1 on task-1
        at 1s          | a try 2 on task-2, fresh, hedge
        a#2 head       | a passes 2
                       | task-1 Overtaken(800ms)
    "#]]);
}

#[test]
fn a_deadline_is_the_tasks_fault_only_if_it_is_the_routes_own() {
    check_seen(&expect![[r#"
        rotate 1 2     |
        get a until 1s | a try 1 on task-1
        get b          | b try 1 on task-2
        at 1s          | a answered: the deadline passed
        at 60s         | b answered: the deadline passed
                       | task-2 Failed { what: Deadline(60s), blamed: false }
    "#]]);
}

/// It is told when a request of it is under way, and that one has shown nothing: then the next may be one.
#[test]
fn a_trial_is_waited_for_until_it_has_shown_something() {
    check_seen(&expect![[r#"
        rotate 1 2?   |
        look a        | a try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        look b        | b try 1 on task-1
        a client-gone | task-2, on trial Overtaken(0ns)
                      | task-2 Tried { until: Instant(0) }
        look c        | c try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        c error       | c try 2 on task-1
        c head        | c passes 2
                      | task-2, on trial Failed { what: Status(500), blamed: true }
        c done        | task-1 Answered(0ns)
        rotate 1 2    |
        rotate 1 2?   |
        look d        | d try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        d unreachable | d try 2 on task-1
                      | task-2 Tried { until: Instant(0) }
        look e        | e try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        d head        | d passes 2
        d done        | task-1 Answered(0ns)
        e head        | e passes 1
                      | task-2, on trial Tried { until: Instant(0) }
        e done        | task-2, on trial Answered(0ns)
        rotate 1 2    |
        rotate 1 2?   |
        look f        | f try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        f head        | f passes 1
                      | task-2, on trial Tried { until: Instant(0) }
        f cut         | f aborted
                      | task-2, on trial Failed { what: Broken(Closed), blamed: false }
        rotate 1 2    |
        rotate 1 2?   |
        look g        | g try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        g error       | g try 2 on task-1
        g error       | g passes 2
        g done        | task-2 Tried { until: Instant(0) }
        look h        | h try 1 on task-2
                      | task-2, on trial Tried { until: Instant(60000000000) }
        h head        | h passes 1
                      | task-2, on trial Tried { until: Instant(0) }
        h done        | task-2, on trial Answered(0ns)
    "#]]);
}

/// With two on trial, and bad as before, the third would never be asked.
#[test]
fn who_has_failed_one_trial_is_no_other() {
    check_seen(&expect![[r#"
        rotate 1? 2? 3 |
        look a         | a try 1 on task-1
                       | task-1, on trial Tried { until: Instant(60000000000) }
        a lost         | a try 2 on task-3, fresh
        a head         | a passes 2
                       | task-1, on trial Failed { what: Broken(Closed), blamed: true }
        a done         | task-3 Answered(0ns)
        rotate 2? 3    |
        look b         | b try 1 on task-2
                       | task-2, on trial Tried { until: Instant(60000000000) }
        b error        | b try 2 on task-3
        b error        | b passes 2
        b done         | task-2 Tried { until: Instant(0) }
    "#]]);
}

/// Nobody waits for an answer of a task on trial in vain again and again: how long the first one has waited tells. And
/// a task that had most of the time is to blame, whatever the call waited for before.
#[test]
fn a_trial_of_who_leaves_has_taken_as_long_as_that() {
    check_seen(&expect![[r#"
        rotate 1? 2   |
        look a        | a try 1 on task-1
                      | task-1, on trial Tried { until: Instant(60000000000) }
        at 1s         |
        a client-gone | task-1, on trial Overtaken(1s)
                      | task-1 Tried { until: Instant(1000000000) }
        rotate        |
        look b        |
        at 20s        |
        rotate 1      | b try 1 on task-1
        at 61s        | b answered: the deadline passed
                      | task-1 Failed { what: Deadline(41s), blamed: false }
        rotate        |
        look c        |
        at 100s       |
        rotate 1      | c try 1 on task-1
        at 121s       | c answered: the deadline passed
    "#]]);
}

/// What was sent before, or in an earlier one, says nothing of a trial.
#[test]
fn a_trial_is_of_what_was_sent_in_it() {
    check_seen(&expect![[r#"
        rotate 1    |
        look a      | a try 1 on task-1
        rotate 1? 2 |
        a error     | a try 2 on task-2
        a head      | a passes 2
                    | task-1 Failed { what: Status(500), blamed: true }
        a done      | task-2 Answered(0ns)
        look b      | b try 1 on task-1
                    | task-1, on trial Tried { until: Instant(60000000000) }
        rotate 2    |
        rotate 1? 2 |
        b error     | b try 2 on task-2
        b head      | b passes 2
                    | task-1 Failed { what: Status(500), blamed: true }
        b done      | task-2 Answered(0ns)
        look c      | c try 1 on task-1
                    | task-1, on trial Tried { until: Instant(60000000000) }
        at 60s      | c answered: the deadline passed
                    | task-1, on trial Failed { what: Deadline(60s), blamed: false }
    "#]]);
}

/// Where nobody else is there it may have several requests, and each of them may show something.
#[test]
fn a_trial_of_two_requests_is_waited_for_until_neither_is_left() {
    check_seen(&expect![[r#"
        rotate 1?     |
        look a        | a try 1 on task-1
                      | task-1, on trial Tried { until: Instant(60000000000) }
        at 1s         |
        look b        | b try 1 on task-1
                      | task-1, on trial Tried { until: Instant(61000000000) }
        b client-gone | task-1, on trial Overtaken(0ns)
                      | task-1 Tried { until: Instant(60000000000) }
        a client-gone | task-1, on trial Overtaken(1s)
                      | task-1 Tried { until: Instant(1000000000) }
    "#]]);
}

fn check(expect: &Expect) {
    shell().check(expect);
}

fn check_seen(expect: &Expect) {
    shell().telling_seen().check(expect);
}

/// Three tries; a hedge after ten milliseconds, and no more than two of them.
fn shell() -> Shell {
    let mut config = Config::plain(Duration::from_secs(60), 3);
    config.queue = Some(Queue { most_calls: 3, most_bytes: 250 });
    let route = &mut config.routes[0];
    route.retry_status = Some("500,503".parse().expect("statuses"));
    let budget = budget::Config { success_percent: 0, per_second: 0, cap: 2 };
    route.hedge = Some(hedge::Config { budget, ..hedge::Config::default() });
    Shell::new(config)
}
