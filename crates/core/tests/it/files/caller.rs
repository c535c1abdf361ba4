//! How a program calls other services, in a drill file.

use expect_test::expect;
use seaworthy_core::experiment::{Drill, RawDrill};

use super::drill::{check, file};

#[test]
fn what_a_call_leaves_out_it_has_from_each_and_an_arm_changes_key_by_key() {
    let step = r#"fleet.service.t.command = ["t"]; fleet.service.u.command = ["u"]; load.service = "s"; model.s.pool.size = 7; model.s.each_call = { timeout = "1s", retry.tries = 2 }; model.s.calls.u.bulkhead.size = 3; model.s.calls.t = { paths = ["/t"], needed = true }; configuration = [{ title = "a" }, { title = "b", model.s = { pool.enabled = false, work = "2ms", each_call.retry.enabled = false, calls.t = { paths = ["/a", "/b"], timeout = "none" } } }]; schedule: expect = ["up", "up"]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    let told: Vec<String> = drill
        .configurations
        .iter()
        .map(|one| {
            let of = |place: usize| {
                let dependency = &one.callers[0].dependencies[place];
                let guard = &dependency.guard;
                format!(
                    "{} {:?} {} {:?} {:?} {:?}",
                    dependency.to,
                    dependency.paths,
                    dependency.needed,
                    guard.timeout,
                    guard.bulkhead,
                    dependency.retry.map(|retry| retry.tries)
                )
            };
            format!("{:?} {:?}\n{}\n{}", one.callers[0].pool, one.models[0].work, of(0), of(1))
        })
        .collect();
    expect![[r#"
        Some(Pool { size: 7, waiting: 10000 }) LogNormal { median: 400µs, p99: 3ms }
        1 [Prefix("/t")] true Some(1s) None Some(2)
        2 [] false Some(1s) Some(Fixed(3)) Some(2)
        None Constant(2ms)
        1 [Prefix("/a"), Prefix("/b")] true None None None
        2 [] false Some(1s) Some(Fixed(3)) None"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn what_nobody_can_call_is_refused() {
    check(&expect![[r#"
        model.s.calls.t = {}                                             | model.s.calls.t: `t` is no service; allowed is one of s
        model.s.calls.s = {}                                             | model.s.calls.s: ends where it began (s calls s); allowed is no circle
        fleet.service.t.command = ["t"]; model.s.calls.t = {}; model.t.calls.s = {}; load.service = "s" | model.s.calls.t: ends where it began (s calls t calls s); allowed is no circle
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.path = "/" | line 9, column 17: unknown field `path`, expected one of `paths`, `needed`, `timeout`, `failure_status`, `breaker`, `bulkhead`, `retry`, `fallback`
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.paths = ["page"] | model.s.calls.t.paths[1]: "page" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.timeout = 1 | line 9, column 27: allowed is a duration, such as "1s", or "none"
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.timeout = "0s" | model.s.calls.t.timeout: 0s is out of range; allowed is 1ms to 1h
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.retry.tries = 0 | model.s.calls.t.retry.tries: 0 is out of range; allowed is 1 to 10
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.breaker.trials = 0 | model.s.calls.t.breaker.trials: 0 is out of range; allowed is 1 to 1000
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t = { timeout = "30s", breaker = {}, bulkhead.size = 10 } | model.s.calls.t.breaker: 10 permits held for 30s come free 0.33 times a second, which gives a window of 10s at most 10 outcomes, and the breaker's minimum is 20: while calls hang the breaker can never open
        model.s.pool.size = 0                                            | model.s.pool.size: 0 is out of range; allowed is 1 to 1000000
        model.s.pool.queue = 0                                           | line 7, column 14: unknown field `queue`, expected one of `enabled`, `size`, `waiting`
        configuration = [{ title = "a", model.t.status = 500 }]          | configuration[1].model.t: `t` is no service; allowed is one of s
        configuration = [{ title = "a", model.s.calls.t = {} }]          | configuration[1].model.s.calls.t: `t` is no service; allowed is one of s
        schedule: faults = [{ at = "5s", deploy = { model.calls.t = {} } }] | schedule[1].faults[1].deploy.model.calls: is not changed by a fault; allowed is that in [model.NAME]
        configuration = [{ title = "a", model.s.status = 500 }]; schedule: faults = [{ at = "5s", deploy = { model.status = 500 } }] | configuration[1].model.s: stands beside the `model` of a fault; allowed is just one of them
    "#]]);
}
