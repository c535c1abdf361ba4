//! Fleet files.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

use crate::golden;

const GOOD: &str = r#"service.s.command = ["store", "serve"]"#;

#[test]
fn what_is_left_out_is_as_ecs_and_alb_have_it() {
    let fleet = super::read::<RawFleet, Fleet>(GOOD).unwrap();
    expect![[r#"
        1 127.0.0.1:0 s ["store", "serve"] {}
        Config { desired_count: 2, minimum_healthy_percent: 100, maximum_percent: 200, provisioning: (0ns, 0ns), start_timeout: 60s, stop_timeout: 30s, deregistration_delay: 300s, restart_backoff: (1s, 300s) }
        Config { path: "/", matcher: Matcher { ranges: [(200, 200)] }, interval: 30s, timeout: 5s, healthy_threshold: 5, unhealthy_threshold: 2 }
        RoundRobin
        Config { timeout: 60s, connect_timeout: 10s, tries: 3 }
    "#]].assert_eq(&told(&fleet));
}

#[test]
fn a_file_that_says_everything_is_meant_as_written() {
    let text = r#"
        seed = 7
        listen = "127.0.0.1:8080"
        [service.store-1]
        command = ["store"]
        environment = { RUST_LOG = "info" }
        desired_count = 3
        minimum_healthy_percent = 66
        maximum_percent = 134
        provisioning = "60s..90s"
        start_timeout = "100s"
        stop_timeout = "30s"
        deregistration_delay = "1m 30s"
        restart_backoff = "2s"
        balancing = "least_outstanding_requests"
        health.path = "/health?deep=1"
        health.matcher = "200,204-206"
        health.interval = "1s"
        health.timeout = "250ms"
        health.healthy_threshold = 1
        health.unhealthy_threshold = 10
        call.timeout = "1h"
        call.connect_timeout = "1ms"
        call.tries = 10
    "#;
    let fleet = super::read::<RawFleet, Fleet>(text).unwrap();
    expect![[r#"
        7 127.0.0.1:8080 store-1 ["store"] {"RUST_LOG": "info"}
        Config { desired_count: 3, minimum_healthy_percent: 66, maximum_percent: 134, provisioning: (60s, 90s), start_timeout: 100s, stop_timeout: 30s, deregistration_delay: 90s, restart_backoff: (2s, 2s) }
        Config { path: "/health?deep=1", matcher: Matcher { ranges: [(200, 200), (204, 206)] }, interval: 1s, timeout: 250ms, healthy_threshold: 1, unhealthy_threshold: 10 }
        LeastOutstandingRequests
        Config { timeout: 3600s, connect_timeout: 1ms, tries: 10 }
    "#]].assert_eq(&told(&fleet));
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_by_line() {
    check(&expect![[r#"
        sevice.s.desired_count = 1           | line 2, column 1: unknown field `sevice`, expected one of `seed`, `listen`, `service`
        seed = -1                            | line 2, column 8: invalid value: integer `-1`, expected u64
        seed = 99999999999999999999          | line 2, column 8: invalid type: integer `99999999999999999999` as i128, expected u64
        listen = 8080                        | line 2, column 10: invalid type: integer `8080`, expected socket address
        listen = "localhost"                 | line 2, column 10: invalid socket address syntax
        service = 1                          | line 2, column 1: duplicate key
        service.s.command = "store"          | line 1, column 21: invalid type: string "store", expected a sequence
        service.s.command = []               | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        service.s.desired = 2                | line 2, column 11: unknown field `desired`, expected one of `command`, `environment`, `desired_count`, `minimum_healthy_percent`, `maximum_percent`, `provisioning`, `start_timeout`, `stop_timeout`, `deregistration_delay`, `restart_backoff`, `balancing`, `health`, `call`
        service.s.desired_count = "2"        | line 2, column 27: invalid type: string "2", expected u32
        service.s.desired_count = -2         | line 2, column 27: invalid value: integer `-2`, expected u32
        service.s.desired_count = 2.5        | line 2, column 27: invalid type: floating point `2.5`, expected u32
        service.s.desired_count = 4294967296 | line 2, column 27: invalid value: integer `4294967296`, expected u32
        service.s.environment.N = 1          | line 2, column 27: invalid type: integer `1`, expected a string
        service.s.balancing = "random"       | line 2, column 23: unknown variant `random`, expected `round_robin` or `least_outstanding_requests`
        service.s.health.intervall = "5s"    | line 2, column 18: unknown field `intervall`, expected one of `path`, `matcher`, `interval`, `timeout`, `healthy_threshold`, `unhealthy_threshold`
        service.s.health.interval = 5        | line 2, column 29: invalid type: integer `5`, expected a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.health.matcher = 200       | line 2, column 28: invalid type: integer `200`, expected a string
        service.s.call.retries = 1           | line 2, column 16: unknown field `retries`, expected one of `timeout`, `connect_timeout`, `tries`
        service.s.call = 3                   | line 2, column 18: invalid type: integer `3`, expected a table
    "#]]);
}

#[test]
fn durations_need_their_unit_and_are_within_bounds() {
    check(&expect![[r#"
        service.s.start_timeout = "60"                    | line 2, column 27: `60` is not a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.start_timeout = ""                      | line 2, column 27: `` is not a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.start_timeout = "-5s"                   | line 2, column 27: `-5s` is not a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.start_timeout = "5 parsecs"             | line 2, column 27: `5 parsecs` is not a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.start_timeout = "99999999999999999999s" | line 2, column 27: `99999999999999999999s` is not a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.start_timeout = "500000000000years"     | service.s.start_timeout: 500000000000years is out of range; allowed is 1ms to 1h
        service.s.start_timeout = "0s"                    | service.s.start_timeout: 0s is out of range; allowed is 1ms to 1h
        service.s.start_timeout = "999us"                 | service.s.start_timeout: 999us is out of range; allowed is 1ms to 1h
        service.s.stop_timeout = "61m"                    | service.s.stop_timeout: 1h 1m is out of range; allowed is 1ms to 1h
        service.s.deregistration_delay = "1day"           | service.s.deregistration_delay: 1day is out of range; allowed is 1ms to 1h
        service.s.health.interval = "0s"                  | service.s.health.interval: 0s is out of range; allowed is 1ms to 1h
        service.s.health.timeout = "0ms"                  | service.s.health.timeout: 0s is out of range; allowed is 1ms to 1h
        service.s.call.timeout = "2h"                     | service.s.call.timeout: 2h is out of range; allowed is 1ms to 1h
        service.s.call.connect_timeout = "0s"             | service.s.call.connect_timeout: 0s is out of range; allowed is 1ms to 1h
        service.s.provisioning = "90s..60s"               | line 2, column 26: `90s..60s` is not a duration, such as "75s", or the shortest and the longest, such as "60s..90s"
        service.s.provisioning = "60s.."                  | line 2, column 26: `60s..` is not a duration, such as "75s", or the shortest and the longest, such as "60s..90s"
        service.s.provisioning = "60s..70s..80s"          | line 2, column 26: `60s..70s..80s` is not a duration, such as "75s", or the shortest and the longest, such as "60s..90s"
        service.s.provisioning = "1s..2h"                 | service.s.provisioning: 2h is out of range; allowed is 0s to 1h
        service.s.restart_backoff = "0s"                  | service.s.restart_backoff: 0s is out of range; allowed is 1ms to 1h
        service.s.restart_backoff = "0s..5m"              | service.s.restart_backoff: 0s is out of range; allowed is 1ms to 1h
    "#]]);
}

#[test]
fn numbers_are_within_bounds() {
    check(&expect![[r#"
        service.s.desired_count = 0               | service.s.desired_count: 0 is out of range; allowed is 1 to 100
        service.s.desired_count = 101             | service.s.desired_count: 101 is out of range; allowed is 1 to 100
        service.s.desired_count = 4294967295      | service.s.desired_count: 4294967295 is out of range; allowed is 1 to 100
        service.s.minimum_healthy_percent = 101   | service.s.minimum_healthy_percent: 101 is out of range; allowed is 0 to 100
        service.s.maximum_percent = 99            | service.s.maximum_percent: 99 is out of range; allowed is 100 to 400
        service.s.maximum_percent = 4294967295    | service.s.maximum_percent: 4294967295 is out of range; allowed is 100 to 400
        service.s.health.healthy_threshold = 0    | service.s.health.healthy_threshold: 0 is out of range; allowed is 1 to 10
        service.s.health.unhealthy_threshold = 11 | service.s.health.unhealthy_threshold: 11 is out of range; allowed is 1 to 10
        service.s.call.tries = 0                  | service.s.call.tries: 0 is out of range; allowed is 1 to 10
        service.s.call.tries = 4294967295         | service.s.call.tries: 4294967295 is out of range; allowed is 1 to 10
    "#]]);
}

#[test]
fn settings_under_which_a_rollout_can_never_move_are_refused() {
    check(&expect![[r#"
        service.s.minimum_healthy_percent = 100; service.s.maximum_percent = 100 | service.s.minimum_healthy_percent: 100 % of 2 tasks keeps 2 healthy while maximum_percent 100 % allows 2 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 3; service.s.maximum_percent = 125     | service.s.minimum_healthy_percent: 100 % of 3 tasks keeps 3 healthy while maximum_percent 125 % allows 3 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 4; service.s.maximum_percent = 125     | good
        service.s.desired_count = 2; service.s.minimum_healthy_percent = 75; service.s.maximum_percent = 100 | service.s.minimum_healthy_percent: 75 % of 2 tasks keeps 2 healthy while maximum_percent 100 % allows 2 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 1; service.s.minimum_healthy_percent = 1; service.s.maximum_percent = 199 | service.s.minimum_healthy_percent: 1 % of 1 tasks keeps 1 healthy while maximum_percent 199 % allows 1 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 1; service.s.minimum_healthy_percent = 0; service.s.maximum_percent = 100 | good
        service.s.health.interval = "5s"; service.s.health.timeout = "5s" | service.s.health.timeout: 5s is not less than the interval of 5s, so checks would overlap
    "#]]);
}

#[test]
fn names_programs_variables_and_paths_are_proper() {
    check(&expect![[r#"
        service.t.command = ["other"]                                    | service: 2 services are given ["s", "t"]; allowed is one, as [service.NAME]
        service.s.command = [""]                                         | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        service.s.command = ["a\u0000b"]                                 | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        service.s.environment.PORT = "80"                                | service.s.environment.PORT: is given to each task by seaworthy; allowed is any other name
        service.s.environment.SEAWORTHY_TASK = "task-1"                  | service.s.environment.SEAWORTHY_TASK: is given to each task by seaworthy; allowed is any other name
        service.s.environment."A=B" = "C"                                | service.s.environment."A=B": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.environment."" = "C"                                   | service.s.environment."": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.environment.A = "\u0000"                               | service.s.environment."A": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.health.path = "health"                                 | service.s.health.path: "health" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = ""                                       | service.s.health.path: "" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/health check"                          | service.s.health.path: "/health check" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/health#now"                            | service.s.health.path: "/health#now" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/gesundheit/prüfen"                     | service.s.health.path: "/gesundheit/prüfen" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/\r\nHost: other"                       | service.s.health.path: "/\r\nHost: other" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        Host: other` is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else | line 2, column 7: key with no value, expected `=`
        service.s.health.matcher = ""                                    | line 2, column 28: `` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "2xx"                                 | line 2, column 28: `2xx` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "299-200"                             | line 2, column 28: `299-200` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "200,600"                             | line 2, column 28: `200,600` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
    "#]]);
}

#[test]
fn one_service_is_named_properly() {
    let error = |text: &str| super::read::<RawFleet, Fleet>(text).unwrap_err();
    let none = "service: 0 services are given []; allowed is one, as [service.NAME]";
    assert_eq!(error("[service]"), none);
    assert!(error("").contains("missing field `service`"));
    for name in ["Store", "my_store", r#""""#, r#""a b""#, &"x".repeat(64)] {
        let error = error(&format!("service.{name}.command = [\"store\"]"));
        assert!(error.contains("is no name of a service; allowed are 1 to 63 of"), "{error}");
    }
}

proptest! {
    /// Whatever is accepted can be reckoned with: no limit overflows, no duration becomes nothing.
    #[test]
    fn any_fleet_is_refused_or_makes_sense(
        count in any::<Option<u32>>(),
        minimum in any::<Option<u32>>(),
        maximum in any::<Option<u32>>(),
        small in (0..120u32, 0..120u32, 90..450u32),
        durations in prop::collection::vec((0..5_000_000_000u64, "ns|us|ms|s|m|h|days|years"), 6),
        scale in 1..1_000u32,
    ) {
        let mut lines = vec![GOOD.to_owned()];
        let numbers = [
            ("desired_count", count.unwrap_or(small.0)),
            ("minimum_healthy_percent", minimum.unwrap_or(small.1)),
            ("maximum_percent", maximum.unwrap_or(small.2)),
        ];
        lines.extend(numbers.map(|(key, value)| format!("service.s.{key} = {value}")));
        let keys = ["provisioning", "start_timeout", "stop_timeout", "restart_backoff",
            "health.timeout", "call.timeout"];
        for (key, (number, unit)) in keys.iter().zip(&durations) {
            // Half of them are left as they are, or hardly any file would be read.
            if number % 2 == 0 {
                lines.push(format!("service.s.{key} = \"{number}{unit}\""));
            }
        }
        if let Ok(fleet) = super::read::<RawFleet, Fleet>(&lines.join("\n")) {
            let cluster = &fleet.service.cluster;
            let (floor, count, ceiling) = (cluster.floor(), cluster.desired_count, cluster.ceiling());
            prop_assert!(floor <= count && count <= ceiling && (floor < count || count < ceiling));
            let fast = fleet.faster(scale).service;
            prop_assert!(fast.cluster.start_timeout > Duration::ZERO);
            prop_assert!(fast.cluster.restart_backoff.0 > Duration::ZERO);
            prop_assert!(fast.health.timeout < fast.health.interval);
        }
    }
}

/// A fleet, each part of it on a line.
fn told(fleet: &Fleet) -> String {
    let Fleet { seed, listen, service } = fleet;
    let Service { name, command, environment, cluster, health, balancing, call } = service;
    format!(
        "{seed} {listen} {name} {command:?} {environment:?}\n{cluster:?}\n{health:?}\n{balancing:?}\n\
         {call:?}\n"
    )
}

fn check(expect: &Expect) {
    golden::check(expect, |step| {
        let read = super::read::<RawFleet, Fleet>(&super::with(GOOD, step));
        vec![read.map_or_else(|error| error, |_| "good".to_owned())]
    });
}
