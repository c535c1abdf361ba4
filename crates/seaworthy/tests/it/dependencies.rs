//! Drills that disturb a service on the way to it, or ask it to misbehave.

use serde_json::Value;

use crate::world::{World, code_and_words};

/// A storefront of five slots, without any pattern, that calls Products and Customers.
const SHOP: &str = r#"
title = "a small shop"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50", "--customers", "20"]]
claims = [CLAIMS]

[fleet.service.products]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db"]
desired_count = 1
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[fleet.service.customers]
command = ["seaworthy", "store", "customers", "--database", "{run}/store.db"]
desired_count = 1
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[fleet.service.storefront]
command = ["seaworthy", "store", "storefront"]
desired_count = 1
health = { path = "/health", interval = "200ms", timeout = "150ms" }
environment = { STOREFRONT_CONCURRENCY = "5", STOREFRONT_BULKHEADS = "shared", STOREFRONT_TIMEOUT = "none", STOREFRONT_BREAKER = "off", STOREFRONT_FALLBACK = "error", STOREFRONT_RETRY = "off" }

[load]
service = "storefront"

[[load.flow]]
name = "products"
rate = 20
paths = ["/products?q=lamp"]

[[load.flow]]
name = "customers"
rate = 20
paths = ["/customers/1"]

[objective]
latency = "500ms"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "300ms"

[[configuration]]
title = "no timeout"

[[configuration]]
title = "a timeout"
service.storefront.environment = { STOREFRONT_TIMEOUT = "100ms" }

[[schedule]]
name = "bad"
duration = "3s"
faults = [FAULTS]
"#;

/// Two tasks of one service that does what a drill asks for.
const ONE: &str = r#"
title = "a service that misbehaves"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50"]]
claims = [CLAIMS]

[fleet.service.products]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db", "--faults", "--query-of-death", "kraken"]
provisioning = "200ms"
call = { tries = 1 }
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[load]
rate = 50
paths = ["/products?q=lamp"]

[objective]
latency = "500ms"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "300ms"

[[schedule]]
name = "bad"
duration = "2s"
faults = [FAULTS]
"#;

/// Carts of 60 users, who fill them and look into them again.
const CARTS: &str = r#"
title = "carts"
claims = [
    "{1.kill.look.failed} >= 10",
    "{2.kill.look.failed} <= 0",
    "{1.kill.fill.failed} + {2.kill.fill.failed} <= 0",
    "{1.kill.gone} + {2.kill.gone} <= 2",
]

[fleet.service.carts]
command = ["seaworthy", "store", "carts", "--database", "{run}/carts.db"]
provisioning = "200ms"
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[[load.flow]]
name = "fill"
method = "PUT"
rate = 60
users = 60
until = "1s"
paths = ["/carts/{user}/17?quantity=2"]

[[load.flow]]
name = "look"
rate = 60
users = 60
from = "2s"
until = "3s"
paths = ["/carts/{user}"]

[objective]
latency = "1s"
success = "100%"

[hypothesis]
window = "500ms"
tolerated_gap = "2s"

[[configuration]]
title = "in memory, sticky"
service.carts.environment = { STORE_CART = "memory" }
service.carts.sticky_cookie = "task"

[[configuration]]
title = "in the database"

[[schedule]]
name = "kill"
duration = "3s"
faults = [{ at = "1500ms", kill = 1 }]
"#;

fn with(file: &str, faults: &str, claims: &str) -> String {
    file.replace("FAULTS", faults).replace("CLAIMS", claims)
}

