//! Services that call each other, in virtual time: a fault of each kind meets their calls.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::{Drill, Findings, RawDrill};
use seaworthy_sim::cell;

/// A shop that calls Products, and shows Customers beside them. In the second configuration it waits no
/// longer than 100 ms.
const SHOP: &str = r#"
title = "a small shop"
fleet.service.products = { command = ["p"], call = { retry_status = "none", hedge.enabled = false } }
fleet.service.customers = { command = ["c"], call = { retry_status = "none", hedge.enabled = false } }
fleet.service.shop = { command = ["s"], desired_count = 1, call = { retry_status = "none", hedge.enabled = false } }

[model.shop]
concurrency = 1000
calls.products = { needed = true }
calls.customers = { paths = ["/page"] }

[load]
service = "shop"

[[load.flow]]
name = "products"
rate = 20
paths = ["/products"]

[[load.flow]]
name = "pages"
rate = 20
paths = ["/page"]

[objective]
latency = "500ms"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "300ms"

[[configuration]]
title = "it waits"

[[configuration]]
title = "it does not wait for long"
model.shop.each_call.timeout = "100ms"

[[schedule]]
name = "bad"
duration = "6s"
faults = [{ at = "2s", FAULT }]
"#;

fn shop(fault: &str) -> Drill {
    let raw: RawDrill = toml::from_str(&SHOP.replace("FAULT", fault)).unwrap();
    raw.try_into().unwrap()
}

/// What comes of this fault in both configurations, from a seed.
fn both(fault: &str, seed: u64) -> [Findings; 2] {
    let drill = shop(fault);
    let cells = drill.cells();
    [0, 1].map(|n| cell::run(&drill, cells[n], seed).unwrap())
}

/// Requests that fail and answers that say that they lack something, of 240 in 6 s, in both.
fn figures(fault: &str) -> [(u64, u64); 2] {
    both(fault, 1).map(|findings| {
        assert_eq!(findings.verdict, Verdict::AsExpected, "{fault}: {:?}", findings.reasons);
        (findings.numbers.failed, findings.numbers.degraded)
    })
}

