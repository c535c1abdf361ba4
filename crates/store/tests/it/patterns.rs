//! Each pattern with and without, over dependencies under a script.

use std::io::Write;
use std::time::{Duration, Instant};

use seaworthy_core::policy::timeout::HEADER;
use seaworthy_store::storefront::{Bulkheads, DEGRADED_HEADER, Fallback, Settings};
use serde_json::{Value, json};

use crate::dependency::{Act, Dependencies, Dependency};
use crate::server::{Answer, Server, until};

/// No pattern, and this many slots for all.
fn bare(concurrency: u32) -> Settings {
    Settings {
        concurrency,
        bulkheads: Bulkheads::Shared,
        timeout: None,
        breaker: None,
        fallback: Fallback::Error,
        retry: false,
    }
}

fn patterns(storefront: &Server) -> Value {
    storefront.get("/patterns").json()
}

#[test]
fn without_a_timeout_one_that_hangs_takes_all_shared_slots_and_everything_stops() {
    let dependencies = Dependencies::new();
    let storefront = dependencies.storefront(&bare(4));
    dependencies.products.does(Act::Hang);
    let hanging: Vec<_> = (0..4).map(|_| storefront.send("GET", "/products")).collect();
    until("all slots are taken", || dependencies.products.calls() == 4);

    let others = ["/customers/1", "/orders/1", "/products"];
    let others = others.map(|target| storefront.send("GET", target));
    until("the others wait", || patterns(&storefront)["pool"]["waiting"] == 3);
    assert_eq!(patterns(&storefront)["pool"]["taken"], 4);
    let reached = [&dependencies.customers, &dependencies.orders].map(Dependency::calls);
    assert_eq!(reached, [0, 0], "nobody is called");

    dependencies.products.release();
    for sent in hanging.into_iter().chain(others) {
        assert_eq!(Answer::receive(sent).status, 200);
    }
    assert_eq!(patterns(&storefront)["pool"]["taken"], 0);
}

#[test]
fn with_a_timeout_everybody_is_answered() {
    let dependencies = Dependencies::new();
    let timeout = Some(Duration::from_millis(50));
    let storefront = dependencies.storefront(&Settings { timeout, ..bare(4) });
    dependencies.products.does(Act::Hang);
    let hanging: Vec<_> = (0..40).map(|_| storefront.send("GET", "/products")).collect();
    for sent in hanging {
        Answer::receive(sent).problem(504);
    }
    assert!(dependencies.products.calls() >= 4, "those before the first timeout");
    assert_eq!(patterns(&storefront)["pool"]["taken"], 0);
    let left = dependencies.products.milliseconds_left().expect("it was told");
    assert!(left <= 50, "{left}");
}

