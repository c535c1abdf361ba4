//! Which route a request goes by, and to which task that leads.

use seaworthy_core::endpoints::Endpoint;
use serde_json::json;

use crate::harness::{Gateway, Task};

/// What is left of the time as the task is told it says which route's timeout counts.
#[test]
fn a_route_is_found_by_host_and_fields() {
    let task = Task::good(1);
    let route = json!({
        "name": "beta",
        "host": "*.shop.test",
        "headers": ["X-Plan: gold", "X-Beta"],
        "call": { "timeout": "1s" },
    });
    let settings = json!({ "call": { "timeout": "60s" }, "route": [route] });
    let gateway = Gateway::of_service(&settings, &[&task]);
    let by_route = |target: &str, host: &str, fields: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        assert_eq!(gateway.client().send(head).answer().status(), 200);
        let requests = task.requests();
        let left = requests.last().and_then(|request| request.field("X-Request-Timeout-Ms"));
        left.expect("it is told").parse::<u64>().expect("milliseconds") <= 1000
    };
    let fields = "X-Beta: \r\nX-Plan: silver\r\nX-Plan: gold\r\n";
    assert!(by_route("/", "a.shop.test", fields));
    assert!(by_route("/", "A.Shop.Test:8080", fields));
    assert!(by_route("http://a.shop.test/", "other.test", fields), "the target counts more");
    assert!(!by_route("http://other.test/", "a.shop.test", fields));
    assert!(!by_route("/", "shop.test", fields));
    assert!(!by_route("/", "a.shop.test", "X-Plan: gold\r\n"));
    assert!(!by_route("/", "a.shop.test", "X-Beta: 1\r\nX-Plan: golden\r\n"));
}

#[test]
fn a_route_may_lead_to_one_revision() {
    let (old, new) = (Task::good(1), Task::good(2));
    let settings = json!({
        "weights": { "1": 1, "2": 0 },
        "route": [{ "name": "new", "path_prefix": "/new", "weights": { "2": 1 } }],
    });
    let gateway = Gateway::of_service(&settings, &[&old, &new]);
    let tasks = [(&old, 1), (&new, 2)];
    let endpoint = |(task, revision): (&Task, _)| Endpoint {
        revision,
        ..Endpoint::new(task.id, task.address)
    };
    gateway.publish(tasks.map(endpoint).into());
    for _ in 0..4 {
        assert_eq!(gateway.get("/").text(), "task-1");
        assert_eq!(gateway.get("/new/1").text(), "task-2");
    }
    gateway.register(&[&old]);
    assert_eq!(gateway.get("/new/1").text(), "task-1", "there is none of the other revision");
}

#[test]
fn a_consistent_hash_brings_what_belongs_together_to_one_task() {
    let tasks = [Task::good(1), Task::good(2), Task::good(3)];
    let settings = json!({ "balancing": "consistent_hash", "affinity": { "header": "X-User" } });
    let gateway = Gateway::of_service(&settings, &tasks.each_ref());
    let ask = |user: u32, path: u32| {
        let head = format!("GET /{path} HTTP/1.1\r\nHost: test\r\nX-User: {user}\r\n\r\n");
        gateway.client().send(head).answer().text().to_owned()
    };
    let tasks_of: Vec<String> = (0..20).map(|user| ask(user, 0)).collect();
    for (user, task) in tasks_of.iter().enumerate() {
        assert_eq!(ask(user as u32, 1), *task);
    }
    assert!(["task-1", "task-2", "task-3"].iter().all(|task| tasks_of.iter().any(|t| t == task)));
}