#[test]
fn what_is_done_to_the_way_to_a_service_its_callers_see() {
    let to_products = |fault: &str| figures(&format!(r#"lasts = "1s", to = "products", {fault}"#));
    // Forty requests a second, all of which need Products.
    assert_eq!(to_products("errors = 503"), [(40, 0); 2]);
    assert_eq!(to_products(r#"resets = "100%""#), [(40, 0); 2]);
    assert_eq!(to_products(r#"latency = "200ms""#), [(0, 0), (40, 0)]);
    // When it is healed the stalled calls go on: those of the last half second come in time.
    let [(failed, _), given_up] = to_products(r#"stalls = "100%""#);
    assert!((18..=22).contains(&failed), "{failed}");
    assert!((36..=40).contains(&given_up.0), "but for those of the last 100 ms: {given_up:?}");
    let [(some, _), _] = to_products(r#"resets = "50%""#);
    assert!((10..=30).contains(&some), "{some}");
    // Only pages ask Customers, and do without.
    let to_customers = figures(r#"lasts = "1s", to = "customers", resets = "100%""#);
    assert_eq!(to_customers, [(0, 20); 2]);
}

/// Nobody waits any more for what was held on the way, and tasks do it all the same.
#[test]
fn what_a_link_has_held_is_done_when_it_passes() {
    let slow = SHOP.replace(
        "[model.shop]",
        "model.products = { work = \"50ms\", concurrency = 3, waiting = 1000, notices = true }\n\n[model.shop]",
    );
    let failed = |service: &str| {
        let fault = r#"lasts = "2s", to = "products", stalls = "100%""#;
        let text = slow.replace("FAULT", fault).replace("100ms", "1s");
        let text = text.replace("\"p\"], call = {", service);
        let raw: RawDrill = toml::from_str(&text).unwrap();
        let drill = raw.try_into().unwrap();
        let findings = cell::run(&drill, Drill::cells(&drill)[1], 1).unwrap();
        findings.numbers.failed
    };
    let [served, given_up] = ["serve", "gone"].map(|close| {
        failed(&format!("\"p\"], desired_count = 1, http.half_close = \"{close}\", call = {{"))
    });
    // Of two seconds eighty calls, sixty of which take a second: others are late meanwhile.
    assert!(served > given_up + 20, "{served} {given_up}");
}

#[test]
fn what_is_done_to_the_tasks_of_a_service_its_callers_see() {
    let of_products = |fault: &str| figures(&format!(r#"service = "products", {fault}"#));
    assert_eq!(of_products(r#"lasts = "1s", fail = "all""#), [(40, 0); 2]);
    assert_eq!(of_products(r#"lasts = "1s", reset = "all""#), [(40, 0); 2]);
    assert_eq!(of_products(r#"lasts = "1s", half_answer = "all""#), [(40, 0); 2]);
    assert_eq!(of_products(r#"lasts = "1s", slow = "200ms", tasks = "all""#), [(0, 0), (40, 0)]);
    for (failed, degraded) in of_products(r#"lasts = "1s", hang = "all""#) {
        assert!(failed > 0 && degraded == 0, "{failed} and {degraded}");
    }
    assert_eq!(of_products("kill = 1"), [(0, 0); 2], "there is another one");
    let [(failed, _), (given_up, _)] = of_products(r#"kill = "all""#);
    assert!(failed < given_up, "who waits has it from the next ones: {failed} and {given_up}");
    assert_eq!(of_products("deploy = {}"), [(0, 0); 2]);
}

#[test]
fn a_caller_that_hangs_hears_everything_when_it_goes_on() {
    let [waits, gives_up] = figures(r#"lasts = "300ms", hang = 1, service = "shop""#);
    assert_eq!(waits, (0, 0), "within half a second all is answered");
    assert_eq!(gives_up, (0, 0), "what had come by then has come");
}

#[test]
fn calls_are_counted_and_a_fault_that_meets_none_is_invalid() {
    let [found, _] = both(r#"lasts = "1s", to = "products", resets = "100%""#, 1);
    let calls = &found.calls[0];
    assert_eq!((calls.to, calls.during), (1, 40), "by name products come second: {calls:?}");
    assert!(calls.first_after.is_some_and(|first| first.as_millis() < 100), "{calls:?}");
    let drill = {
        let idle = SHOP.replace(r#"["/page"] }"#, r#"["/none"] }"#);
        let fault = r#"lasts = "1s", to = "customers", resets = "100%""#;
        let raw: RawDrill = toml::from_str(&idle.replace("FAULT", fault)).unwrap();
        Drill::try_from(raw).unwrap()
    };
    let found = cell::run(&drill, drill.cells()[0], 1).unwrap();
    assert_eq!(found.verdict, Verdict::Invalid, "{:?}", found.numbers);
    assert!(found.reasons[0].ends_with("had no effect: no call met it"), "{:?}", found.reasons);
}

#[test]
fn what_nobody_is_known_to_call_cannot_be_disturbed() {
    let alone = SHOP.replace("calls.products = { needed = true }\n", "");
    for (fault, told) in [
        (
            r#"lasts = "1s", to = "products", resets = "100%""#,
            "no program is known to call its service",
        ),
        (
            r#"service = "products", kill = 1"#,
            "no flow of the load asks its service, and no program",
        ),
    ] {
        let raw: RawDrill = toml::from_str(&alone.replace("FAULT", fault)).unwrap();
        let drill = Drill::try_from(raw).unwrap();
        let refused = cell::check(&drill, drill.cells()[0]).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story =
        |seed| format!("{:?}", both(r#"lasts = "1s", to = "products", stalls = "30%""#, seed));
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

/// The shop passes the query on to Products, and goes on; a page would go to both.
#[test]
fn a_query_of_death_kills_whoever_is_asked_for_it_last() {
    let path = |path: &str| format!("query_of_death = \"{path}\"");
    for findings in both(&path("/products"), 1) {
        let places: Vec<usize> = findings.replacements.iter().map(|one| one.service).collect();
        assert!(places.iter().all(|place| *place == 1) && !places.is_empty(), "{places:?}");
    }
    let drill = shop(&path("/page"));
    let error = cell::run(&drill, drill.cells()[0], 1).unwrap_err().to_string();
    assert!(error.contains("`service` can name it"), "{error}");
}

/// Forty calls a second come to a task that does ten: whoever comes after the one that made them finds room if they are
/// gone with it.
#[test]
fn what_a_task_has_asked_for_is_given_up_when_it_dies() {
    let failed = |close: &str| {
        let busy = format!("\"p\"], desired_count = 1, http.half_close = \"{close}\", call = {{");
        let text = SHOP.replace("\"p\"], call = {", &busy).replace(
            "[model.shop]",
            "model.products = { work = \"100ms\", concurrency = 1, waiting = 1000, notices = true }\n\n[model.shop]",
        );
        let text = text.replace("FAULT", "service = \"shop\", kill = 1");
        let drill: Drill = toml::from_str::<RawDrill>(&text).unwrap().try_into().unwrap();
        cell::run(&drill, drill.cells()[0], 1).unwrap().numbers.failed
    };
    let [served, gone] = ["serve", "gone"].map(failed);
    assert!(gone < served, "{gone} {served}");
}