#[test]
fn a_reader_without_patience_is_not_waited_for() {
    let dependencies = Dependencies::new();
    let hour = Some(Duration::from_secs(3600));
    let storefront = dependencies.storefront(&Settings { timeout: hour, ..bare(4) });
    dependencies.products.does(Act::Hang);
    let mut connection = storefront.connect();
    let head = format!(
        "GET /products HTTP/1.1\r\nhost: store\r\nconnection: close\r\n{HEADER}: 50\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    Answer::receive(connection).problem(504);
}

#[test]
fn divided_bulkheads_confine_the_one_that_hangs() {
    let dependencies = Dependencies::new();
    let settings = Settings { bulkheads: Bulkheads::Divided, ..bare(6) };
    let storefront = dependencies.storefront(&settings);
    dependencies.products.does(Act::Hang);
    let hanging = [(); 2].map(|()| storefront.send("GET", "/products"));
    until("its share is taken", || dependencies.products.calls() == 2);

    let detail = storefront.get("/products").problem(503);
    assert!(detail.contains("the bulkhead is full: 2 of 2 calls run"), "{detail}");
    for _ in 0..20 {
        assert_eq!(storefront.get("/customers/1").status, 200);
        assert_eq!(storefront.get("/orders/1").status, 200);
    }
    let answer = storefront.get("/page/1");
    assert_eq!(answer.header(DEGRADED_HEADER), Some("products=missing"));
    let seen = patterns(&storefront);
    let bulkhead = &seen["products"]["bulkhead"];
    assert_eq!([&bulkhead["running"], &bulkhead["rejected"]], [2, 2], "{seen}");
    assert_eq!(seen["pool"], Value::Null);

    dependencies.products.release();
    assert_eq!(hanging.map(|sent| Answer::receive(sent).status), [200, 200]);
}

#[test]
fn a_call_whose_reader_has_gone_holds_its_slot_until_it_is_over() {
    let dependencies = Dependencies::new();
    let storefront = dependencies.storefront(&bare(1));
    dependencies.products.does(Act::Hang);
    let gone = storefront.send("GET", "/products");
    until("it is called", || dependencies.products.calls() == 1);
    drop(gone);
    until("it is noticed", || patterns(&storefront)["products"]["abandoned"] == 1);
    assert_eq!(patterns(&storefront)["pool"]["taken"], 1);
    dependencies.products.release();
    until("it is over", || patterns(&storefront)["products"]["abandoned"] == 0);
    assert_eq!(patterns(&storefront)["pool"]["taken"], 0);
}

#[test]
fn an_open_breaker_leaves_the_dead_service_alone_and_says_for_how_long() {
    let dependencies = Dependencies::new();
    let hour = Some(Duration::from_secs(3600));
    let second = Some(Duration::from_secs(1));
    let storefront =
        dependencies.storefront(&Settings { breaker: hour, timeout: second, ..bare(100) });
    dependencies.products.does(Act::Fail);
    for _ in 0..20 {
        assert_eq!(storefront.get("/products").status, 500);
    }
    let (begin, mut refused) = (Instant::now(), 0);
    for _ in 0..50 {
        let answer = storefront.get("/products");
        if let Some(seconds) = answer.header("retry-after") {
            assert!(answer.problem(503).contains("the breaker is open"), "{answer:?}");
            assert!((1..=5).contains(&seconds.parse::<u64>().unwrap()), "{seconds}");
            refused += 1;
        }
    }
    // It is open for 4 s at least, and then asks for three trials.
    let trials = dependencies.products.calls() - 20;
    assert!(trials as u64 <= 3 * (begin.elapsed().as_secs() / 4), "{trials} trials");
    assert_eq!(refused + trials, 50);
    assert_eq!(storefront.get("/customers/1").status, 200, "each has a breaker of its own");
    let seen = patterns(&storefront);
    assert_eq!(seen["products"]["breaker"]["state"], "open", "{seen}");
    assert_eq!(seen["products"]["breaker"]["rejected"]["open"], refused);
    assert_eq!(seen["customers"]["breaker"]["state"], "closed");
}

#[test]
fn without_a_breaker_the_dead_service_gets_every_call() {
    let dependencies = Dependencies::new();
    let storefront = dependencies.storefront(&bare(100));
    dependencies.products.does(Act::Fail);
    for _ in 0..70 {
        assert_eq!(storefront.get("/products").status, 500);
    }
    assert_eq!(dependencies.products.calls(), 70);
}

#[test]
fn a_breaker_tries_a_few_and_closes_when_the_service_is_back() {
    let dependencies = Dependencies::new();
    let (soon, second) = (Some(Duration::from_millis(20)), Some(Duration::from_secs(1)));
    let storefront =
        dependencies.storefront(&Settings { breaker: soon, timeout: second, ..bare(100) });
    let state = || patterns(&storefront)["products"]["breaker"]["state"].clone();
    dependencies.products.does(Act::Fail);
    for _ in 0..20 {
        storefront.get("/products");
    }
    assert!(dependencies.products.calls() <= 20);
    dependencies.products.does(Act::Answer);
    until("calls find out that it is back", || {
        let status = storefront.get("/products").status;
        assert!([200, 503].contains(&status), "{status}");
        state() == "closed"
    });
    let trials = dependencies.products.calls() - 20;
    assert!((2..=3).contains(&trials), "{trials} trials");
}

#[test]
fn what_fails_once_is_tried_again_or_not() {
    for (retry, status, calls) in [(true, 200, 2), (false, 500, 1)] {
        let dependencies = Dependencies::new();
        let storefront = dependencies.storefront(&Settings { retry, ..bare(100) });
        dependencies.orders.does(Act::FailOnce);
        assert_eq!(storefront.get("/orders/1").status, status);
        assert_eq!(dependencies.orders.calls(), calls);
        let retries = &patterns(&storefront)["orders"]["retry"]["retries"];
        assert_eq!(*retries, if retry { json!(1) } else { Value::Null });
    }
}

#[test]
fn what_a_breaker_refuses_is_answered_from_what_was_good() {
    let dependencies = Dependencies::new();
    let storefront = dependencies.storefront(&Settings { retry: false, ..Settings::default() });
    let good = storefront.get("/orders/1").body;
    dependencies.orders.does(Act::Fail);
    for _ in 0..60 {
        let answer = storefront.get("/orders/1");
        assert_eq!((answer.status, &answer.body), (200, &good));
        assert!(answer.header(DEGRADED_HEADER).unwrap().starts_with("orders=stale;age="));
    }
    assert!(dependencies.orders.calls() < 30, "{}", dependencies.orders.calls());
    assert!(storefront.get("/orders/2").status >= 500, "there is nothing old of it");
    assert_eq!(patterns(&storefront)["orders"]["fallback"]["stale"], 60);
}
