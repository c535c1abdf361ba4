//! What is told of a service's traffic: what has ended, what of it had failed, and how long it took.

use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::call::{Config, Queue};
use seaworthy_core::health::Matcher;

use crate::call_shell::Shell;

#[test]
fn a_failure_is_a_status_of_a_failure_or_no_answer() {
    check(&expect![[r#"
        rotate 1        |
        get a           | a try 1 on task-1
        get b           | b try 1 on task-1
        get c           | c try 1 on task-1
        get d           | d try 1 on task-1
        traffic         | 0 ended, 0 failed, 4 running, p99 unknown
        a head          | a passes 1
        a done          |
        b error         | b passes 1
        b done          |
        c lost-for-good | c answered: the task closed the connection early
        d head          | d passes 1
        d cut           | d aborted
        traffic         | 4 ended, 3 failed, 0 running, p99 unknown
        get e           | e try 1 on task-1
        at 2s           | e answered: the deadline passed
        get f until 1s  | f answered: the deadline passed
        traffic         | 6 ended, 5 failed, 0 running, p99 unknown
        rotate          |
        get g           | g answered: no task is in rotation
        traffic         | 7 ended, 6 failed, 0 running, p99 unknown
    "#]]);
}

#[test]
fn whoever_went_away_has_not_been_failed() {
    check(&expect![[r#"
        rotate 1      |
        get a         | a try 1 on task-1
        a client-gone |
        get b         | b try 1 on task-1
        b head        | b passes 1
        b client-gone |
        traffic       | 2 ended, 0 failed, 0 running, p99 unknown
        answers 1     | task-1 1
    "#]]);
}

#[test]
fn what_waits_runs_and_what_is_over_later_is_counted_once() {
    let mut config = config();
    config.queue = Some(Queue { most_calls: 1, most_bytes: 1000 });
    config.routes[0].retry_status = Some(Matcher::only(500));
    Shell::new(config).check(&expect![[r#"
        get a         |
        get b         | b answered: no task is in rotation
        traffic       | 1 ended, 1 failed, 1 running, p99 unknown
        rotate 1 2    | a try 1 on task-1
        a refused     | a try 2 on task-2
        a head        | a passes 2
        traffic       | 1 ended, 1 failed, 1 running, p99 unknown
        a done        |
        look c        | c try 1 on task-2
        c error       | c try 2 on task-1
        c head        | c passes 2
        c done        |
        a done        |
        a client-gone |
        traffic       | 3 ended, 1 failed, 0 running, p99 unknown
        answers 1 2   | task-1 1, task-2 1
    "#]]);
}

#[test]
fn answers_are_known_as_long_as_their_task_is() {
    check(&expect![[r#"
        registered 1 2 |
        rotate 1 2     |
        get a          | a try 1 on task-1
        get b          | b try 1 on task-2
        a head         | a passes 1
        a done         |
        b error        | b passes 1
        b done         |
        get c          | c try 1 on task-1
        get d          | d try 1 on task-2
        rotate 2       |
        answers 1 2    | task-1 1, task-2 0
        registered 2   |
        answers 1 2    | task-1 1, task-2 0
        c head         | c passes 1
        c done         |
        answers 1 2    | task-1 2, task-2 0
        registered 2   |
        answers 1 2    | task-1 0, task-2 0
    "#]]);
}

#[test]
fn the_slowest_of_the_last_seconds_are_told_and_forgotten() {
    let mut shell = Shell::new(config());
    shell.step("rotate 1");
    let mut at = 0;
    let mut traffic = |calls: u32, millis: u64, pause: u64| {
        for _ in 0..calls {
            shell.step("get a");
            at += millis;
            shell.step(&format!("at {}s", at as f64 / 1e3));
            shell.step("a head");
            shell.step("a done");
        }
        at += pause;
        shell.step(&format!("at {}s", at as f64 / 1e3));
        shell.step("traffic").remove(0)
    };
    assert_eq!(traffic(19, 1, 0), "19 ended, 0 failed, 0 running, p99 unknown");
    assert!(traffic(81, 1, 0).ends_with("p99 1 ms"));
    assert!(traffic(2, 500, 0).ends_with("p99 503 ms"), "one in a hundred is longer");
    assert!(traffic(0, 0, 5_000).ends_with("p99 503 ms"));
    assert!(traffic(1000, 4, 0).ends_with("p99 4 ms"), "that was long ago");
    assert_eq!(traffic(0, 0, 10_000), "1102 ended, 0 failed, 0 running, p99 unknown");
}

#[test]
fn what_goes_on_in_another_protocol_is_never_slow() {
    let mut config = Config::plain(Duration::from_secs(600), 1);
    config.queue = None;
    let mut shell = Shell::new(config);
    shell.step("rotate 1");
    for n in 0..40 {
        shell.step("get a");
        shell.step(if n < 20 { "a switch" } else { "a head" });
        let later = if n < 20 { 9 * (n + 1) } else { 180 };
        shell.step(&format!("at {later}s"));
        shell.step("a done");
    }
    let told = shell.step("traffic").remove(0);
    assert_eq!(told, "40 ended, 0 failed, 0 running, p99 0 ms");
}

fn config() -> Config {
    Config::plain(Duration::from_secs(2), 3)
}

fn check(expect: &Expect) {
    Shell::new(config()).check(expect);
}
