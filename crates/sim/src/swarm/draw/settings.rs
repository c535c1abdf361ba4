//! Draws what is written of a service: lines of its fleet file, and of what its program is like.

use std::ops::Range;

use crate::distribution::Dice;
use crate::swarm::scenario::name;

/// Lines of a service's table. Each may be left out.
pub(super) fn draw(dice: &mut Dice, calm: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let count = dice.between(1, 6);
    lines.push(format!("desired_count = {count}"));
    let mut sometimes = |dice: &mut Dice, share: f64, line: &mut dyn FnMut(&mut Dice) -> String| {
        if dice.chance(share) {
            lines.push(line(dice));
        }
    };
    let one = |dice: &mut Dice, all: &[&'static str]| dice.one_of(all);
    for (share, key, values) in VALUES {
        sometimes(dice, *share, &mut |dice| format!("{key} = {}", one(dice, values)));
    }
    sometimes(dice, 0.25, &mut |dice| {
        let most = dice.between(count, 8);
        format!(
            "autoscaling = {{ minimum = {}, maximum = {most}, {}, scale_out_cooldown = {}, \
             scale_in_cooldown = {} }}",
            dice.between(1, count),
            one(
                dice,
                &[
                    "requests_per_task = 5",
                    "requests_per_task = 20",
                    "concurrency = 2",
                    "p99 = '200ms'"
                ]
            ),
            one(dice, &["'1s'", "'3s'"]),
            one(dice, &["'2s'", "'5s'"]),
        )
    });
    let routes = if calm { CALM_ROUTES } else { ROUTES };
    sometimes(dice, 0.2, &mut |dice| format!("route = [{}]", one(dice, routes)));
    // What turns requests away on purpose.
    if !calm {
        for (share, key, values) in SHEDDING {
            sometimes(dice, *share, &mut |dice| format!("{key} = {}", one(dice, values)));
        }
    }
    lines
}

/// In how many scenarios a key is given, and with which values.
pub(super) type Values = &'static [(f64, &'static str, &'static [&'static str])];

/// How the tasks of the first of these services call the others.
pub(super) fn calls(dice: &mut Dice, places: Range<usize>, calm: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for to in places.skip(1) {
        if !dice.chance(0.7) {
            continue;
        }
        let mut keys = Vec::new();
        for (share, key, values) in CALLS {
            if dice.chance(*share) {
                keys.push(format!("{key} = {}", dice.one_of(values)));
            }
        }
        for (share, key, values) in CALLS_SHED.iter().filter(|_| !calm) {
            if dice.chance(*share) {
                keys.push(format!("{key} = {}", dice.one_of(values)));
            }
        }
        lines.push(format!("calls.{} = {{ {} }}", name(to), keys.join(", ")));
    }
    if !lines.is_empty() && !calm && dice.chance(0.6) {
        lines.push(format!("pool = {}", dice.one_of(POOLS)));
    }
    lines
}

const VALUES: Values = &[
    (0.7, "minimum_healthy_percent", &["0", "34", "50", "66", "75", "100"]),
    (0.7, "maximum_percent", &["100", "100", "125", "150", "200", "300"]),
    (0.5, "provisioning", &["'0s'", "'500ms'", "'1s..3s'"]),
    (1.0, "start_timeout", &["'3s'", "'5s'", "'10s'"]),
    (1.0, "stop_timeout", &["'500ms'", "'2s'", "'5s'"]),
    (1.0, "deregistration_delay", &["'2s'", "'5s'"]),
    (1.0, "restart_backoff", &["'100ms..2s'", "'500ms..5s'", "'1s..10s'"]),
    (0.2, "health_grace", &["'1s'", "'3s'"]),
    (1.0, "deployment.settle", &["'0s'", "'500ms'", "'1s'", "'3s'"]),
    (0.3, "deployment.rollback", &["false"]),
    (
        0.3,
        "deployment.circuit_breaker",
        &["{ minimum = 1, maximum = 2 }", "{ percent = 100, cumulative = true }"],
    ),
    (0.7, "deployment.canary", &["{ percent = 10, bake = '2s' }", "{ percent = 50, bake = '1s' }"]),
    (
        0.3,
        "deployment.alarm",
        &[
            "{ failed_percent = 10, window = '2s', minimum_requests = 5 }",
            "{ failed_percent = 50, p99 = '800ms', window = '3s' }",
        ],
    ),
    (0.7, "health.interval", &["'500ms'", "'1s'", "'3s'"]),
    (0.3, "health.healthy_threshold", &["1", "3"]),
    (0.3, "health.unhealthy_threshold", &["1", "2", "5"]),
    (0.1, "health.passive.enabled", &["false"]),
    (0.6, "health.passive.consecutive", &["2", "3"]),
    (0.3, "health.passive.failure_percent", &["20", "30"]),
    (0.8, "health.passive.ejection", &["'1s'", "'3s'"]),
    (0.9, "health.passive.longest_ejection", &["'10s'", "'20s'"]),
    (0.2, "health.passive.minimum_in_rotation", &["2", "3"]),
    (0.3, "health.passive.latency_floor", &["'50ms'"]),
    (
        0.6,
        "balancing",
        &[
            "'round_robin'",
            "'least_outstanding_requests'",
            "'weighted_random'",
            "'latency_aware'",
            "'consistent_hash'\naffinity = 'source'",
        ],
    ),
    (0.15, "weights", &["{ 1 = 50, 2 = 50 }", "{ 1 = 0, 2 = 1 }", "{ 1 = 0, 2 = 1, 3 = 1 }"]),
    (0.15, "sticky_cookie", &["'home'"]),
    (0.3, "http.half_close", &["'gone'"]),
    (0.3, "slow_start", &["'1s'", "'5s'"]),
    (1.0, "call.timeout", &["'1500ms'", "'3s'", "'5s'"]),
    (0.3, "call.connect_timeout", &["'500ms'"]),
    (0.4, "call.tries", &["1", "2", "5"]),
    (0.35, "call.outlasts", &["'1s'", "'4s'"]),
    (0.2, "call.retry_status", &["'none'", "'500-599'"]),
    (
        0.3,
        "call.retry_budget",
        &["{ success_percent = 10, per_second = 1, cap = 5 }", "{ success_percent = 0, cap = 3 }"],
    ),
    (
        0.5,
        "call.hedge",
        &[
            "{ at_least = '10ms' }",
            "{ enabled = false }",
            "{ at_least = '30ms', quantile_percent = 90, budget = { success_percent = 20 } }",
        ],
    ),
];

