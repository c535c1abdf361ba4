//! What is found, and what comes first.

use seaworthy_store::generate::generate;
use seaworthy_store::product::Product;

use crate::server::{Server, product};

fn shop() -> Server {
    let described = Product {
        description: "A stand for your wireless headphones".to_owned(),
        ..product("5", "Oak Stand", "Dovetail", "Furniture", 2900)
    };
    Server::of(vec![
        product("1", "Wireless Headphones", "Corvane", "Headphones", 9900),
        product("2", "Wireless Mouse", "Corvane", "Mice", 1900),
        product("3", "Headphones", "Nordvik", "Headphones", 4900),
        product("4", "Crème Brûlée Torch", "Größe", "Café & Kitchen", 3500),
        described,
        product("6", "USB-C Cable (2 m)", "Nordvik", "Cables", 900),
    ])
}

#[test]
fn more_words_win_and_the_title_wins_over_the_description() {
    let shop = shop();
    assert_eq!(shop.ids("q=wireless+headphones"), ["1", "5", "3", "2"]);
    assert_eq!(shop.ids("q=headphones")[2..], ["5"]);
    // A word that nothing has does not hide the others.
    assert_eq!(shop.ids("q=wireless+mouse+zzz")[0], "2");
}

#[test]
fn many_matches_of_every_word_are_not_diluted() {
    let many = (1..=12).map(|n| product(&n.to_string(), "Desk Lamp", "", "", n));
    let other = (13..=20).map(|n| product(&n.to_string(), "Desk", "", "", n));
    let shop = Server::of(many.chain(other).collect());
    assert_eq!(shop.get("/products?q=desk+lamp").json()["total"], 12);
    assert_eq!(shop.get("/products?q=desk").json()["total"], 20);
}

#[test]
fn case_accents_plurals_and_brands_find_what_is_meant() {
    let shop = shop();
    for q in ["creme+brulee", "CR%C3%88ME", "grosse", "GR%C3%96%C3%9FE", "cafe", "torches"] {
        assert_eq!(shop.ids(&format!("q={q}")), ["4"], "{q}");
    }
    assert_eq!(shop.ids("q=corvane"), ["1", "2"]);
    assert_eq!(shop.ids("q=usb+cables"), ["6"]);
    assert_eq!(shop.ids("q=usb-c"), ["6"]);
}

#[test]
fn signs_of_query_languages_mean_nothing() {
    let shop = shop();
    for q in
        ["%22cable", "title:cable%5E5", "cable+AND", "(cable", "cable*", "%2Bcable+-", "cable~"]
    {
        assert_eq!(shop.ids(&format!("q={q}"))[0], "6", "{q}");
    }
    for q in ["", "%20", "***", "%F0%9F%94%8C", "%22%22", "the", "%00"] {
        assert_eq!(shop.ids(&format!("q={q}")), ["1", "2", "3", "4", "5", "6"], "{q}");
    }
}

#[test]
fn filters_hold_with_and_without_words() {
    let shop = shop();
    assert_eq!(shop.ids("max_price=1900"), ["2", "6"]);
    assert_eq!(shop.ids("max_price=1899"), ["6"]);
    assert_eq!(shop.ids("category=headphones"), ["1", "3"]);
    assert_eq!(shop.ids("category=CAF%C3%89+%26+kitchen"), ["4"]);
    assert_eq!(shop.ids("category=kitchen"), [""; 0]);
    assert_eq!(shop.ids("q=wireless&category=Headphones&max_price=18446744073709551615"), ["1"]);
    assert_eq!(shop.ids("q=headphones&max_price=5000"), ["3", "5"]);
}

#[test]
fn pages_together_are_the_whole() {
    let shop = Server::of(generate(137, 5).products().to_vec());
    for search in ["", "q=black&", "q=wireless+headphones+black&", "max_price=10000&"] {
        let total = shop.get(&format!("/products?{search}")).json()["total"].as_u64().unwrap();
        let page = |offset| shop.ids(&format!("{search}limit=10&offset={offset}"));
        let paged: Vec<_> = (0..200).step_by(10).flat_map(page).collect();
        assert_eq!(paged.len() as u64, total, "{search}");
        let whole = [0, 100].map(|offset| shop.ids(&format!("{search}limit=100&offset={offset}")));
        assert_eq!(paged, whole.concat(), "{search}");
    }
    let all = shop.ids("limit=100");
    assert_eq!(all, (1..=100).map(|n| n.to_string()).collect::<Vec<_>>());
}
