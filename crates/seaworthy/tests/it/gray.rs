//! Tasks that go on badly: each fault is proven, whatever program the task is, and mended.

use rustix::process::Signal;

use crate::world::{World, code_and_words};

/// Three tasks of the store, whose health checks do not mind a short hang.
const FILE: &str = r#"
title = "tasks that go on badly"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50"]]
claims = [CLAIMS]

[fleet.service.store]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db"]
desired_count = 3
stop_timeout = "2s"
health = { path = "/health", interval = "200ms", timeout = "150ms", unhealthy_threshold = 10 }

[load]
FLOW

[objective]
latency = "300ms"
success = "50%"

[hypothesis]
window = "500ms"
tolerated_gap = "400ms"

[[schedule]]
name = "bad"
duration = "4s"
faults = [FAULTS]
"#;

const LOAD: &str = r#"rate = 100
paths = ["/products/1"]"#;

fn file(load: &str, faults: &str, claims: &str) -> String {
    FILE.replace("FLOW", load).replace("FAULTS", faults).replace("CLAIMS", claims)
}

/// A fault that is not proven makes the cell INVALID, and the code 3.
#[test]
fn every_fault_is_proven_and_mended_and_no_task_goes() {
    let world = World::new();
    let faults = r#"
        { at = "500ms", lasts = "300ms", hang = 1 },
        { at = "1s", lasts = "300ms", fail = 1 },
        { at = "1500ms", lasts = "300ms", slow = "400ms" },
        { at = "2s", lasts = "300ms", reset = "task-2" },
        { at = "2500ms", lasts = "300ms", half_answer = 2 },
    "#;
    let claims = r#""{1.bad.gone} <= 0", "{1.bad.whole} <= 500ms""#;
    world.write("drill.toml", &file(LOAD, faults, claims));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");
    let told = ["hang of 1 task: task-1", "500 of 1 task: task-1", "resets of task-2: task-2"];
    assert!(told.iter().all(|line| words.contains(line)), "{words}");
    assert!(words.contains("half answers of 2 tasks: task-1, task-2"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn a_fault_that_no_request_meets_is_invalid() {
    let world = World::new();
    let late = r#"[[load.flow]]
        name = "late"
        rate = 100
        paths = ["/products/1"]
        from = "2s""#;
    let fail = r#"{ at = "500ms", lasts = "500ms", fail = 1 }"#;
    world.write("drill.toml", &file(late, fail, ""));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(3), "{words}");
    let why = "the 500 of 1 task at 500ms for 500ms had no effect: no request met it";
    assert!(words.contains(why), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn a_drill_that_is_ended_leaves_no_task_that_stands_still() {
    let world = World::new();
    let faults = r#"{ at = "100ms", hang = 2 }, { at = "200ms", fail = "task-3" }"#;
    world.write("drill.toml", &file(LOAD, faults, ""));
    let started = world.start(&["drill", "drill.toml"], "500 of task-3");
    assert_eq!(started.signal(Signal::INT), Some(130));
    world.assert_nothing_is_left();
}
