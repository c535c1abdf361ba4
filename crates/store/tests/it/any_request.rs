//! Whatever a user sends as a query: an answer, or a problem of the user's own; never of ours.

use std::fmt::Write;

use proptest::prelude::*;
use seaworthy_store::generate::generate;

use crate::server::{Server, TASK};

fn server() -> Server {
    Server::of(generate(300, 1).products().to_vec())
}

/// Text that a query language might take for more than words.
fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,20}",
        any::<String>(),
        proptest::sample::select(vec![
            "AND",
            "OR",
            "NOT ",
            "title:",
            "\"",
            "(",
            ")",
            "[a TO z]",
            "*",
            "~2",
            "^9",
            "\\",
            "+",
            "-",
            "\u{0}",
            "🔌",
            "laptop",
            "e\u{301}",
            "%",
            "\u{202e}",
            "'; DROP TABLE product;--",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.join(" "))
}

fn parameter() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        4 => proptest::sample::select(vec!["q", "limit", "offset", "category", "max_price"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let value = prop_oneof![odd_text(), "-?[0-9]{0,25}", "[0-9]{1,3}"];
    (name, value)
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        write!(escaped, "%{byte:02x}").unwrap();
        escaped
    })
}

/// Status, total and products of the answer, which is a good one or a problem of the user's.
fn ask(server: &Server, query: &str) -> (u16, u64, usize) {
    let answer = server.get(&format!("/products?{query}"));
    assert_eq!(answer.header("x-seaworthy-task"), Some(TASK));
    if answer.status == 400 {
        answer.problem(400);
        return (400, 0, 0);
    }
    let found = answer.json();
    let products = found["products"].as_array().unwrap().len();
    (answer.status, found["total"].as_u64().unwrap(), products)
}

#[test]
fn any_words_are_a_search() {
    let server = server();
    proptest!(|(text in odd_text())| {
        let short: String = text.chars().take(200).collect();
        let (status, total, products) = ask(&server, &format!("q={}", escaped(&short)));
        prop_assert_eq!(status, 200);
        prop_assert_eq!(products as u64, total.min(20));
    });
}

#[test]
fn any_parameters_are_answered() {
    let server = server();
    proptest!(|(parameters in proptest::collection::vec(parameter(), 0..5))| {
        let pairs: Vec<_> =
            parameters.iter().map(|(n, v)| format!("{}={}", escaped(n), escaped(v))).collect();
        let (status, total, products) = ask(&server, &pairs.join("&"));
        prop_assert!(status == 200 || status == 400);
        prop_assert!(products as u64 <= total && products <= 100);
    });
}

#[test]
fn any_query_string_is_answered() {
    let server = server();
    proptest!(|(query in "[a-z0-9%&=+;:,.!?*'()/~-]{0,80}")| {
        let (status, _, _) = ask(&server, &query);
        prop_assert!(status == 200 || status == 400);
    });
}
