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
    expect![[""]].assert_eq(&told.join("\n"));
}

#[test]
fn what_nobody_can_call_is_refused() {
    check(&expect![[r#"
        model.s.calls.t = {} | 
        model.s.calls.s = {} | 
        fleet.service.t.command = ["t"]; model.s.calls.t = {}; model.t.calls.s = {}; load.service = "s" | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.path = "/" | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.paths = ["page"] | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.timeout = 1 | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.timeout = "0s" | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.retry.tries = 0 | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t.breaker.trials = 0 | 
        fleet.service.t.command = ["t"]; load.service = "s"; model.s.calls.t = { timeout = "30s", breaker = {}, bulkhead.size = 10 } | 
        model.s.pool.size = 0 | 
        model.s.pool.queue = 0 | 
        configuration = [{ title = "a", model.t.status = 500 }] | 
        configuration = [{ title = "a", model.s.calls.t = {} }] | 
        schedule: faults = [{ at = "5s", deploy = { model.calls.t = {} } }] | 
        configuration = [{ title = "a", model.s.status = 500 }]; schedule: faults = [{ at = "5s", deploy = { model.status = 500 } }] | 
    "#]]);
}
