//! Carts in memory and in the database, as tasks come and go.

use std::path::Path;

use axum::http::HeaderValue;
use seaworthy_store::carts::Carts;
use seaworthy_store::service::carts;
use serde_json::json;

use crate::server::{Answer, DEADLINE, Server, TASK};

fn task(carts: Carts) -> Server {
    Server::with(carts::router(carts, None, HeaderValue::from_static(TASK)), DEADLINE)
}

fn in_database(path: &Path) -> Server {
    task(Carts::in_database(path).unwrap())
}

#[test]
fn a_cart_holds_what_was_put_last() {
    let directory = tempfile::tempdir().unwrap();
    for task in [task(Carts::in_memory()), in_database(&directory.path().join("store.db"))] {
        assert_eq!(task.get("/carts/7").problem(404), "no cart is known of customer `7`");
        for target in ["/carts/7/lamp", "/carts/7/desk?quantity=2", "/carts/7/lamp?quantity=3"] {
            assert_eq!(task.request("PUT", target).status, 200);
        }
        let items =
            json!([{ "product": "desk", "quantity": 2 }, { "product": "lamp", "quantity": 3 }]);
        let cart = task.get("/carts/7").json();
        assert_eq!(cart, json!({ "customer": "7", "items": items }));

        for product in ["desk", "lamp"] {
            task.request("PUT", &format!("/carts/7/{product}?quantity=0"));
        }
        let cart = task.get("/carts/7").json();
        assert_eq!(cart["items"], json!([]), "empty, and still a cart");
        assert_eq!(task.get("/carts/8").status, 404);
    }
}

#[test]
fn a_cart_in_memory_is_known_to_one_task_and_lost_with_it() {
    let (one, other) = (task(Carts::in_memory()), task(Carts::in_memory()));
    for customer in 0..10 {
        assert_eq!(one.request("PUT", &format!("/carts/{customer}/lamp")).status, 200);
    }
    let lost = |task: &Server| {
        (0..10).filter(|customer| task.get(&format!("/carts/{customer}")).status == 404).count()
    };
    assert_eq!((lost(&one), lost(&other)), (0, 10));
    drop(one);
    assert_eq!(lost(&task(Carts::in_memory())), 10, "its replacement knows none");
}

#[test]
fn a_cart_in_the_database_is_known_to_all_tasks_and_outlives_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let (one, other) = (in_database(&path), in_database(&path));
    // All at once: the tasks write at the same time.
    let put = |customer| {
        [(&one, "lamp"), (&other, "desk")]
            .map(|(task, product)| task.send("PUT", &format!("/carts/{customer}/{product}")))
    };
    let sent: Vec<_> = (0..10).flat_map(put).collect();
    for sent in sent {
        assert_eq!(Answer::receive(sent).status, 200);
    }
    drop((one, other));
    let replacement = in_database(&path);
    for customer in 0..10 {
        let cart = replacement.get(&format!("/carts/{customer}")).json();
        assert_eq!(cart["items"].as_array().unwrap().len(), 2, "{cart}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let task = task(Carts::in_memory());
    let detail = task.request("PUT", "/carts/7/lamp?quantity=1001").problem(400);
    assert_eq!(detail, "quantity: `1001` is too many; allowed are 0 to 1000");
    task.request("PUT", "/carts/7/lamp?quantity=-1").problem(400);
    let long = "x".repeat(201);
    task.request("PUT", &format!("/carts/7/{long}")).problem(400);
    assert_eq!(task.request("POST", "/carts/7").header("allow"), Some("GET,HEAD"));
    assert_eq!(task.get("/carts/7").status, 404);
}
