//! Fleet files.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use seaworthy_core::cluster::Config;
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

use crate::golden;

const GOOD: &str = r#"service.s.command = ["store", "serve"]"#;

#[test]
fn what_is_left_out_has_its_default() {
    let fleet = super::read::<RawFleet, Fleet>(GOOD).unwrap();
    expect![[r#"
        1
        Gateway { workers: None, admin: None, access_log: Off, stop_timeout: 30s }
        Agent { listen: None, token_file: None }
        s 127.0.0.1:0 ["store", "serve"] {} [] {}
        Config { desired_count: 2, minimum_healthy_percent: 100, maximum_percent: 200, provisioning: (0ns, 0ns), start_timeout: 60s, stop_timeout: 30s, deregistration_delay: 300s, restart_backoff: (1s, 300s), health_grace: 0ns, machines: [], limits: Limits { cpu: None, memory: None, memory_soft: None }, deployment: Config { settle: 10s, breaker: Breaker { percent: 50, minimum: 3, maximum: 200, cumulative: false }, rollback: true, alarm: None, canary: None, quiet: 2s }, autoscaling: None }
        Config { check: Http { path: "/", matcher: Matcher { ranges: [(200, 200)] } }, interval: 2s, fast_interval: 200ms, timeout: 1s, healthy_threshold: 2, unhealthy_threshold: 3, passive: Some(Config { consecutive: 5, window: 10s, minimum_requests: 10, failure_percent: 50, latency_factor: 5, latency_floor: 200ms, latency_for: 1s, ejection: 5s, longest_ejection: 300s, minimum_in_rotation: 1 }) }
        Config { algorithm: LatencyAware, affinity: None, slow_start: 0ns, most_in_flight: None } None 10s
        Config { desync: Defensive, forwarded: Append, most_forwarded: 30, request_id: Trust, half_close: Serve, longest_line: 16384, longest_head: 65536, most_fields: 100, longest_body: None, idle_timeout: 60s, head_timeout: 10s, body_timeout: 30s, write_timeout: 30s, tunnel_timeout: 3600s }
        Route { name: "default", matches: Match { path: Any, methods: [], host: Any, fields: [] }, guard: Config { timeout: Some(60s), breaker: None, bulkhead: None, failure_status: Matcher { ranges: [(500, 599)] } }, tries: 3, retry_status: Some(Matcher { ranges: [(500, 500), (502, 504)] }), hedge: Some(Config { quantile_percent: 99, at_least: 5ms, budget: Config { success_percent: 2, per_second: 1, cap: 100 } }), budget: Some(Config { success_percent: 20, per_second: 1, cap: 100 }), outlasts: 0ns, fallback: None, weights: {} }
    "#]].assert_eq(&told(&fleet));
}

/// Every key there is, none with its default.
const EVERYTHING: &str = r#"
        seed = 7
        [gateway]
        workers = 3
        admin = "127.0.0.1:9901"
        access_log = "/var/log/access.jsonl"
        stop_timeout = "0s"
        [agent]
        listen = "127.0.0.1:9900"
        token_file = "/etc/seaworthy/token"
        [service.store-1]
        listen = "127.0.0.1:8080"
        command = ["store"]
        environment = { RUST_LOG = "info" }
        environment_files = ["a.env", "b.env"]
        secrets = { DB_PASSWORD = "secrets/db" }
        desired_count = 3
        minimum_healthy_percent = 66
        maximum_percent = 134
        provisioning = "60s..90s"
        start_timeout = "100s"
        stop_timeout = "30s"
        deregistration_delay = "1m 30s"
        restart_backoff = "2s"
        health_grace = "20s"
        machines = ["a/1", "a/2", "b/1"]
        limits = { cpu = 0.5, memory = "256MiB", memory_soft = "200MiB" }
        deployment.settle = "5s"
        deployment.rollback = false
        deployment.circuit_breaker = { percent = 25, minimum = 2, maximum = 10, cumulative = true }
        deployment.alarm = { failed_percent = 2, p99 = "300ms", window = "20s", minimum_requests = 100 }
        deployment.canary = { percent = 10, bake = "2m" }
        autoscaling.minimum = 3
        autoscaling.maximum = 9
        autoscaling.requests_per_task = 50
        autoscaling.concurrency = 8
        autoscaling.cpu_percent = 60
        autoscaling.p99 = "200ms"
        autoscaling.scale_out_cooldown = "10s"
        autoscaling.scale_in_cooldown = "60s"
        balancing = "consistent_hash"
        affinity.header = "X-User"
        slow_start = "20s"
        most_in_flight = 50
        weights = { "1" = 1 }
        health.path = "/health?deep=1"
        health.matcher = "200,204-206"
        health.interval = "1s"
        health.timeout = "250ms"
        health.healthy_threshold = 1
        health.unhealthy_threshold = 10
        health.fast_interval = "500ms"
        health.passive.consecutive = 3
        health.passive.window = "20s"
        health.passive.minimum_requests = 20
        health.passive.failure_percent = 40
        health.passive.latency_factor = 4
        health.passive.latency_floor = "100ms"
        health.passive.latency_for = "2s"
        health.passive.ejection = "10s"
        health.passive.longest_ejection = "60s"
        health.passive.minimum_in_rotation = 2
        call.timeout = "1h"
        call.connect_timeout = "1ms"
        call.tries = 10
        call.failure_status = "500,502-504"
        call.outlasts = "30s"
        call.retry_budget = { success_percent = 10, per_second = 0, cap = 5 }
        sticky_cookie = "task"
        http.desync = "strictest"
        http.forwarded = "preserve"
        http.most_forwarded = 5
        http.request_id = "replace"
        http.half_close = "gone"
        http.longest_line = 1000
        http.longest_head = 2000
        http.most_fields = 200
        http.longest_body = 1048576
        http.idle_timeout = "30s"
        http.head_timeout = "5s"
        http.body_timeout = "20s"
        http.write_timeout = "15s"
        http.tunnel_timeout = "10m"
        breaker.window_calls = 50
        breaker.minimum_calls = 10
        breaker.failure_percent = 25
        breaker.slow_threshold = "2s"
        breaker.slow_percent = 80
        breaker.slow_minimum_calls = 30
        breaker.open = "2s"
        breaker.longest_open = "20s"
        breaker.jitter_percent = 0
        breaker.trials = 1
        breaker.trial_lease = "5s"
        breaker.ramp = "0s"
        breaker.ramp_floor_percent = 50
        breaker.mode = "metrics_only"
        bulkhead.size = 7
        [[service.store-1.route]]
        name = "search"
        path_prefix = "/products"
        methods = ["GET", "HEAD"]
        host = "*.Shop.example"
        headers = ["X-Beta", "X-Plan: gold"]
        weights = { "1" = 90, "2" = 10 }
        call.timeout = "1s"
        breaker.enabled = false
        bulkhead.adaptive = { smallest = 2, initial = 4, largest = 8, tolerance_percent = 200 }
"#;

#[test]
fn a_file_that_says_everything_is_meant_as_written() {
    let fleet = super::read::<RawFleet, Fleet>(EVERYTHING).unwrap();
    expect![[r#"
        7
        Gateway { workers: Some(3), admin: Some(127.0.0.1:9901), access_log: File("/var/log/access.jsonl"), stop_timeout: 0ns }
        Agent { listen: Some(127.0.0.1:9900), token_file: Some("/etc/seaworthy/token") }
        store-1 127.0.0.1:8080 ["store"] {"RUST_LOG": "info"} ["a.env", "b.env"] {"DB_PASSWORD": "secrets/db"}
        Config { desired_count: 3, minimum_healthy_percent: 66, maximum_percent: 134, provisioning: (60s, 90s), start_timeout: 100s, stop_timeout: 30s, deregistration_delay: 90s, restart_backoff: (2s, 2s), health_grace: 20s, machines: [Location("a/1"), Location("a/2"), Location("b/1")], limits: Limits { cpu: Some(500), memory: Some(268435456), memory_soft: Some(209715200) }, deployment: Config { settle: 5s, breaker: Breaker { percent: 25, minimum: 2, maximum: 10, cumulative: true }, rollback: false, alarm: Some(Alarm { failed_percent: Some(2), p99: Some(300ms), window: 20s, minimum_requests: 100 }), canary: Some(Canary { percent: 10, bake: 120s }), quiet: 1s }, autoscaling: Some(Config { minimum: 3, maximum: 9, targets: [RequestsPerTask(50), Concurrency(8), Cpu(60), P99(200ms)], scale_out_cooldown: 10s, scale_in_cooldown: 60s }) }
        Config { check: Http { path: "/health?deep=1", matcher: Matcher { ranges: [(200, 200), (204, 206)] } }, interval: 1s, fast_interval: 500ms, timeout: 250ms, healthy_threshold: 1, unhealthy_threshold: 10, passive: Some(Config { consecutive: 3, window: 20s, minimum_requests: 20, failure_percent: 40, latency_factor: 4, latency_floor: 100ms, latency_for: 2s, ejection: 10s, longest_ejection: 60s, minimum_in_rotation: 2 }) }
        Config { algorithm: ConsistentHash, affinity: Some(Header("X-User")), slow_start: 20s, most_in_flight: Some(50) } Some("task") 1ms
        Config { desync: Strictest, forwarded: Preserve, most_forwarded: 5, request_id: Replace, half_close: Gone, longest_line: 1000, longest_head: 2000, most_fields: 200, longest_body: Some(1048576), idle_timeout: 30s, head_timeout: 5s, body_timeout: 20s, write_timeout: 15s, tunnel_timeout: 600s }
        Route { name: "search", matches: Match { path: Prefix("/products"), methods: ["GET", "HEAD"], host: Below("shop.example"), fields: [FieldMatch { name: "X-Beta", value: None }, FieldMatch { name: "X-Plan", value: Some("gold") }] }, guard: Config { timeout: Some(1s), breaker: None, bulkhead: Some(Adaptive(Config { initial: 4, smallest: 2, largest: 8, window: 1s, window_calls: 10, tolerance_percent: 200, smoothing_percent: 20, queue: 4, long_run: 600, backoff_percent: 90 })), failure_status: Matcher { ranges: [(500, 500), (502, 504)] } }, tries: 10, retry_status: Some(Matcher { ranges: [(500, 500), (502, 504)] }), hedge: Some(Config { quantile_percent: 99, at_least: 5ms, budget: Config { success_percent: 2, per_second: 1, cap: 100 } }), budget: Some(Config { success_percent: 10, per_second: 0, cap: 5 }), outlasts: 30s, fallback: None, weights: {1: 90, 2: 10} }
        Route { name: "default", matches: Match { path: Any, methods: [], host: Any, fields: [] }, guard: Config { timeout: Some(3600s), breaker: Some(Config { window: Calls(50), minimum_calls: 10, failure_percent: 25, slow: Some(Slow { threshold: 2s, percent: 80, minimum_calls: 30 }), open: Opening { first: 2s, longest: 20s, jitter_percent: 0 }, trials: Trials { calls: 1, lease: 5s }, ramp: Ramp { length: 0ns, floor_percent: 50 }, mode: MetricsOnly }), bulkhead: Some(Fixed(7)), failure_status: Matcher { ranges: [(500, 500), (502, 504)] } }, tries: 10, retry_status: Some(Matcher { ranges: [(500, 500), (502, 504)] }), hedge: Some(Config { quantile_percent: 99, at_least: 5ms, budget: Config { success_percent: 2, per_second: 1, cap: 100 } }), budget: Some(Config { success_percent: 10, per_second: 0, cap: 5 }), outlasts: 30s, fallback: None, weights: {1: 1} }
    "#]].assert_eq(&told(&fleet));
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_by_line() {
    check(&expect![[r#"
        sevice.s.desired_count = 1           | line 2, column 1: unknown field `sevice`, expected one of `seed`, `gateway`, `agent`, `service`
        seed = -1                            | seed: -1 is out of range; allowed is 0 to 18446744073709551615
        seed = 99999999999999999999          | seed: 99999999999999999999 is out of range; allowed is 0 to 18446744073709551615
        listen = 8080                        | line 2, column 1: unknown field `listen`, expected one of `seed`, `gateway`, `agent`, `service`
        listen = "localhost"                 | line 2, column 1: unknown field `listen`, expected one of `seed`, `gateway`, `agent`, `service`
        service = 1                          | line 2, column 1: duplicate key
        service.s.command = "store"          | line 1, column 21: invalid type: string "store", expected a list in brackets, such as ["…", "…"]
        service.s.command = []               | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        gateway.access_log = "-"             | gateway.access_log: the gateway of a fleet has no standard output, only one alone has; allowed is "off" or a path
        service.s.desired = 2                | line 2, column 11: unknown field `desired`, expected one of `listen`, `targets`, `command`, `environment`, `environment_files`, `secrets`, `desired_count`, `minimum_healthy_percent`, `maximum_percent`, `provisioning`, `start_timeout`, `stop_timeout`, `deregistration_delay`, `restart_backoff`, `health_grace`, `machines`, `limits`, `deployment`, `autoscaling`, `balancing`, `affinity`, `slow_start`, `most_in_flight`, `weights`, `sticky_cookie`, `health`, `call`, `http`, `breaker`, `bulkhead`, `fallback`, `route`
        service.s.desired_count = "2"        | service.s.desired_count: is not a whole number; allowed is 0 to 100
        service.s.desired_count = -2         | service.s.desired_count: -2 is out of range; allowed is 0 to 100
        service.s.desired_count = 2.5        | service.s.desired_count: is not a whole number; allowed is 0 to 100
        service.s.desired_count = 4294967296 | service.s.desired_count: 4294967296 is out of range; allowed is 0 to 100
        service.s.environment.N = 1          | line 2, column 27: invalid type: integer `1`, expected a string
        service.s.balancing = "random"       | line 2, column 23: unknown variant `random`, expected one of `round_robin`, `least_outstanding_requests`, `weighted_random`, `latency_aware`, `consistent_hash`
        service.s.health.intervall = "5s"    | line 2, column 18: unknown field `intervall`, expected one of `protocol`, `path`, `matcher`, `interval`, `fast_interval`, `timeout`, `healthy_threshold`, `unhealthy_threshold`, `passive`
        service.s.health.interval = 5        | line 2, column 29: invalid type: integer `5`, expected a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.health.matcher = 200       | line 2, column 28: invalid type: integer `200`, expected statuses in quotation marks: "200", "200-299", "200,301-303"
        service.s.call.retries = 1           | line 2, column 16: unknown field `retries`, expected one of `connect_timeout`, `timeout`, `tries`, `failure_status`, `outlasts`, `retry_status`, `retry_budget`, `hedge`, `queue`
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
        service.s.desired_count = 0                      | good
        service.s.desired_count = 101                    | service.s.desired_count: 101 is out of range; allowed is 0 to 100
        service.s.desired_count = 4294967295             | service.s.desired_count: 4294967295 is out of range; allowed is 0 to 100
        service.s.minimum_healthy_percent = 101          | service.s.minimum_healthy_percent: 101 is out of range; allowed is 0 to 100
        service.s.maximum_percent = 99                   | service.s.maximum_percent: 99 is out of range; allowed is 100 to 400
        service.s.maximum_percent = 4294967295           | service.s.maximum_percent: 4294967295 is out of range; allowed is 100 to 400
        service.s.health.healthy_threshold = 0           | service.s.health.healthy_threshold: 0 is out of range; allowed is 1 to 10
        service.s.health.unhealthy_threshold = 11        | service.s.health.unhealthy_threshold: 11 is out of range; allowed is 1 to 10
        service.s.health.passive.consecutive = 0         | service.s.health.passive.consecutive: 0 is out of range; allowed is 1 to 1000
        service.s.health.passive.failure_percent = 101   | service.s.health.passive.failure_percent: 101 is out of range; allowed is 1 to 100
        service.s.health.passive.minimum_in_rotation = 0 | service.s.health.passive.minimum_in_rotation: 0 is out of range; allowed is 1 to 100
        service.s.call.tries = 0                         | service.s.call.tries: 0 is out of range; allowed is 1 to 10
        service.s.call.tries = 4294967295                | service.s.call.tries: 4294967295 is out of range; allowed is 1 to 10
    "#]]);
}

#[test]
fn settings_under_which_a_rollout_can_never_move_are_refused() {
    check(&expect![[r#"
        service.s.minimum_healthy_percent = 100; service.s.maximum_percent = 100 | service.s.minimum_healthy_percent: 100 % of 2 tasks keeps 2 healthy while maximum_percent 100 % allows 2 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 3; service.s.maximum_percent = 125     | service.s.minimum_healthy_percent: 100 % of 3 tasks keeps 3 healthy while maximum_percent 125 % allows 3 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 4; service.s.maximum_percent = 125     | good
        service.s.desired_count = 2; service.s.minimum_healthy_percent = 75; service.s.maximum_percent = 100 | service.s.minimum_healthy_percent: 75 % of 2 tasks keeps 2 healthy while maximum_percent 100 % allows 2 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 1; service.s.minimum_healthy_percent = 1; service.s.maximum_percent = 199 | service.s.minimum_healthy_percent: 1 % of 1 task keeps 1 healthy while maximum_percent 199 % allows 1 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
        service.s.desired_count = 1; service.s.minimum_healthy_percent = 0; service.s.maximum_percent = 100 | good
        service.s.health.interval = "5s"; service.s.health.timeout = "5s" | service.s.health.timeout: 5s is not less than the interval of 5s, so checks would overlap
    "#]]);
}

#[test]
fn what_a_task_may_use_is_within_bounds_and_in_proper_order() {
    check(&expect![[r#"
        service.s.limits = {}                                           | good
        service.s.limits = { cpu = 2 }                                  | good
        service.s.limits.cpu = 0.005                                    | service.s.limits.cpu: 0.005 is out of range; allowed is 0.01 to 1024
        service.s.limits.cpu = 0                                        | service.s.limits.cpu: 0 is out of range; allowed is 0.01 to 1024
        service.s.limits.cpu = -1                                       | service.s.limits.cpu: -1 is out of range; allowed is 0.01 to 1024
        service.s.limits.cpu = 0.0001                                   | service.s.limits.cpu: is not a number with up to three decimals; allowed is 0.01 to 1024
        service.s.limits.cpu = nan                                      | service.s.limits.cpu: is not a number with up to three decimals; allowed is 0.01 to 1024
        service.s.limits.cpu = "2"                                      | service.s.limits.cpu: is not a number with up to three decimals; allowed is 0.01 to 1024
        service.s.limits.memory = 256                                   | line 2, column 27: invalid type: integer `256`, expected a size: a whole number with its unit, such as "512KiB", "256MiB" or "2GiB"
        service.s.limits.memory = "256MB"                               | line 2, column 27: `256MB` is not a size: a whole number with its unit, such as "512KiB", "256MiB" or "2GiB"
        service.s.limits.memory = "1.5GiB"                              | line 2, column 27: `1.5GiB` is not a size: a whole number with its unit, such as "512KiB", "256MiB" or "2GiB"
        service.s.limits.memory = "99999999999TiB"                      | line 2, column 27: `99999999999TiB` is not a size: a whole number with its unit, such as "512KiB", "256MiB" or "2GiB"
        service.s.limits.memory = "1000KiB"                             | service.s.limits.memory: 1000KiB is out of range; allowed is 1MiB to 1TiB
        service.s.limits.memory = "2048GiB"                             | service.s.limits.memory: 2TiB is out of range; allowed is 1MiB to 1TiB
        service.s.limits = { memory = "1GiB", memory_soft = "1025MiB" } | service.s.limits.memory_soft: 1025MiB is more than the `memory` of 1GiB, at which a task is killed; allowed is up to that
        service.s.limits = { memory = "1GiB", memory_soft = "1GiB" }    | good
        service.s.limits.memory_soft = "1GiB"                           | good
        service.s.limits.disk = 1                                       | line 2, column 18: unknown field `disk`, expected one of `cpu`, `memory`, `memory_soft`
        service.s.health_grace = "2h"                                   | service.s.health_grace: 2h is out of range; allowed is 0s to 1h
        service.s.health_grace = "0s"                                   | good
    "#]]);
}

#[test]
fn machines_have_names_and_zones() {
    check(&expect![[r#"
        service.s.machines = ["a", "b"]          | good
        service.s.machines = ["a/1", "a/2", "b"] | good
        service.s.machines = []                  | good
        service.s.machines = ["a", "b", "a"]     | service.s.machines[3]: `a` is given twice
        service.s.machines = ["a", "a/1"]        | service.s.machines[2]: `a/1` and `a` are no two machines; allowed is a zone alone where it has but one
        service.s.machines = ["a/1/2"]           | service.s.machines[1]: `a/1/2` is no machine; allowed is ZONE or ZONE/MACHINE, each 1 to 63 of a-z, 0-9 and -
        service.s.machines = ["a", "B"]          | service.s.machines[2]: `B` is no machine; allowed is ZONE or ZONE/MACHINE, each 1 to 63 of a-z, 0-9 and -
        service.s.machines = 2                   | line 2, column 22: invalid type: integer `2`, expected a list in brackets, such as ["…", "…"]
    "#]]);
}

#[test]
fn deployments_are_judged_by_what_can_be() {
    check(&expect![[r#"
        service.s.deployment = {}                                        | good
        service.s.deployment.settle = "0s"                               | good
        service.s.deployment.settle = "61m"                              | service.s.deployment.settle: 1h 1m is out of range; allowed is 0s to 1h
        service.s.deployment.rollback = "yes"                            | line 2, column 33: invalid type: string "yes", expected a boolean
        service.s.deployment.circuit_breaker = {}                        | good
        service.s.deployment.circuit_breaker.percent = 0                 | service.s.deployment.circuit_breaker.percent: 0 is out of range; allowed is 1 to 100
        service.s.deployment.circuit_breaker = { minimum = 5, maximum = 4 } | service.s.deployment.circuit_breaker.minimum: 5 is more than the `maximum` of 4; allowed is up to that
        service.s.deployment.circuit_breaker.maximum = 1                 | good
        service.s.deployment.circuit_breaker.minimum = 300               | good
        service.s.deployment.circuit_breaker.enabled = false             | line 2, column 38: unknown field `enabled`, expected one of `percent`, `minimum`, `maximum`, `cumulative`
        service.s.deployment.alarm = {}                                  | service.s.deployment.alarm.failed_percent: is missing; allowed is this, `p99`, or both
        service.s.deployment.alarm.failed_percent = 1                    | good
        service.s.deployment.alarm.failed_percent = 0                    | service.s.deployment.alarm.failed_percent: 0 is out of range; allowed is 1 to 99
        service.s.deployment.alarm.failed_percent = 100                  | service.s.deployment.alarm.failed_percent: 100 is out of range; allowed is 1 to 99
        service.s.deployment.alarm.p99 = "1s"                            | good
        service.s.deployment.alarm = { p99 = "1s", window = "0s" }       | service.s.deployment.alarm.window: 0s is out of range; allowed is 1ms to 1h
        service.s.deployment.alarm = { p99 = "1s", minimum_requests = 0 } | service.s.deployment.alarm.minimum_requests: 0 is out of range; allowed is 1 to 1000000
        service.s.deployment.canary = {}                                 | good
        service.s.deployment.canary.percent = 0                          | service.s.deployment.canary.percent: 0 is out of range; allowed is 1 to 99
        service.s.deployment.canary.percent = 100                        | service.s.deployment.canary.percent: 100 is out of range; allowed is 1 to 99
        service.s.deployment.canary.bake = "0s"                          | service.s.deployment.canary.bake: 0s is out of range; allowed is 1ms to 1h
        service.s.deployment.canary.steps = 2                            | line 2, column 29: unknown field `steps`, expected `percent` or `bake`
    "#]]);
}

#[test]
fn the_desired_count_follows_something_within_bounds() {
    check(&expect![[r#"
        service.s.autoscaling = {}                                       | service.s.autoscaling.maximum: is missing; allowed is 2 to 100
        service.s.autoscaling = { maximum = 4 }                          | service.s.autoscaling.requests_per_task: is missing; allowed is this, `concurrency`, `cpu_percent`, `p99`, or several of them: without any nothing is tracked
        service.s.autoscaling = { maximum = 4, requests_per_task = 10 }  | good
        service.s.autoscaling = { requests_per_task = 10 }               | service.s.autoscaling.maximum: is missing; allowed is 2 to 100
        service.s.autoscaling = { maximum = 101, p99 = "1s" }            | service.s.autoscaling.maximum: 101 is out of range; allowed is 1 to 100
        service.s.autoscaling = { maximum = 1, p99 = "1s" }              | service.s.autoscaling.maximum: 2 to 1 leaves out the `desired_count` of 2, with which it begins; allowed is what includes it
        service.s.autoscaling = { minimum = 3, maximum = 4, p99 = "1s" } | service.s.autoscaling.minimum: 3 to 4 leaves out the `desired_count` of 2, with which it begins; allowed is what includes it
        service.s.autoscaling = { minimum = 5, maximum = 4, p99 = "1s" } | service.s.autoscaling.minimum: 5 is out of range; allowed is 1 to 4
        service.s.autoscaling = { minimum = 0, maximum = 4, p99 = "1s" } | service.s.autoscaling.minimum: 0 is out of range; allowed is 1 to 4
        service.s.autoscaling = { maximum = 4, requests_per_task = 0 }   | service.s.autoscaling.requests_per_task: 0 is out of range; allowed is 1 to 1000000
        service.s.autoscaling = { maximum = 4, concurrency = 0 }         | service.s.autoscaling.concurrency: 0 is out of range; allowed is 1 to 1000000
        service.s.autoscaling = { maximum = 4, cpu_percent = 101 }       | service.s.autoscaling.cpu_percent: 101 is out of range; allowed is 1 to 100
        service.s.autoscaling = { maximum = 4, p99 = "0s" }              | service.s.autoscaling.p99: 0s is out of range; allowed is 1ms to 1h
        service.s.desired_count = 0; service.s.autoscaling = { maximum = 4, p99 = "1s" } | service.s.autoscaling.minimum: 1 to 4 leaves out the `desired_count` of 0, with which it begins; allowed is what includes it
        service.s.autoscaling = { maximum = 4, p99 = "1s", scale_out_cooldown = "2h" } | service.s.autoscaling.scale_out_cooldown: 2h is out of range; allowed is 0s to 1h
        service.s.autoscaling = { maximum = 4, p99 = "1s", scale_in_cooldown = "0s" } | good
        service.s.autoscaling = { maximum = 4, latency = "1s" }          | line 2, column 40: unknown field `latency`, expected one of `minimum`, `maximum`, `requests_per_task`, `concurrency`, `cpu_percent`, `p99`, `scale_out_cooldown`, `scale_in_cooldown`
        service.s.desired_count = 4; service.s.maximum_percent = 125; service.s.autoscaling = { maximum = 8, cpu_percent = 50 } | good
        service.s.desired_count = 4; service.s.maximum_percent = 125; service.s.autoscaling = { minimum = 1, maximum = 8, cpu_percent = 50 } | service.s.minimum_healthy_percent: 100 % of 1 task, which autoscaling may ask for, keeps 1 healthy while maximum_percent 125 % allows 1 in all: none may be stopped and none started, so a deployment can never move; lower the first or raise the second
    "#]]);
}

#[test]
fn secrets_and_environment_files_are_files() {
    check(&expect![[r#"
        service.s.environment_files = ["a.env"]                          | good
        service.s.environment_files = "a.env"                            | line 2, column 31: invalid type: string "a.env", expected a sequence
        service.s.environment_files = ["a.env", ""]                      | service.s.environment_files[2]: names no file; allowed is a path
        service.s.secrets = { A = "secrets/a" }                          | good
        service.s.secrets.A = ""                                         | service.s.secrets.A: names no file; allowed is a path
        service.s.secrets.A = "a\u0000"                                  | service.s.secrets.A: names no file; allowed is a path
        service.s.secrets.PORT = "port"                                  | service.s.secrets.PORT: is given to each task by seaworthy; allowed is any other name
        service.s.secrets."A=B" = "a"                                    | service.s.secrets."A=B": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.environment.A = "b"; service.s.secrets.A = "a"         | service.s.secrets.A: stands in `environment`, too; allowed is just one of them
        agent.listen = "127.0.0.1:0"                                     | good
        agent.listen = 9900                                              | line 2, column 16: invalid type: integer `9900`, expected socket address
        agent = { listen = "127.0.0.1:9900", token_file = "" }           | agent.token_file: names no file; allowed is a path
        agent.token_file = "token"                                       | agent.token_file: means nothing without `listen`; allowed is both
        agent.token = "1234"                                             | line 2, column 7: unknown field `token`, expected `listen` or `token_file`
        agent.listen = "127.0.0.1:80"; service.s.listen = "127.0.0.1:80" | agent.listen: 127.0.0.1:80 is where `s` listens, too
    "#]]);
}

#[test]
fn health_checks_are_of_one_kind_and_in_proper_order() {
    check(&expect![[r#"
        service.s.health.protocol = "tcp"                                | good
        service.s.health.protocol = "udp"                                | line 2, column 29: unknown variant `udp`, expected `http` or `tcp`
        service.s.health.protocol = "tcp"; service.s.health.path = "/"   | service.s.health.path: means nothing with the protocol "tcp"; allowed is "http"
        service.s.health.protocol = "tcp"; service.s.health.matcher = "200" | service.s.health.matcher: means nothing with the protocol "tcp"; allowed is "http"
        service.s.health.interval = "100ms"                              | good
        service.s.health.interval = "1s"; service.s.health.fast_interval = "2s" | service.s.health.fast_interval: 2s is longer than the interval of 1s; allowed is up to that
        service.s.health.passive = { enabled = false }                   | good
        service.s.health.passive.ejection = "10m"                        | good
        service.s.health.passive = { ejection = "2s", longest_ejection = "1s" } | service.s.health.passive.longest_ejection: 1s is shorter than the first ejection of 2s; allowed is at least that
        service.s.health.passive.ejections = 1                           | line 2, column 26: unknown field `ejections`, expected one of `enabled`, `consecutive`, `window`, `minimum_requests`, `failure_percent`, `latency_factor`, `latency_floor`, `latency_for`, `ejection`, `longest_ejection`, `minimum_in_rotation`
    "#]]);
}

#[test]
fn names_programs_variables_and_paths_are_proper() {
    check(&expect![[r#"
        service.t.command = ["other"]                   | good
        service.s.command = [""]                        | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        service.s.command = ["a\u0000b"]                | service.s.command: names no program; allowed is a program and its arguments, ["PROGRAM", "ARG"]
        service.s.environment.PORT = "80"               | service.s.environment.PORT: is given to each task by seaworthy; allowed is any other name
        service.s.environment.SEAWORTHY_TASK = "task-1" | service.s.environment.SEAWORTHY_TASK: is given to each task by seaworthy; allowed is any other name
        service.s.environment."A=B" = "C"               | service.s.environment."A=B": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.environment."" = "C"                  | service.s.environment."": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.environment.A = "\u0000"              | service.s.environment."A": is no variable; allowed is a name without = and no zero byte anywhere
        service.s.health.path = "health"                | service.s.health.path: "health" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = ""                      | service.s.health.path: "" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/health check"         | service.s.health.path: "/health check" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/health#now"           | service.s.health.path: "/health#now" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/gesundheit/prüfen"    | service.s.health.path: "/gesundheit/prüfen" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.path = "/\r\nHost: other"      | service.s.health.path: "/\r\nHost: other" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.health.matcher = ""                   | line 2, column 28: `` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "2xx"                | line 2, column 28: `2xx` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "299-200"            | line 2, column 28: `299-200` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
        service.s.health.matcher = "200,600"            | line 2, column 28: `200,600` matches no status; allowed are statuses from 100 to 599, ranges and lists: "200", "200-299", "200,301-303"
    "#]]);
}

#[test]
fn how_http_is_taken_has_its_bounds() {
    check(&expect![[r#"
        service.s.http = {}                                         | good
        service.s.http.desync = "off"                               | line 2, column 25: unknown variant `off`, expected one of `monitor`, `defensive`, `strictest`
        service.s.http.forwarded = "replace"                        | line 2, column 28: unknown variant `replace`, expected one of `append`, `preserve`, `remove`
        service.s.http.half_close = "maybe"                         | line 2, column 29: unknown variant `maybe`, expected `serve` or `gone`
        service.s.http.request_id = true                            | line 2, column 29: wanted string or table
        service.s.http.most_forwarded = 1001                        | service.s.http.most_forwarded: 1001 is out of range; allowed is 0 to 1000
        service.s.http.most_fields = 257                            | service.s.http.most_fields: 257 is out of range; allowed is 1 to 256
        service.s.http.longest_line = 63                            | service.s.http.longest_line: 63 is out of range; allowed is 64 to 1048576
        service.s.http.longest_head = 1000                          | service.s.http.longest_head: 1000 is out of range; allowed is 16384 to 1048576
        service.s.http = { longest_line = 500, longest_head = 500 } | good
        service.s.http.longest_line = 100000                        | good
        service.s.http.longest_body = -1                            | service.s.http.longest_body: -1 is out of range; allowed is 0 to 18446744073709551615
        service.s.http.longest_body = 0                             | good
        service.s.http.body_timeout = "0s"                          | service.s.http.body_timeout: 0s is out of range; allowed is 1ms to 1h
        service.s.http.tunnel_timeout = "2h"                        | service.s.http.tunnel_timeout: 2h is out of range; allowed is 1ms to 1h
        service.s.http.timeout = "1s"                               | line 2, column 16: unknown field `timeout`, expected one of `desync`, `forwarded`, `most_forwarded`, `request_id`, `half_close`, `longest_line`, `longest_head`, `most_fields`, `longest_body`, `idle_timeout`, `head_timeout`, `body_timeout`, `write_timeout`, `tunnel_timeout`
    "#]]);
}

#[test]
fn services_are_named_properly() {
    let error = |text: &str| super::read::<RawFleet, Fleet>(text).unwrap_err();
    let none = "service: 0 services are given; allowed are 1 to 100, each as [service.NAME]";
    assert_eq!(error("[service]"), none);
    assert!(error("").contains("missing field `service`"));
    for name in ["Store", "my_store", r#""""#, r#""a b""#, &"x".repeat(64)] {
        let error = error(&format!("service.{name}.command = [\"store\"]"));
        assert!(error.contains("is no name; allowed are 1 to 63 of"), "{error}");
    }
}

#[test]
fn services_stand_in_the_order_of_their_names_and_are_found_by_them() {
    let text = "service.orders.command = [\"o\"]\nservice.new-customers.command = [\"c\"]";
    let fleet = super::read::<RawFleet, Fleet>(text).unwrap();
    let told = fleet.services.iter().map(|s| (s.name.as_str(), s.url_variable()));
    let expected = [
        ("new-customers", "SEAWORTHY_URL_NEW_CUSTOMERS".to_owned()),
        ("orders", "SEAWORTHY_URL_ORDERS".to_owned()),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(fleet.service("orders").map(|s| &s.command), Some(&vec!["o".to_owned()]));
    assert_eq!(fleet.service("order"), None);
}

#[test]
fn policies_that_cannot_work_are_refused() {
    check(&expect![[r#"
        service.s.breaker = {}                                           | good
        service.s.breaker.windows = 1                                    | line 2, column 19: unknown field `windows`, expected one of `enabled`, `mode`, `window`, `window_calls`, `minimum_calls`, `failure_percent`, `slow_threshold`, `slow_percent`, `slow_minimum_calls`, `open`, `longest_open`, `jitter_percent`, `trials`, `trial_lease`, `ramp`, `ramp_floor_percent`
        service.s.breaker.window = 10                                    | line 2, column 28: invalid type: integer `10`, expected a duration: a number with its unit, such as "250ms", "90s" or "5m"
        service.s.breaker = { window = "10s", window_calls = 10 }        | service.s.breaker.window_calls: is given beside `window`; allowed is just one of them
        service.s.breaker.failure_percent = 0                            | service.s.breaker.failure_percent: 0 is out of range; allowed is 1 to 100
        service.s.breaker.slow_percent = 50                              | service.s.breaker.slow_percent: means nothing without `slow_threshold`; allowed is both
        service.s.breaker = { open = "2m" }                              | good
        service.s.breaker = { open = "2m", longest_open = "1m" }         | service.s.breaker: the first open time of 120s is longer than the longest, 60s
        service.s.breaker.mode = "half"                                  | line 2, column 26: unknown variant `half`, expected one of `normal`, `forced_open`, `forced_closed`, `metrics_only`
        service.s.breaker = { minimum_calls = 20 }; service.s.bulkhead.size = 10; service.s.call.timeout = "30s" | service.s.breaker: 10 permits held for 30s come free 0.33 times a second, which gives a window of 10s at most 10 outcomes, and the breaker's minimum is 20: while calls hang the breaker can never open
        service.s.bulkhead.size = 0                                      | service.s.bulkhead.size: 0 is out of range; allowed is 1 to 1000000
        service.s.bulkhead = { size = 5, adaptive = {} }                 | service.s.bulkhead.size: is given beside `adaptive`; allowed is just one of them
        service.s.bulkhead.adaptive = { smallest = 9, largest = 5 }      | service.s.bulkhead.adaptive.smallest: 9 is out of range; allowed is 1 to 5
        service.s.bulkhead.adaptive = { largest = 5 }                    | good
        service.s.fallback.stale_if_error = "25h"                        | service.s.fallback.stale_if_error: 1day 1h is out of range; allowed is 1ms to 1day
        service.s.fallback = {}; service.s.sticky_cookie = "a"           | service.s.sticky_cookie: is given beside `fallback`; allowed is just one of them: an answer to one client is none to another
        service.s.sticky_cookie = "a b"                                  | service.s.sticky_cookie: is no name; allowed are 1 to 63 letters, digits and !#$%&'*+-.^_`|~
        service.s.call.outlasts = "0s"                                   | good
        service.s.call.retry_budget.cap = -1                             | service.s.call.retry_budget.cap: -1 is out of range; allowed is 0 to 1000000
        service.s.route = [{ name = "a" }]                               | service.s.route[1].path: is missing; allowed is this, `path_prefix`, `methods`, `host` or `headers`
        service.s.route = [{ name = "default", path = "/" }]             | service.s.route[1].name: `default` is taken; allowed is a name of its own
        service.s.route = [{ name = "a", path = "/" }, { name = "a", path = "/b" }] | service.s.route[2].name: `a` is taken; allowed is a name of its own
        service.s.route = [{ name = "a", path = "/", path_prefix = "/" }] | service.s.route[1].path_prefix: is given beside `path`; allowed is just one of them
        service.s.route = [{ name = "a", path = "b" }]                   | service.s.route[1].path: "b" is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for all else
        service.s.route = [{ name = "a", methods = ["get"] }]            | service.s.route[1].methods: `get` is no method; allowed are words such as "GET"
        service.s.route = [{ name = "a", methods = ["PUT"], call.connect_timeout = "1s" }] | service.s.route[1].call.connect_timeout: is of a service only: its connections are for all its routes
        service.s.targets = ["127.0.0.1:1"]                              | service.s.targets: is for a service that somebody else runs; allowed with `seaworthy gateway FILE`, where no service has a `command`
        service.s.route = [{ name = "a", path = "/", breaker.trials = 0 }] | service.s.route[1].breaker.trials: 0 is out of range; allowed is 1 to 1000
    "#]]);
}

#[test]
fn requests_are_divided_in_one_way_and_by_what_there_is() {
    check(&expect![[r#"
        service.s.balancing = "round_robin"                              | good
        service.s.balancing = "least_outstanding_requests"; service.s.slow_start = "30s" | good
        service.s.balancing = "weighted_random"; service.s.weights = { "2" = 1, "3" = 0 } | good
        service.s.balancing = "consistent_hash"                          | service.s.affinity: is missing; allowed is "path", "source" or { header = "NAME" }: what is hashed by `consistent_hash`
        service.s.balancing = "consistent_hash"; service.s.affinity = "path" | good
        service.s.balancing = "consistent_hash"; service.s.affinity = "cookie" | line 3, column 22: unknown variant `cookie`, expected one of `path`, `source`, `header`
        service.s.balancing = "consistent_hash"; service.s.affinity = { header = "X User" } | service.s.affinity.header: is no name; allowed are 1 to 63 letters, digits and !#$%&'*+-.^_`|~
        service.s.affinity = "source"                                    | service.s.affinity: means nothing without `balancing = "consistent_hash"`; allowed is both
        service.s.slow_start = "2h"                                      | service.s.slow_start: 2h is out of range; allowed is 0s to 1h
        service.s.most_in_flight = 0                                     | service.s.most_in_flight: 0 is out of range; allowed is 1 to 1000000
        service.s.weights = {}                                           | service.s.weights: leave nothing to anybody; allowed is at least one weight of 1 or more
        service.s.weights = { "1" = 0 }                                  | service.s.weights: leave nothing to anybody; allowed is at least one weight of 1 or more
        service.s.weights = { one = 1 }                                  | service.s.weights: `one` is no revision; allowed are 1, 2, …
        service.s.weights = { "01" = 1 }                                 | service.s.weights: `01` is no revision; allowed are 1, 2, …
        service.s.weights = { "1" = -1 }                                 | service.s.weights.1: -1 is out of range; allowed is 0 to 1000000
        service.s.route = [{ name = "a", host = "a.test", weights = {} }] | service.s.route[1].weights: leave nothing to anybody; allowed is at least one weight of 1 or more
        service.s.route = [{ name = "a", host = "a.test" }]              | good
        service.s.route = [{ name = "a", host = "[::1]" }]               | good
        service.s.route = [{ name = "a", host = "a.test:80" }]           | service.s.route[1].host: `a.test:80` is no host; allowed is one without a port, such as "example.com", or all below one, such as "*.example.com"
        service.s.route = [{ name = "a", host = "*" }]                   | service.s.route[1].host: `*` is no host; allowed is one without a port, such as "example.com", or all below one, such as "*.example.com"
        service.s.route = [{ name = "a", host = "a.*" }]                 | service.s.route[1].host: `a.*` is no host; allowed is one without a port, such as "example.com", or all below one, such as "*.example.com"
        service.s.route = [{ name = "a", headers = ["X-A: b"] }]         | good
        service.s.route = [{ name = "a", headers = ["X A"] }]            | service.s.route[1].headers: is no name; allowed are 1 to 63 letters, digits and !#$%&'*+-.^_`|~
        service.s.route = [{ name = "a", headers = ["X-A:"] }]           | service.s.route[1].headers: "X-A:" has no proper value; allowed is "NAME" or "NAME: VALUE"
    "#]]);
}

proptest! {
    /// Whatever is accepted can be reckoned with: no limit overflows, no duration becomes nothing.
    #[test]
    fn any_fleet_is_refused_or_makes_sense(
        count in any::<Option<u32>>(),
        minimum in any::<Option<u32>>(),
        maximum in any::<Option<u32>>(),
        small in (0..120u32, 0..120u32, 90..450u32),
        durations in prop::collection::vec((0..5_000_000_000u64, "ns|us|ms|s|m|h|days|years"), 9),
        scaling in prop::option::of((0..120u32, 0..120u32)),
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
            "health.timeout", "call.timeout", "slow_start", "health_grace", "deployment.settle"];
        for (key, (number, unit)) in keys.iter().zip(&durations) {
            // Half of them are left as they are, or hardly any file would be read.
            if number % 2 == 0 {
                lines.push(format!("service.s.{key} = \"{number}{unit}\""));
            }
        }
        if let Some((minimum, maximum)) = scaling {
            let keys = format!("{{ minimum = {minimum}, maximum = {maximum}, cpu_percent = 50 }}");
            lines.push(format!("service.s.autoscaling = {keys}"));
        }
        if let Ok(fleet) = super::read::<RawFleet, Fleet>(&lines.join("\n")) {
            let cluster = &fleet.services[0].cluster;
            let (floor, count, ceiling) = (cluster.floor(), cluster.desired_count, cluster.ceiling());
            prop_assert!(floor <= count && count <= ceiling && (floor < count || count < ceiling));
            if let Some(scaling) = &cluster.autoscaling {
                prop_assert!((1..=100).contains(&scaling.minimum));
                prop_assert!((scaling.minimum..=scaling.maximum).contains(&count));
                for desired_count in scaling.minimum..=scaling.maximum {
                    let at = Config { desired_count, ..cluster.clone() };
                    prop_assert!(at.floor() < desired_count || desired_count < at.ceiling());
                }
            }
            let fast = &fleet.faster(scale).services[0];
            prop_assert!(fast.cluster.start_timeout > Duration::ZERO);
            prop_assert!(fast.cluster.restart_backoff.0 > Duration::ZERO);
            prop_assert!(fast.health.timeout < fast.health.interval);
            prop_assert_eq!(fast.http.idle_timeout, Duration::from_secs(60) / scale);
        }
    }
}

#[test]
fn a_faster_life_is_faster_in_all_but_how_long_answers_take() {
    let fleet = super::read::<RawFleet, Fleet>(EVERYTHING).unwrap().faster(10);
    let Config { health_grace, deployment, autoscaling, .. } = &fleet.services[0].cluster;
    let scaling = autoscaling.as_ref().unwrap();
    expect![[r#"
        2s
        Config { settle: 500ms, breaker: Breaker { percent: 25, minimum: 2, maximum: 10, cumulative: true }, rollback: false, alarm: Some(Alarm { failed_percent: Some(2), p99: Some(300ms), window: 2s, minimum_requests: 100 }), canary: Some(Canary { percent: 10, bake: 12s }), quiet: 100ms }
        Config { minimum: 3, maximum: 9, targets: [RequestsPerTask(50), Concurrency(8), Cpu(60), P99(200ms)], scale_out_cooldown: 1s, scale_in_cooldown: 6s }"#]].assert_eq(&format!("{health_grace:?}\n{deployment:?}\n{scaling:?}"));
}

/// What a drill's configuration changes.
#[test]
fn changes_are_taken_over_key_by_key_or_by_the_table() {
    let raw = |text: &str| toml::from_str::<RawFleet>(text).unwrap();
    let mut fleet = raw(EVERYTHING);
    let changes = raw(r#"
        [service.store-1]
        environment_files = ["c.env"]
        secrets = { TOKEN = "token" }
        health_grace = "1s"
        limits.cpu = 2
        deployment.settle = "1s"
        deployment.alarm.p99 = "1s"
        autoscaling = { maximum = 5, concurrency = 1 }
        "#);
    let service = fleet.service.get_mut("store-1").unwrap();
    service.change(&changes.service["store-1"]);
    let Service { cluster, environment_files, secrets, .. } =
        Fleet::try_from(fleet).unwrap().services.remove(0);
    let Config { health_grace, limits, deployment, autoscaling, .. } = cluster;
    expect![[r#"
        ["c.env"] {"DB_PASSWORD": "secrets/db", "TOKEN": "token"} 1s
        Limits { cpu: Some(2000), memory: Some(268435456), memory_soft: Some(209715200) }
        Config { settle: 1s, breaker: Breaker { percent: 25, minimum: 2, maximum: 10, cumulative: true }, rollback: false, alarm: Some(Alarm { failed_percent: None, p99: Some(1s), window: 10s, minimum_requests: 20 }), canary: Some(Canary { percent: 10, bake: 120s }), quiet: 1s }
        Some(Config { minimum: 3, maximum: 5, targets: [Concurrency(1)], scale_out_cooldown: 30s, scale_in_cooldown: 300s })"#]].assert_eq(&format!(
        "{environment_files:?} {secrets:?} {health_grace:?}\n{limits:?}\n{deployment:?}\n{autoscaling:?}"
    ));
}

/// A fleet, each part of it on a line.
fn told(fleet: &Fleet) -> String {
    let Fleet { seed, gateway, agent, services } = fleet;
    let told = services.iter().map(|service| {
        let Service { name, listen, command, environment, cluster, .. } = service;
        let Service { environment_files, secrets, .. } = service;
        let Service { health, balancing, sticky_cookie, call, http, .. } = service;
        let routes: Vec<String> = call.routes.iter().map(|route| format!("{route:?}\n")).collect();
        format!(
            "{name} {listen} {command:?} {environment:?} {environment_files:?} {secrets:?}\n{cluster:?}\n{health:?}\n{balancing:?} \
             {sticky_cookie:?} {:?}\n{http:?}\n{}",
            call.connect_timeout,
            routes.concat()
        )
    });
    format!("{seed}\n{gateway:?}\n{agent:?}\n{}", told.collect::<String>())
}

/// A service that somebody else runs.
const OF_OTHERS: &str = r#"service.s.targets = ["127.0.0.1:8001"]"#;

#[test]
fn a_service_that_somebody_else_runs_has_targets_and_no_tasks_of_ours() {
    golden::check(
        &expect![[r#"
            service.s.targets = ["127.0.0.1:8001", { address = "[::1]:8001", weight = 2, revision = 3 }] | good
            service.s.targets = []                                           | service.s.targets: 0 are given; allowed are 1 to 100 addresses, such as ["127.0.0.1:8001"]
            service.s.targets = ["localhost:8001"]                           | service.s.targets[1].address: `localhost:8001` is not an address; allowed is IP:PORT, such as "127.0.0.1:8001": names are not looked up
            service.s.targets = ["127.0.0.1:0"]                              | service.s.targets[1].address: `127.0.0.1:0` is not an address; allowed is IP:PORT, such as "127.0.0.1:8001": names are not looked up
            service.s.targets = ["127.0.0.1:1", { address = "127.0.0.1:1" }] | service.s.targets[2]: 127.0.0.1:1 stands there twice; `weight` is for more
            service.s.targets = [{ weight = 1 }]                             | missing field `address`
            service.s.targets = [{ address = "127.0.0.1:1", wait = 1 }]      | unknown field `wait`, expected one of `address`, `weight`, `revision`
            service.s.targets = [{ address = "127.0.0.1:1", weight = 0 }]    | service.s.targets[1].weight: 0 is out of range; allowed is 1 to 1000
            service.s.targets = [{ address = "127.0.0.1:1", revision = 0 }]  | service.s.targets[1].revision: 0 is out of range; allowed is 1 to 4294967295
            service.s.targets = [8001]                                       | invalid type: integer `8001`, expected an address, such as "127.0.0.1:8001", or a table with `address`
            service.s.balancing = "least_outstanding_requests"               | good
            service.t = { targets = ["127.0.0.1:1"], listen = "127.0.0.1:8080" }; service.s.listen = "127.0.0.1:8080" | service.t.listen: 127.0.0.1:8080 is where `s` listens, too
            service.s.command = ["store"]                                    | service.s.command: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.desired_count = 2                                      | service.s.desired_count: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.stop_timeout = "1s"                                    | service.s.stop_timeout: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.environment.A = "b"                                    | service.s.environment: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.environment_files = ["a.env"]                          | service.s.environment_files: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.secrets.A = "a"                                        | service.s.secrets: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.health_grace = "1s"                                    | service.s.health_grace: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.limits.cpu = 1                                         | service.s.limits: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.deployment.settle = "1s"                               | service.s.deployment: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            service.s.autoscaling = {}                                       | service.s.autoscaling: is about tasks that seaworthy starts and stops; those at `targets` somebody else does
            agent.listen = "127.0.0.1:1"                                     | agent: is about a fleet that seaworthy runs; a gateway alone has no agent
            gateway.workers = 0                                              | gateway.workers: 0 is out of range; allowed is 1 to 64
            gateway.workers = 65                                             | gateway.workers: 65 is out of range; allowed is 1 to 64
            gateway.admin = 9901                                             | invalid type: integer `9901`, expected socket address
            gateway.access_log = ""                                          | gateway.access_log: names no file; allowed is "off", a path, or "-" for the standard output of a gateway alone
            gateway.access_log = "-"                                         | good
            gateway.stop_timeout = "2h"                                      | gateway.stop_timeout: 2h is out of range; allowed is 0s to 1h
            gateway.listen = "127.0.0.1:1"                                   | unknown field `listen`, expected one of `workers`, `admin`, `access_log`, `stop_timeout`
        "#]],
        |step| {
            let raw: Result<RawFleet, _> = toml::from_str(&super::with(OF_OTHERS, step));
            let read = raw.map_err(|error| error.message().to_owned());
            let read =
                read.and_then(|raw| Fleet::of_others(raw).map_err(|error| error.to_string()));
            vec![read.map_or_else(|error| error, |_| "good".to_owned())]
        },
    );
}

#[test]
fn targets_are_meant_as_written() {
    let text = r#"service.s.targets = ["127.0.0.1:8001", { address = "[::1]:8002", weight = 2, revision = 3 }]"#;
    let raw: RawFleet = toml::from_str(text).unwrap();
    assert!(raw.is_of_others());
    let service = Fleet::of_others(raw).unwrap().services.remove(0);
    let told = service.targets.iter().map(|t| (t.address.to_string(), t.weight, t.revision));
    let expected = [("127.0.0.1:8001".to_owned(), 1, 1), ("[::1]:8002".to_owned(), 2, 3)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!((service.cluster.desired_count, service.command.len()), (2, 0));
}

fn check(expect: &Expect) {
    golden::check(expect, |step| {
        let read = super::read::<RawFleet, Fleet>(&super::with(GOOD, step));
        vec![read.map_or_else(|error| error, |_| "good".to_owned())]
    });
}
