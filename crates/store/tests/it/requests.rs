//! Every path, method and header.

use std::io::{Read, Write};

use seaworthy_store::generate::generate;
use serde_json::json;

use crate::server::{Answer, Server, TASK, product};

fn server() -> Server {
    Server::of(vec![
        product("1", "Desk Lamp", "Halloran", "Lighting", 1999),
        product("a/b c", "Night Light", "Halloran", "Lighting", 999),
    ])
}

#[test]
fn a_healthy_task_says_what_it_serves() {
    let answer = server().get("/health");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({ "status": "ok", "products": 2 }));
}

#[test]
fn a_search_tells_the_total_and_the_products() {
    let expected = json!({
        "total": 1,
        "products": [{
            "id": "1",
            "title": "Desk Lamp",
            "brand": "Halloran",
            "category": "Lighting",
            "description": "",
            "price": 1999,
        }],
    });
    assert_eq!(server().get("/products?q=lamp&limit=5").json(), expected);
}

#[test]
fn a_product_is_found_by_any_id_it_may_have() {
    let server = server();
    assert_eq!(server.get("/products/1").json()["title"], "Desk Lamp");
    assert_eq!(server.get("/products/a%2Fb%20c").json()["title"], "Night Light");
    assert_eq!(server.get("/products/2").problem(404), "no product has the id `2`");
    assert!(server.get("/products/%ff").problem(400).contains("UTF-8"));
}

#[test]
fn what_is_not_there_is_told_as_a_problem() {
    let server = server();
    for path in ["/", "/product", "/products/", "/products/1/x", "/health/", "/%00"] {
        assert!(server.get(path).problem(404).contains("/products"), "{path}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let server = server();
    for (method, path) in [
        ("POST", "/products"),
        ("DELETE", "/products/1"),
        ("PUT", "/health"),
        ("OPTIONS", "/health"),
    ] {
        let answer = server.request(method, path);
        assert_eq!(
            answer.problem(405),
            format!("{path} does not answer {method}; allowed are GET and HEAD")
        );
        assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    }
    let head = server.request("HEAD", "/products");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_wrong_parameter_is_told_by_name() {
    let server = server();
    for (parameters, detail) in [
        ("limit=101", "limit: `101` is not allowed; allowed is a whole number from 1 to 100"),
        ("offset=-1", "offset: `-1` is not allowed; allowed is a whole number from 0 to 10000"),
        (
            "max_price=cheap",
            "max_price: `cheap` is not a price; allowed is a whole number of cents, such as 1999",
        ),
        (
            "sort=price",
            "`sort`: is not a parameter; allowed are q, category, max_price, limit and offset",
        ),
        ("q=a&q=b", "`q`: is given twice; allowed is once"),
    ] {
        assert_eq!(server.get(&format!("/products?{parameters}")).problem(400), detail);
    }
}

#[test]
fn every_answer_names_its_task() {
    let server = server();
    for (method, path) in [
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("GET", "/products"),
        ("GET", "/products/1"),
        ("GET", "/products/2"),
        ("GET", "/products?limit=0"),
        ("GET", "/nowhere"),
        ("POST", "/products"),
    ] {
        let answer = server.request(method, path);
        assert_eq!(answer.header("x-seaworthy-task"), Some(TASK), "{method} {path}");
    }
}

#[test]
fn a_connection_is_kept_for_further_requests() {
    let server = Server::of(generate(50, 1).products().to_vec());
    let mut connection = server.connect();
    for n in 1..=3 {
        connection.write_all(b"GET /health HTTP/1.1\r\nhost: store\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        let answer = Answer::read(&String::from_utf8(answer).unwrap());
        assert_eq!((n, answer.status), (n, 200));
    }
}
