//! Drill files.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use seaworthy_core::experiment::model::Distribution;
use seaworthy_core::experiment::{Drill, FaultKind, RawDrill};

use crate::golden;

/// All but its schedules.
const GOOD: &str = r#"
    title = "a drill"
    fleet.service.s.command = ["store"]
    load.rate = 100
    load.paths = ["/"]
    objective.latency = "500ms"
    objective.success = "99%"
"#;

const SCHEDULE: &str = r#"
    name = "one"
    duration = "30s"
    faults = [{ at = "5s", stop = 1 }]
    expect = ["up"]
"#;

#[test]
fn what_is_left_out_has_its_default() {
    let drill = super::read::<RawDrill, Drill>(&file("")).unwrap();
    let Drill { configurations, .. } = &drill;
    assert_eq!(configurations.len(), 1);
    let Drill { scale, load, objective, hypothesis, schedules, .. } = &drill;
    let told = format!("{scale}\n{load:?}\n{objective:?}\n{hypothesis:?}\n{schedules:?}\n");
    expect![[r#"
        1
        Load { flows: [Flow { name: "all", service: 0, rate: 100, arrivals: Constant, method: Get, paths: ["/"], users: None, attempts: 1, from: 0ns, until: None }] }
        Objective { status: Matcher { ranges: [(200, 200)] }, latency: 500ms, success: Share { millionths: 990000 } }
        Hypothesis { window: 10s, tolerated_gap: 1s }
        [Schedule { name: "one", title: "one", duration: 30s, faults: [Fault { at: 5s, once: None, lasts: 0ns, kind: End { how: Stop, service: 0, tasks: Oldest(1) } }], expect: [Up] }]
    "#]].assert_eq(&told);
}

#[test]
fn a_configuration_changes_the_fleet() {
    let step = r#"configuration = [{ title = "a" }, { title = "b", desired_count = 3, minimum_healthy_percent = 66 }]; schedule: expect = ["down", "up"]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    let told = drill.configurations.iter().map(|c| {
        let cluster = &c.services()[0].cluster;
        (c.title.as_str(), cluster.desired_count, cluster.floor(), cluster.ceiling())
    });
    assert_eq!(told.collect::<Vec<_>>(), [("a", 2, 2, 4), ("b", 3, 2, 6)]);
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_by_line() {
    check(&expect![[r#"
        titel = "a drill"                              | line 7, column 1: unknown field `titel`, expected one of `title`, `scale`, `prepare`, `monthly_price_per_task`, `target`, `fleet`, `model`, `load`, `objective`, `hypothesis`, `configuration`, `schedule`, `claims`, `reading`
        title = 1                                      | line 1, column 9: invalid type: integer `1`, expected a string
        scale = "10"                                   | scale: is not a whole number; allowed is 1 to 10, or objective.latency would be too short to measure
        scale = [10]                                   | scale: is not a whole number; allowed is 1 to 10, or objective.latency would be too short to measure
        scale = { to = 10 }                            | scale: is not a whole number; allowed is 1 to 10, or objective.latency would be too short to measure
        scale = true                                   | scale: is not a whole number; allowed is 1 to 10, or objective.latency would be too short to measure
        prepare = ["seaworthy"]                        | line 7, column 12: invalid type: string "seaworthy", expected a list in brackets, such as ["…", "…"]
        monthly_price_per_task = -15                   | monthly_price_per_task: -15 is out of range; allowed is 0 to 1000000
        fleet.sed = 1                                  | line 7, column 7: unknown field `sed`, expected one of `seed`, `gateway`, `agent`, `service`
        fleet.service.s.desired = 1                    | line 7, column 17: unknown field `desired`, expected one of `listen`, `targets`, `command`, `environment`, `environment_files`, `secrets`, `desired_count`, `minimum_healthy_percent`, `maximum_percent`, `provisioning`, `start_timeout`, `stop_timeout`, `deregistration_delay`, `restart_backoff`, `health_grace`, `machines`, `limits`, `deployment`, `autoscaling`, `balancing`, `affinity`, `slow_start`, `most_in_flight`, `weights`, `sticky_cookie`, `health`, `call`, `http`, `breaker`, `bulkhead`, `fallback`, `route`
        load.rate = "100"                              | load.rate: is not a whole number; allowed is 1 to 50000
        load.rate = -1                                 | load.rate: -1 is out of range; allowed is 1 to 50000
        load.rates = 1                                 | line 7, column 6: unknown field `rates`, expected one of `rate`, `arrivals`, `paths`, `service`, `attempts`, `flow`
        load.paths = "/"                               | line 4, column 14: invalid type: string "/", expected a list in brackets, such as ["…", "…"]
        load.arrivals = "bursty"                       | line 7, column 17: unknown variant `bursty`, expected `constant` or `poisson`
        prepare = "seaworthy"                          | line 7, column 11: invalid type: string "seaworthy", expected a list in brackets, such as ["…", "…"]
        fleet.service.s.machines = "a"                 | line 7, column 28: invalid type: string "a", expected a list in brackets, such as ["…", "…"]
        claims = "one"                                 | line 7, column 10: invalid type: string "one", expected a list in brackets, such as ["…", "…"]
        schedule = { name = "one" }                    | line 7, column 12: invalid type: map, expected a list of tables: [{ … }, { … }], or each below its name in two brackets, [[…]]
        configuration = { title = "one" }              | line 7, column 17: invalid type: map, expected a list of tables: [{ … }, { … }], or each below its name in two brackets, [[…]]
        schedule: faults = { at = "5s", kill = 1 }     | line 11, column 10: invalid type: map, expected a list of tables: [{ … }, { … }], or each below its name in two brackets, [[…]]
        load.flow = { name = "one" }                   | line 7, column 13: invalid type: map, expected a list of tables: [{ … }, { … }], or each below its name in two brackets, [[…]]
        load.rate = 1e9                                | load.rate: 1000000000 is out of range; allowed is 1 to 50000
        load.rate = 99.5                               | load.rate: is not a whole number; allowed is 1 to 50000
        load.rate = 1e300                              | load.rate: is not a whole number; allowed is 1 to 50000
        load.rate = 1e2                                | good
        objective.latency = 500                        | line 5, column 21: invalid type: integer `500`, expected a duration: a number with its unit, such as "250ms", "90s" or "5m"
        objective.p99 = "1s"                           | line 7, column 11: unknown field `p99`, expected one of `status`, `latency`, `success`
        objective.success = 0.99                       | line 6, column 21: invalid type: floating point `0.99`, expected a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.success = "99"                       | line 6, column 21: `99` is not a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.success = "101%"                     | line 6, column 21: `101%` is not a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.success = "-1%"                      | line 6, column 21: `-1%` is not a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.success = "NaN%"                     | line 6, column 21: `NaN%` is not a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.success = "99.99999%"                | line 6, column 21: `99.99999%` is not a share: "0%" to "100%" with up to four decimals, such as "99.9%"
        objective.status = 200                         | line 7, column 20: invalid type: integer `200`, expected statuses in quotation marks: "200", "200-299", "200,301-303"
        hypothesis.windows = "1s"                      | line 7, column 12: unknown field `windows`, expected `window` or `tolerated_gap`
        configuration = [{ desired_count = 1 }]        | line 7, column 18: missing field `title`
        configuration = [{ title = "a", count = 1 }]   | line 7, column 33: unknown field `count`, expected one of `title`, `desired_count`, `minimum_healthy_percent`, `maximum_percent`, `service`, `model`
        reading = "one"                                | line 7, column 11: invalid type: string "one", expected a list in brackets, such as ["…", "…"]
        schedule: expects = ["up"]                     | line 13, column 1: unknown field `expects`, expected one of `name`, `title`, `duration`, `faults`, `expect`
        schedule: expect = "up"                        | line 12, column 10: invalid type: string "up", expected a list in brackets, such as ["…", "…"]
        schedule: expect = ["sideways"]                | line 12, column 11: unknown variant `sideways`, expected one of `up`, `degraded`, `down`, `any`
        schedule: faults = [{ at = "5s", pause = 1 }]  | line 11, column 24: unknown field `pause`, expected one of `at`, `once`, `lasts`, `stop`, `kill`, `power_off`, `ask`, `hang`, `fail`, `slow`, `reset`, `half_answer`, `latency`, `errors`, `resets`, `stalls`, `query_of_death`, `deploy`, `spike`, `exec`, `service`, `tasks`, `to`, `share`, `model`, `proof`, `heal`
        schedule: faults = [{ stop = 1 }]              | schedule[1].faults[1].at: is missing; allowed is a duration
        schedule: faults = [{ at = "5s", stop = -1 }]  | line 11, column 31: allowed is a number of tasks, "all", a task such as "task-2", { zone = "…" } or { machine = "…" }
        schedule: faults = [{ at = "5s", stop = 1.5 }] | line 11, column 31: allowed is a number of tasks, "all", a task such as "task-2", { zone = "…" } or { machine = "…" }
        schedule: faults = [{ at = "5s", stop = [1] }] | line 11, column 31: allowed is a number of tasks, "all", a task such as "task-2", { zone = "…" } or { machine = "…" }
    "#]]);
}

#[test]
fn a_fault_can_meet_a_zone_that_every_configuration_has() {
    check(&expect![[r#"
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", kill = { zone = "a" } }] | good
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", hang = { machine = "a/1" }, lasts = "5s" }] | good
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", slow = "1s", tasks = { zone = "b" }, lasts = "5s" }] | good
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", lasts = "5s", power_off = { machine = "a/1" } }] | good
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", power_off = { zone = "a" }, lasts = "9h" }] | schedule[1].faults[1].lasts: 9h is out of range; allowed is 1ms to 25s
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", power_off = 1 }] | schedule[1].faults[1].power_off: takes a place; allowed is { zone = "…" } or { machine = "…" }
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ once = "new_task_serves", power_off = { zone = "a" } }] | schedule[1].faults[1].once: means nothing beside `power_off`; allowed are service, lasts
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", kill = { zone = "c" } }] | schedule[1].faults[1].kill: "c" is no zone with tasks of `s`; allowed is one of a, b
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", kill = { machine = "a" } }] | schedule[1].faults[1].kill: "a" is no machine with tasks of `s`; allowed is one of a/1, b
        fleet.service.s.machines = ["a", "b", "c"]; schedule: faults = [{ at = "5s", kill = { zone = "c" } }] | schedule[1].faults[1].kill: "c" is no zone with tasks of `s`; allowed is one of a, b
        fleet.service.s.machines = ["a"]; configuration = [{ title = "one", desired_count = 1 }, { title = "two", service.s.machines = ["b"] }]; schedule: faults = [{ at = "5s", kill = { zone = "b" } }]; schedule: expect = ["any", "any"] | schedule[1].faults[1].kill: zone b does not have tasks in every configuration; allowed is one that `machines` of `s` name
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", kill = { zone = "" } }] | schedule[1].faults[1].kill: "" is no zone with tasks of `s`; allowed is one of a, b
        fleet.service.s.machines = ["a/1", "b"]; schedule: faults = [{ at = "5s", kill = { machine = "A!" } }] | schedule[1].faults[1].kill: "A!" is no machine with tasks of `s`; allowed is one of a/1, b
        fleet.service.s.machines = ["a", "b", "c"]; configuration = [{ title = "two" }, { title = "three", desired_count = 3 }]; schedule: faults = [{ at = "5s", kill = { zone = "c" } }]; schedule: expect = ["any", "any"] | schedule[1].faults[1].kill: zone c does not have tasks in every configuration; allowed is one of a, b
        schedule: faults = [{ at = "5s", kill = { zone = "a" } }]        | schedule[1].faults[1].kill: "a" is no zone with tasks of `s`; allowed is one that `machines` of `s` name
        schedule: faults = [{ at = "5s", power_off = { zone = "a" } }]   | schedule[1].faults[1].power_off: "a" is no zone with tasks of `s`; allowed is one that `machines` of `s` name
        schedule: faults = [{ at = "5s", kill = { zone = "a", machine = "b" } }] | line 11, column 31: allowed is a number of tasks, "all", a task such as "task-2", { zone = "…" } or { machine = "…" }
        schedule: faults = [{ at = "5s", kill = { rack = "a" } }]        | line 11, column 31: allowed is a number of tasks, "all", a task such as "task-2", { zone = "…" } or { machine = "…" }
    "#]]);
}

#[test]
fn what_is_known_of_a_program_is_read() {
    let step = r#"model.s.start = "250ms..400ms"; model.s.work = { median = "400us", p99 = "3ms" }; model.s.concurrency = 5; model.s.waiting = 0; schedule: faults = [{ at = "5s", deploy = { command = ["t"], model = { start = "1s", status = 500, crashes_after = "5s", stubborn = true } } }]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    let told =
        format!("{:?}\n{:?}\n", drill.configurations[0].models, drill.schedules[0].faults[0].kind);
    expect![[r#"
        [Program { start: Uniform(250ms, 400ms), work: LogNormal { median: 400µs, p99: 3ms }, concurrency: 5, waiting: Some(0), status: 200, failing_percent: 0, check_status: 200, checks_wait: false, crashes_after: None, stubborn: false, cold: None, gives_up: None, notices: false, leak: None, remembers: false }]
        Deploy { service: 0, definition: Definition { environment: {}, command: Some(["t"]), model: Some(Program { start: Constant(1s), work: LogNormal { median: 400µs, p99: 3ms }, concurrency: 5, waiting: Some(0), status: 500, failing_percent: 0, check_status: 200, checks_wait: false, crashes_after: Some(5s), stubborn: true, cold: None, gives_up: None, notices: false, leak: None, remembers: false }) } }
    "#]].assert_eq(&told);
}

#[test]
fn a_model_is_changed_by_a_configuration_and_by_a_fault() {
    let step = r#"model.s.work = "2ms"; model.s.notices = true; configuration = [{ title = "a" }, { title = "b", model.s = { remembers = true, cold = "5ms" } }]; schedule: expect = ["up", "up"]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    let models = drill.configurations.iter().map(|c| {
        let model = c.models[0];
        (model.work, model.notices, model.cold.is_some(), model.remembers)
    });
    let work = Distribution::Constant(Duration::from_millis(2));
    let expected = [(work, true, false, false), (work, true, true, true)];
    assert_eq!(models.collect::<Vec<_>>(), expected);

    let step = r#"model.s.work = "2ms"; schedule: faults = [{ at = "5s", ask = "/leak", model = { concurrency = 1, leak = { bytes_per_second = 5, limit = 20, slows = "8ms" } } }]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    let FaultKind::Ask { model: Some(model), .. } = &drill.schedules[0].faults[0].kind else {
        panic!("{:?}", drill.schedules[0].faults);
    };
    assert_eq!((model.work, model.concurrency), (work, 1));
    let leak = model.leak.unwrap();
    assert_eq!(leak.lasts(), Duration::from_secs(4));
    let slower = [0, 1, 4, 9].map(|after| leak.slower(Duration::from_secs(after)).as_millis());
    assert_eq!(slower, [0, 2, 8, 8]);
}

#[test]
fn what_no_program_does_is_refused() {
    check(&expect![[r#"
        model.t.work = "1ms"                                             | model.t: `t` is no service; allowed is one of s
        model.s.worktime = "1ms"                                         | line 7, column 9: unknown field `worktime`, expected one of `start`, `work`, `concurrency`, `waiting`, `status`, `check_status`, `checks_wait`, `crashes_after`, `stubborn`, `cold`, `gives_up`, `notices`, `leak`, `remembers`, `pool`, `each_call`, `calls`
        model.s.work = 1                                                 | line 7, column 16: allowed is a duration, such as "75ms", the shortest and the longest, such as "60ms..90ms", { median = "60ms", p99 = "90ms" }, which is log-normal, or { mean = "60ms" }, which is exponential
        model.s.work = "fast"                                            | line 7, column 16: allowed is a duration, such as "75ms", the shortest and the longest, such as "60ms..90ms", { median = "60ms", p99 = "90ms" }, which is log-normal, or { mean = "60ms" }, which is exponential
        model.s.work = "3ms..1ms"                                        | line 7, column 16: allowed is a duration, such as "75ms", the shortest and the longest, such as "60ms..90ms", { median = "60ms", p99 = "90ms" }, which is log-normal, or { mean = "60ms" }, which is exponential
        model.s.work = "2h"                                              | model.s.work: 2h is out of range; allowed is 0s to 1h
        model.s.work = { median = "1ms" }                                | line 7, column 16: allowed is a duration, such as "75ms", the shortest and the longest, such as "60ms..90ms", { median = "60ms", p99 = "90ms" }, which is log-normal, or { mean = "60ms" }, which is exponential
        model.s.work = { median = "0s", p99 = "1ms" }                    | model.s.work.median: 0s is out of range; allowed is 1us to 1h
        model.s.work = { median = "2ms", p99 = "1ms" }                   | model.s.work.p99: 1ms is out of range; allowed is 2ms to 1h
        model.s.work = { mean = "0s" }                                   | model.s.work.mean: 0s is out of range; allowed is 1us to 1h
        model.s.concurrency = 0                                          | model.s.concurrency: 0 is out of range; allowed is 1 to 1000000
        model.s.waiting = -1                                             | model.s.waiting: -1 is out of range; allowed is 0 to 1000000
        model.s.status = 99                                              | model.s.status: 99 is out of range; allowed is 200 to 599
        model.s.crashes_after = "0s"                                     | model.s.crashes_after: 0s is out of range; allowed is 1ms to 1h
        model.s.gives_up = "0s"                                          | model.s.gives_up: 0s is out of range; allowed is 1ms to 1h
        model.s.cold = "2h"                                              | model.s.cold: 2h is out of range; allowed is 0s to 1h
        model.s.leak = { limit = 5 }                                     | line 7, column 16: missing field `bytes_per_second`
        model.s.leak = { bytes_per_second = 0, limit = 5 }               | model.s.leak.bytes_per_second: 0 is out of range; allowed is 1 to 1099511627776
        model.s.leak = { bytes_per_second = 1, limit = 90000 }           | model.s.leak.limit: 90000 is out of range; allowed is 1 to 86400
        configuration = [{ title = "a", model.t.remembers = true }]      | configuration[1].model.t: `t` is no service; allowed is one of s
        configuration = [{ title = "a", model.s.remembers = true }]; schedule: faults = [{ at = "5s", ask = "/leak", model = {} }] | configuration[1].model.s: stands beside the `model` of a fault; allowed is just one of them
        schedule: faults = [{ at = "5s", stop = 1, model = {} }]         | schedule[1].faults[1].model: means nothing beside `stop`; allowed are once, service
        model.s.stubborn = 1                                             | line 7, column 20: invalid type: integer `1`, expected a boolean
        schedule: faults = [{ at = "5s", deploy = { model = { status = 99 } } }] | schedule[1].faults[1].deploy.model.status: 99 is out of range; allowed is 200 to 599
    "#]]);
}

#[test]
fn values_are_within_bounds() {
    check(&expect![[r#"
        scale = 0                                         | scale: 0 is out of range; allowed is 1 to 10, or objective.latency would be too short to measure
        scale = 11                                        | scale: 11 is out of range; allowed is 1 to 10, or objective.latency would be too short to measure
        scale = 4294967295                                | scale: 4294967295 is out of range; allowed is 1 to 10, or objective.latency would be too short to measure
        monthly_price_per_task = 4294967295               | monthly_price_per_task: 4294967295 is out of range; allowed is 0 to 1000000
        load.attempts = 0                                 | load.attempts: 0 is out of range; allowed is 1 to 10
        load.rate = 0                                     | load.rate: 0 is out of range; allowed is 1 to 50000
        load.rate = 4294967295                            | load.rate: 4294967295 is out of range; allowed is 1 to 50000
        objective.latency = "0s"                          | objective.latency: 0s is out of range; allowed is 1ms to 1h
        objective.latency = "2h"                          | objective.latency: 2h is out of range; allowed is 1ms to 1h
        objective.latency = "500000000000years"           | objective.latency: 500000000000years is out of range; allowed is 1ms to 1h
        hypothesis.window = "0s"                          | hypothesis.window: 0s is out of range; allowed is 1ms to 1h
        hypothesis.window = "500000000000years"           | hypothesis.window: 500000000000years is out of range; allowed is 1ms to 1h
        hypothesis.window = "9ms"                         | hypothesis.window: 9ms is less than the 10ms from one request to the next; allowed is that and more
        hypothesis.tolerated_gap = "9ms"                  | hypothesis.tolerated_gap: 9ms is less than the 10ms from one request to the next; allowed is that and more
        load.rate = 1; hypothesis.tolerated_gap = "999ms" | hypothesis.tolerated_gap: 999ms is less than the 1s from one request to the next; allowed is that and more
        schedule: duration = "0s"                         | schedule[1].duration: 0s is out of range; allowed is 1ms to 1day
        schedule: duration = "500000000000years"          | schedule[1].duration: 500000000000years is out of range; allowed is 1ms to 1day
        load.rate = 50000; schedule: duration = "5m"      | schedule[1].duration: makes more than 10000000 requests at 50000 a second
    "#]]);
}

#[test]
fn programs_and_paths_are_proper() {
    check(&expect![[r#"
        prepare = [["seaworthy"], []]  | prepare[2]: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        prepare = [[""]]               | prepare[1]: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        load.paths = []                | load.paths: is empty; allowed is a list of at least one path
        load.paths = ["/", "products"] | load.paths[2]: "products" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        load.paths = ["/", "/a b"]     | load.paths[2]: "/a b" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        load.paths = ["/#top"]         | load.paths[1]: "/#top" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        load.paths = ["/<script>"]     | load.paths[1]: "/<script>" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
    "#]]);
}

#[test]
fn faults_and_claims_that_can_prove_nothing_are_refused() {
    check(&expect![[r#"
        schedule: faults = [{ at = "1s", resets = "10%", to = "s" }]     | schedule[1].faults[1].to: `s` is the only service, and the load does not go through a link; allowed is a service that another one calls
        fleet.service.t.command = ["t"]; load.service = "s"; schedule: faults = [{ at = "1s", resets = "10%", to = "t" }] | good
        fleet.service.t.command = ["t"]; load.service = "s"; schedule: faults = [{ at = "1s", resets = "0%", to = "t" }] | schedule[1].faults[1].resets: is 0 %, which is no fault; allowed is more
        fleet.service.t.command = ["t"]; load.service = "s"; schedule: faults = [{ at = "1s", resets = "10%" }] | schedule[1].faults[1].to: is missing; allowed is one of s, t
        fleet.service.t.command = ["t"]; load.service = "s"; schedule: faults = [{ at = "1s", resets = "10%", to = "u" }] | schedule[1].faults[1].to: `u` is no service; allowed is one of s, t
        schedule: faults = [{ at = "1s" }]                               | schedule[1].faults[1].stop: is missing; allowed is just one of stop, kill, power_off, ask, hang, fail, slow, reset, half_answer, latency, errors, resets, stalls, query_of_death, deploy, spike, exec
        schedule: faults = [{ at = "1s", stop = 1, kill = 1 }]           | schedule[1].faults[1].kill: is given beside `stop`; allowed is just one of them
        schedule: faults = [{ at = "1s", stop = 1, lasts = "1s" }]       | schedule[1].faults[1].lasts: means nothing beside `stop`; allowed are once, service
        schedule: faults = [{ at = "1s", hang = 1, fail = 1 }]           | schedule[1].faults[1].fail: is given beside `hang`; allowed is just one of them
        schedule: faults = [{ at = "1s", hang = 3 }]                     | schedule[1].faults[1].hang: 3 tasks cannot be taken in every configuration; allowed is 1 to 2, "all" or a task such as "task-2"
        schedule: faults = [{ at = "1s", lasts = "2s", hang = "all" }, { at = "4s", fail = "task-1" }, { at = "5s", reset = 2, service = "s" }, { at = "6s", half_answer = 1 }] | good
        schedule: faults = [{ at = "1s", slow = "500ms", tasks = 2, lasts = "2s" }] | good
        schedule: faults = [{ at = "1s", slow = "500ms", tasks = 3 }]    | schedule[1].faults[1].tasks: 3 tasks cannot be taken in every configuration; allowed is 1 to 2, "all" or a task such as "task-2"
        schedule: faults = [{ at = "1s", slow = "0s" }]                  | schedule[1].faults[1].slow: 0s is out of range; allowed is 1ms to 1h
        schedule: faults = [{ at = "1s", fail = 1, tasks = 1 }]          | schedule[1].faults[1].tasks: means nothing beside `fail`; allowed are service, lasts
        schedule: faults = [{ at = "1s", exec = ["true"] }]              | schedule[1].faults[1].proof: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        schedule: faults = [{ at = "1s", query_of_death = "kraken" }]    | schedule[1].faults[1].query_of_death: "kraken" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        target = "http://localhost:1"                                    | target: is allowed in place of [fleet], and one of them must be there
        claims = ["1 >= 1"]                                              | claims[1]: speaks of no figure; allowed is at least one, in braces
        claims = ["{1.one.calls} >= 1"]                                  | claims[1]: speaks of calls in the schedule `one`, which disturbs the way to no service
        claims = ["{1.one.kept} >= 1"]                                   | claims[1]: speaks of a deployment in the schedule `one`, which has none
        claims = ["{1.one.gap} >= 1"]                                    | claims[1]: a duration on the left and a number on the right; allowed is one unit
    "#]]);
}

#[test]
fn deployments_and_spikes() {
    check(&expect![[r#"
        schedule: faults = [{ at = "1s", deploy = {} }, { once = "new_task_started", kill = 1 }] | good
        schedule: faults = [{ at = "1s", deploy = { environment = { BROKEN = "1" }, command = ["sleep", "9"] }, service = "s" }] | good
        schedule: faults = [{ at = "1s", deploy = {} }, { once = "old_task_left", stop = 1 }, { once = "new_task_serves", kill = "task-3" }] | good
        schedule: faults = [{ once = "new_task_started", kill = 1 }]     | schedule[1].faults[1].once: waits for a deployment; allowed is that after a `deploy` of the same service
        schedule: faults = [{ once = "new_task_started", kill = 1 }, { at = "1s", deploy = {} }] | schedule[1].faults[1].once: waits for a deployment; allowed is that after a `deploy` of the same service
        schedule: faults = [{ at = "1s", deploy = {} }, { once = "new_task_started", hang = 1 }] | schedule[1].faults[2].once: means nothing beside `hang`; allowed are service, lasts
        schedule: faults = [{ at = "1s", deploy = {} }, { at = "1s", once = "new_task_started", kill = 1 }] | schedule[1].faults[2].at: is given beside `once`; allowed is just one of them
        schedule: faults = [{ at = "1s", deploy = {} }, { once = "done", kill = 1 }] | line 11, column 48: unknown variant `done`, expected one of `new_task_started`, `new_task_serves`, `old_task_left`
        schedule: faults = [{ at = "1s", deploy = true }]                | line 11, column 33: invalid type: boolean `true`, expected a table
        schedule: faults = [{ at = "1s", deploy = { count = 3 } }]       | line 11, column 35: unknown field `count`, expected one of `environment`, `command`, `model`
        schedule: faults = [{ at = "1s", deploy = { command = [] } }]    | schedule[1].faults[1].deploy.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        schedule: faults = [{ at = "1s", deploy = { environment = { PORT = "1" } } }] | schedule[1].faults[1].deploy.environment.PORT: is given to each task by seaworthy; allowed is any other name
        schedule: faults = [{ at = "1s", deploy = {}, lasts = "1s" }]    | schedule[1].faults[1].lasts: means nothing beside `deploy`; allowed are service
        claims = ["{1.one.rollout} <= 1s"]                               | claims[1]: speaks of a deployment in the schedule `one`, which has none
        claims = ["{1.one.fewest} >= 1"]                                 | good
        schedule: faults = [{ at = "1s", lasts = "2s", spike = 2 }, { at = "3s", lasts = "1s", spike = 3 }] | good
        schedule: faults = [{ at = "1s", spike = 1 }]                    | schedule[1].faults[1].spike: 1 is out of range; allowed is 2 to 100
        schedule: faults = [{ at = "1s", spike = 2 }, { at = "3s", spike = 3 }] | schedule[1].faults: the spike of 3 times the load at 3s for 27s begins before the one before it is over, at 30s
        load.rate = 40000; schedule: faults = [{ at = "1s", spike = 2 }] | schedule[1].faults: the spike of 2 times the load at 1s for 29s makes 80000 requests a second; allowed is up to 50000
        load.rate = 20000; schedule: duration = "5m"; schedule: faults = [{ at = "1s", spike = 2 }] | schedule[1].duration: makes more than 10000000 requests at 40000 a second
        schedule: faults = [{ at = "1s", spike = 2, service = "s" }]     | schedule[1].faults[1].service: means nothing beside `spike`; allowed are lasts
    "#]]);
}

#[test]
fn what_waits_for_a_deployment_stands_where_that_is() {
    let step = r#"schedule: faults = [{ at = "7s", deploy = {} }, { once = "old_task_left", kill = 1 }, { at = "3s", spike = 2, lasts = "1s" }]"#;
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap().faster(10);
    let told: Vec<String> = drill.schedules[0].faults.iter().map(ToString::to_string).collect();
    let expected = [
        "spike of 2 times the load at 300ms for 100ms",
        "deployment of the same definition at 700ms",
        "kill of 1 task once an old task has left",
    ];
    assert_eq!(told, expected);
    assert_eq!(drill.schedules[0].requests(&drill.load, 1).len(), 300 + 10);
}

#[test]
fn the_fleet_is_read_for_each_configuration() {
    check(&expect![[r#"
        fleet.service.t.command = ["other"]                              | load.service: is missing; allowed is one of s, t
        fleet.service.s.maximum_percent = 100                            | fleet.service.s.minimum_healthy_percent: 100 % of 2 tasks keeps 2 healthy while maximum_percent 100 % allows 2 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        configuration = [{ title = "a" }, { title = "b", desired_count = 3, maximum_percent = 125 }]; schedule: expect = ["up", "up"] | configuration[2].fleet.service.s.minimum_healthy_percent: 100 % of 3 tasks keeps 3 healthy while maximum_percent 125 % allows 3 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        configuration = [{ title = "a", desired_count = 0 }]             | configuration[1].fleet.service.s.desired_count: 0 is out of range; allowed in a drill is 1 to 100
    "#]]);
}

#[test]
fn schedules_and_faults_make_sense() {
    check(&expect![[r#"
        schedule = []                                                    | schedule: is empty; allowed is at least one [[schedule]]
        schedule: name = ""                                              | schedule[1].name: `` is not a name; allowed are a-z, 0-9 and _
        schedule: name = "one by one"                                    | schedule[1].name: `one by one` is not a name; allowed are a-z, 0-9 and _
        schedule: expect = []                                            | schedule[1].expect: has 0 entries for 1 configurations; allowed is one of "up", "degraded", "down", "any" for each
        schedule: expect = ["up", "up"]                                  | schedule[1].expect: has 2 entries for 1 configurations; allowed is one of "up", "degraded", "down", "any" for each
        schedule: faults = [{ at = "5s" }]                               | schedule[1].faults[1].stop: is missing; allowed is just one of stop, kill, power_off, ask, hang, fail, slow, reset, half_answer, latency, errors, resets, stalls, query_of_death, deploy, spike, exec
        schedule: faults = [{ at = "5s", stop = 1, kill = 1 }]           | schedule[1].faults[1].kill: is given beside `stop`; allowed is just one of them
        schedule: faults = [{ at = "5s", stop = 1 }, { at = "30s", stop = 1 }] | schedule[1].faults[2].at: 30s is not before the end of the load at 30s
        schedule: faults = [{ at = "500000000000years", stop = 1 }]      | schedule[1].faults[1].at: 15778800000000000000s is not before the end of the load at 30s
        schedule: faults = [{ at = "20s", stop = 1 }]                    | good
        schedule: faults = [{ at = "20001ms", stop = 1 }]                | schedule[1].duration: 30s leaves no window of 10s after the last fault, at 20.001s, in which the fleet could be seen to have recovered; allowed is 30.001s and more
        schedule: faults = []; schedule: duration = "9s"                 | schedule[1].duration: 9s leaves no window of 10s after the last fault, at 0ns, in which the fleet could be seen to have recovered; allowed is 10s and more
        schedule: faults = [{ at = "5s", stop = 0 }]                     | schedule[1].faults[1].stop: 0 tasks cannot be taken in every configuration; allowed is 1 to 2, "all" or a task such as "task-2"
        schedule: faults = [{ at = "5s", stop = 3 }]                     | schedule[1].faults[1].stop: 3 tasks cannot be taken in every configuration; allowed is 1 to 2, "all" or a task such as "task-2"
        schedule: faults = [{ at = "5s", kill = "some" }]                | schedule[1].faults[1].kill: `some` is not a task; allowed is task-1, task-2, …, "all" or a number of tasks
        schedule: faults = [{ at = "5s", kill = "task-0" }]              | schedule[1].faults[1].kill: `task-0` is not a task; allowed is task-1, task-2, …, "all" or a number of tasks
        schedule: faults = [{ at = "5s", kill = "task-7" }]              | good
    "#]]);
}

#[test]
fn a_schedule_is_given_once() {
    let twice = format!("{}\n[[schedule]]\n{SCHEDULE}", file(""));
    let error = super::read::<RawDrill, Drill>(&twice).unwrap_err();
    assert_eq!(error, "schedule[2].name: `one` is given twice");
}

#[test]
fn a_reading_speaks_of_cells_that_there_are() {
    check(&expect![[r#"
        reading = ["Down {1.one.gap}.", "Down {1.two.gap}."] | reading[2]: {1.two.gap} is no figure of a cell; allowed is {CONFIGURATION.SCHEDULE.FIGURE} with a configuration counted from 1, a schedule of one and a figure of gap, range, silence, failed, failed_share, unanswered, degraded, degraded_share, oldest, requests, below, recovery, whole, p50, p99, calls, first_call, gone, window, fewest, most, rollout, back, kept
        reading = ["Down {2.one.gap}."]                      | reading[1]: {2.one.gap} is no figure of a cell; allowed is {CONFIGURATION.SCHEDULE.FIGURE} with a configuration counted from 1, a schedule of one and a figure of gap, range, silence, failed, failed_share, unanswered, degraded, degraded_share, oldest, requests, below, recovery, whole, p50, p99, calls, first_call, gone, window, fewest, most, rollout, back, kept
        reading = ["Down {1.one.duration}."]                 | reading[1]: {1.one.duration} is no figure of a cell; allowed is {CONFIGURATION.SCHEDULE.FIGURE} with a configuration counted from 1, a schedule of one and a figure of gap, range, silence, failed, failed_share, unanswered, degraded, degraded_share, oldest, requests, below, recovery, whole, p50, p99, calls, first_call, gone, window, fewest, most, rollout, back, kept
        reading = ["Down {1.one.gap"]                        | reading[1]: `{1.one.gap` is not closed; allowed is {CONFIGURATION.SCHEDULE.FIGURE} with a configuration counted from 1, a schedule of one and a figure of gap, range, silence, failed, failed_share, unanswered, degraded, degraded_share, oldest, requests, below, recovery, whole, p50, p99, calls, first_call, gone, window, fewest, most, rollout, back, kept
    "#]]);
}

/// What never begins would keep every promise.
#[test]
fn a_flow_begins_before_all_is_over() {
    let flow = r#"load.flow = [{ name = "late", rate = 1, paths = ["/"], from = "30s" }]"#;
    let late = file("").replace("load.rate = 100", flow).replace("load.paths = [\"/\"]", "");
    let error = super::read::<RawDrill, Drill>(&late).unwrap_err();
    let expected = "load.flow[1].from: 30s is not before the end of any schedule, the longest of which takes 30s";
    assert_eq!(error, expected);
    assert!(
        super::read::<RawDrill, Drill>(&late.replace("from = \"30s\"", "from = \"29s\"")).is_ok()
    );
}

/// A third of 1 s and of 29 s are a nanosecond less than a third of 30 s.
#[test]
fn what_lasts_to_the_end_does_so_at_any_scale() {
    let step = "schedule: faults = [{ at = \"1s\", hang = 1 }]";
    let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
    for scale in 1..=10 {
        let schedule = &drill.clone().faster(scale).schedules[0];
        assert_eq!(schedule.faults[0].end(), schedule.duration, "{scale}");
        assert_eq!(schedule.last_fault(), Some(schedule.faults[0].at), "{scale}");
    }
}

#[test]
fn a_scale_leaves_enough_to_measure() {
    let error = |step: &str, scale| {
        let drill = super::read::<RawDrill, Drill>(&file(step)).unwrap();
        drill.check_scale(scale).unwrap_err().to_string()
    };
    assert_eq!(
        error("", 11),
        "11 is out of range; allowed is 1 to 10, or objective.latency would be too short to measure"
    );
    assert_eq!(
        error("load.rate = 2", 10),
        "10 is out of range; allowed is 1 to 2, or hypothesis.tolerated_gap would be too short to \
         measure"
    );
    assert!(error("", 0).starts_with("0 is out of range; allowed is 1 to 10,"));
    assert!(error("objective.latency = \"1h\"", u32::MAX).contains("allowed is 1 to 20,"));
}

proptest! {
    /// Whatever is accepted can be done, at every scale that is allowed.
    #[test]
    fn any_drill_is_refused_or_can_be_planned(
        rate in prop_oneof![any::<u32>(), 1..3_000u32],
        poisson in any::<bool>(),
        window in 1..20_000u64,
        duration in 1..60_000u64,
        at in 0..60_000u64,
        scale in 0..100u32,
    ) {
        let arrivals = if poisson { "poisson" } else { "constant" };
        let step = format!(
            "load.rate = {rate}; load.arrivals = \"{arrivals}\"; hypothesis.window = \"{window}ms\"; \
             schedule: duration = \"{duration}ms\"; schedule: faults = [{{ at = \"{at}ms\", kill = 1 }}]"
        );
        let Ok(drill) = super::read::<RawDrill, Drill>(&file(&step)) else { return Ok(()) };
        if drill.check_scale(scale).is_err() {
            return Ok(());
        }
        let fast = drill.faster(scale);
        let schedule = &fast.schedules[0];
        prop_assert!(schedule.faults[0].at + fast.hypothesis.window <= schedule.duration);
        prop_assert!(fast.hypothesis.tolerated_gap >= fast.load.spacing());
        let planned = fast.load.schedule(1, schedule.duration);
        prop_assert!(planned.last().is_none_or(|last| last.intended < schedule.duration));
        prop_assert!(fast.hypothesis.window > Duration::ZERO);
    }
}

/// The good file with the changes of a step; those of its schedule begin with `schedule: `.
pub(super) fn file(step: &str) -> String {
    let of_schedule = |change: &&str| change.starts_with("schedule: ");
    let (schedule, rest): (Vec<&str>, Vec<&str>) =
        step.split("; ").filter(|change| !change.is_empty()).partition(of_schedule);
    let rest = super::with(GOOD, &rest.join("; "));
    if rest.contains("schedule = ") {
        return rest;
    }
    let schedule = super::with(SCHEDULE, &schedule.join("; ").replace("schedule: ", ""));
    format!("{rest}\n[[schedule]]\n{schedule}")
}

pub(super) fn check(expect: &Expect) {
    golden::check(expect, |step| {
        let read = super::read::<RawDrill, Drill>(&file(step));
        vec![read.map_or_else(|error| error, |_| "good".to_owned())]
    });
}