const SHEDDING: Values = &[
    (0.4, "call.queue", &["{ enabled = false }", "{ most_calls = 3 }", "{ most_calls = 20 }"]),
    (0.3, "most_in_flight", &["2", "5", "20"]),
    (
        0.5,
        "breaker",
        &[
            "{ window = '2s', minimum_calls = 5, open = '500ms', longest_open = '4s', trials = 2, ramp = '0s' }",
            "{ window_calls = 20, minimum_calls = 10, open = '1s', longest_open = '5s', ramp = '2s' }",
            "{ window = '5s', slow_threshold = '300ms', open = '1s', longest_open = '2s', trial_lease = '1s' }",
        ],
    ),
    (
        0.5,
        "bulkhead",
        &["{ size = 4 }", "{ size = 10 }", "{ size = 50 }", "{ adaptive = { initial = 10 } }"],
    ),
];

/// Beside the one for everything else. An order is one of four things that are asked for.
const ROUTES: &[&str] = &[
    "{ name = 'orders', path_prefix = '/orders', breaker.minimum_calls = 5, bulkhead.size = 5 }",
    "{ name = 'writes', methods = ['POST'], call.tries = 1, breaker.enabled = false }",
    "{ name = 'things', path_prefix = '/things', call.retry_budget = { cap = 2, per_second = 0 } }",
    "{ name = 'reads', methods = ['GET'], call.hedge.enabled = false, bulkhead.size = 8 }, \
     { name = 'orders', path_prefix = '/orders', call.tries = 5 }",
];

const CALM_ROUTES: &[&str] = &[
    "{ name = 'orders', path_prefix = '/orders', call.retry_budget = { cap = 2, per_second = 0 } }",
    "{ name = 'writes', methods = ['POST'], call.timeout = '4s' }",
];

const CALLS: Values = &[
    (0.7, "timeout", &["'1s'", "'2s'", "'4s'"]),
    (0.6, "needed", &["true"]),
    (
        0.6,
        "retry",
        &[
            "{ tries = 2 }",
            "{ tries = 3, pause = '10ms', budget = { success_percent = 10, cap = 3 } }",
            "{ tries = 5, pause = '100ms', budget = { success_percent = 0, per_second = 2, cap = 5 } }",
        ],
    ),
    (0.3, "fallback", &["{ stale_if_error = '5s' }", "{ most_answers = 5 }"]),
];

const CALLS_SHED: Values = &[
    (
        0.4,
        "breaker",
        &[
            "{ window = '5s', minimum_calls = 5, open = '500ms', longest_open = '2s', ramp = '0s' }",
            "{ window_calls = 10, minimum_calls = 5, open = '1s', longest_open = '4s', trials = 1 }",
        ],
    ),
    (0.4, "bulkhead", &["{ size = 3 }", "{ size = 10 }"]),
];

const POOLS: &[&str] = &["{ size = 2, waiting = 10 }", "{ size = 5, waiting = 100 }"];