/// The figures of the first cell in `out.json`.
fn cell(world: &World) -> Value {
    let text = std::fs::read_to_string(world.path("out.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    report["cells"][0].clone()
}

#[test]
fn a_slow_dependency_stops_its_caller_unless_that_has_a_timeout() {
    let world = World::new();
    let slow = r#"{ at = "500ms", lasts = "2s", latency = "30s", to = "products" }"#;
    // Nothing is wrong with Customers: what fails there had no slot.
    let true_one = "{1.bad.customers.failed} >= {2.bad.customers.failed} + 10";
    world.write("drill.toml", &with(SHOP, slow, &format!("\"{true_one}\"")));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("holds  {1.bad.customers.failed} >= "), "{words}");

    let claims = format!("\"{true_one}\", \"{{2.bad.requests}} <= 1\"");
    world.write("drill.toml", &with(SHOP, slow, &claims));
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--cell", "2"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("fails  {2.bad.requests} <= 1 (120 against 1)"), "{words}");
    assert!(
        words.contains("open   {1.bad.customers.failed} >= "),
        "its other cell was not run: {words}"
    );
    world.assert_nothing_is_left();
}

/// One after the other, each for all requests.
const WAYS: &str = r#"
    { at = "500ms", lasts = "500ms", errors = 503, to = "products" },
    { at = "1s", lasts = "500ms", resets = "100%", to = "products" },
    { at = "1500ms", lasts = "500ms", stalls = "100%", to = "products" },
"#;

#[test]
fn errors_resets_and_stalls_each_meet_calls() {
    let world = World::new();
    let claims = r#""{2.bad.products.failed} >= 20", "{2.bad.gone} <= 0""#;
    world.write("drill.toml", &with(SHOP, WAYS, claims));
    let arguments = ["--cell", "2", "--json", "out.json"];
    let (code, words) = code_and_words(&world.judged("drill.toml", &arguments));
    assert_eq!(code, Some(0), "{words}");
    let cell = cell(&world);
    let faults: Vec<&str> =
        cell["calls"].as_array().unwrap().iter().map(|c| c["fault"].as_str().unwrap()).collect();
    let named = [
        "503 for 100 % of the requests at 500ms for 500ms",
        "resets of 100 % of the requests at 1s for 500ms",
        "stalls of 100 % of the requests at 1.5s for 500ms",
    ];
    assert_eq!(faults, named);
    for calls in cell["calls"].as_array().unwrap() {
        assert_eq!(calls["service"], "products");
        assert!(calls["during"].as_u64() > Some(0), "{cell}");
    }
    world.assert_nothing_is_left();
}

#[test]
fn a_fault_that_no_call_meets_is_invalid() {
    let world = World::new();
    // The storefront answers for itself.
    let file = with(SHOP, WAYS, "").replace("/products?q=lamp", "/health");
    world.write("drill.toml", &file);
    let arguments = ["--cell", "2", "--json", "out.json"];
    let (code, words) = code_and_words(&world.judged("drill.toml", &arguments));
    assert_eq!(code, Some(3), "{words}");
    let cell = cell(&world);
    let reasons = cell["reasons"].as_array().unwrap();
    let idle =
        |reason: &&Value| reason.as_str().unwrap().ends_with("had no effect: no call met it");
    assert_eq!(reasons.iter().filter(idle).count(), 3, "{reasons:?}");
    world.assert_nothing_is_left();
}

#[test]
fn a_task_that_is_asked_to_leak_dies_of_it() {
    let world = World::new();
    let leak = r#"{ at = "500ms", ask = "/faults/leak?bytes_per_second=50000000&limit=10000000" }"#;
    world.write("drill.toml", &with(ONE, leak, r#""{1.bad.gone} >= 1""#));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("&limit=10000000 to 1 task: task-1"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn a_task_that_does_not_do_as_it_is_asked_makes_a_drill_invalid() {
    let world = World::new();
    let leak = r#"{ at = "500ms", ask = "/faults/leak?bytes_per_second=1" }"#;
    let file = with(ONE, leak, "").replace(r#", "--faults", "--query-of-death", "kraken""#, "");
    world.write("drill.toml", &file);
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
    assert_eq!(code, Some(3), "{words}");
    let reason = cell(&world)["reasons"][0].to_string();
    assert!(reason.contains("had no effect: a task answered with 404"), "{reason}");
    world.assert_nothing_is_left();
}

#[test]
fn a_query_of_death_kills_or_the_drill_is_invalid() {
    let world = World::new();
    let query = r#"{ at = "500ms", query_of_death = "/products?q=kraken" }"#;
    // As it kills, nobody asks why the task went.
    world.write("drill.toml", &with(ONE, query, r#""{1.bad.gone} >= 1""#));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");

    world.write("drill.toml", &with(ONE, &query.replace("kraken", "lamp"), ""));
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
    assert_eq!(code, Some(3), "{words}");
    let reason = cell(&world)["reasons"][0].to_string();
    let expected = "within 2s of the query of death /products?q=lamp at 500ms no task ended";
    assert!(reason.contains(expected), "{reason}");
    world.assert_nothing_is_left();
}

#[test]
fn carts_in_memory_die_with_their_task_and_others_do_not() {
    let world = World::new();
    world.write("drill.toml", CARTS);
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(words.matches("holds  {").count(), 4, "{words}");
    // Only those of the one task.
    let look = &cell(&world)["flows"][1];
    let [failed, requests] = ["failed", "requests"].map(|key| look[key].as_u64().unwrap());
    assert!(failed < requests, "{look}");
    world.assert_nothing_is_left();
}
