//! A fleet of several services: they find each other, and a new gateway takes over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{Answer, get};
use crate::world::{World, eventually};

/// Three services and the one that calls them. It lasts until somebody ends it.
const FILE: &str = r#"
title = "a shop"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50", "--customers", "20"]]

[fleet.service.products]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db"]
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[fleet.service.customers]
command = ["seaworthy", "store", "customers", "--database", "{run}/store.db"]
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[fleet.service.orders]
command = ["seaworthy", "store", "orders", "--database", "{run}/store.db"]
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[fleet.service.storefront]
command = ["seaworthy", "store", "storefront"]
desired_count = 1
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[load]
service = "storefront"
rate = 20
paths = ["/page/1?q=lamp"]

[objective]
latency = "1s"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "500ms"

[[schedule]]
name = "long"
duration = "10m"
"#;

/// Each service with something that it can be asked for.
const PATHS: [(&str, &str); 4] = [
    ("customers", "/customers/1"),
    ("orders", "/orders/1"),
    ("products", "/products/1"),
    ("storefront", "/page/1?q=lamp"),
];

/// Where each service takes requests, as the keeper has written it down.
fn addresses(world: &World) -> BTreeMap<String, SocketAddr> {
    let mut runs = fs::read_dir(world.temporary()).unwrap().flatten();
    let written = |run: fs::DirEntry| fs::read_to_string(run.path().join("cell-1/fleet.json")).ok();
    let text = runs.find_map(written).unwrap();
    let fleet: Value = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let services = fleet["services"].as_array().unwrap().iter();
    services.map(|s| (text(&s["name"]), text(&s["listen"]).parse().unwrap())).collect()
}

/// What a process has in its environment, as `NAME=VALUE`.
fn environment(pid: u32) -> BTreeSet<String> {
    let text = fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&text).split('\0').map(str::to_owned).collect()
}

fn is_whole(page: &Answer) -> bool {
    let pieces = page.json();
    page.status == 200
        && ["customer", "orders", "products"].iter().all(|piece| !pieces[piece].is_null())
        && !page.head.contains("x-seaworthy-degraded")
}

#[test]
fn services_find_each_other_and_a_new_gateway_serves_them_all() {
    let world = World::new();
    world.write("shop.toml", FILE);
    let started = world.start(&["drill", "shop.toml"], "the load begins");
    let addresses = addresses(&world);
    assert_eq!(addresses.keys().collect::<Vec<_>>(), PATHS.each_ref().map(|(name, _)| name));

    let tasks = world.running(" store ");
    assert_eq!(tasks.len(), 7, "two of each and one storefront");
    for variables in tasks.iter().map(|pid| environment(*pid)) {
        for (name, address) in &addresses {
            let url = format!("SEAWORTHY_URL_{}=http://{address}", name.to_uppercase());
            assert!(variables.contains(&url), "{url} is not in {variables:?}");
        }
    }
    let page = get(addresses["storefront"], "/page/1?q=lamp").unwrap();
    assert!(is_whole(&page), "{page:?}");

    let gateway = world.running("part gateway");
    assert_eq!(gateway.len(), 1);
    let pid = Pid::from_raw(gateway.first().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // Its sockets outlive it: clients wait for the next one instead of being turned away.
    for (service, path) in PATHS {
        let answered = || get(addresses[service], path).filter(|answer| answer.status == 200);
        eventually(&format!("an answer of {service}"), answered);
    }
    let page = || get(addresses["storefront"], "/page/1?q=lamp").filter(is_whole);
    eventually("a whole page", page);
    let next = world.running("part gateway");
    assert!(next.len() == 1 && next != gateway, "{next:?} after {gateway:?}");
    assert_eq!(world.running(" store "), tasks, "no task went with the gateway");

    assert_eq!(started.signal(Signal::INT), Some(130));
    world.assert_nothing_is_left();
}
