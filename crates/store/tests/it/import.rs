//! Files of others, taken whole or not at all.

use std::path::Path;

use seaworthy_store::import::{Format, Prices, Source, import};
use seaworthy_store::product::Product;

fn source(bytes: &[u8], format: Format) -> Source {
    Source { name: "file".to_owned(), bytes: bytes.to_vec(), format }
}

fn products(bytes: &[u8], format: Format) -> Vec<Product> {
    import(&source(bytes, format), Prices::Cents).unwrap().products().to_vec()
}

#[track_caller]
fn refused(bytes: &[u8], format: Format, expected: &str) {
    let error = import(&source(bytes, format), Prices::Cents).unwrap_err().to_string();
    let expected = format!("file, {expected}; nothing was imported");
    assert_eq!(error, expected, "{}", String::from_utf8_lossy(bytes));
}

fn lamp() -> Product {
    Product {
        id: "7".to_owned(),
        title: "Lamp, \"small\"".to_owned(),
        brand: "Halloran".to_owned(),
        category: "Lighting".to_owned(),
        description: "Two\nlines".to_owned(),
        price: 1299,
    }
}

#[test]
fn an_ordinary_csv_is_taken_whatever_its_line_ends() {
    let rows = "Price, id,colour,title,brand,category,description\r\n\
                1299,7,red,\"Lamp, \"\"small\"\"\",Halloran,Lighting,\"Two\nlines\"\r\n\r\n";
    let mut marked = "\u{feff}".as_bytes().to_vec();
    marked.extend(rows.as_bytes());
    for text in [
        rows.as_bytes(),
        &marked,
        rows.replace("\r\n", "\n").as_bytes(),
        rows.trim_end().as_bytes(),
    ] {
        assert_eq!(products(text, Format::Csv), [lamp()]);
    }
}

#[test]
fn json_lines_are_taken_under_our_names_and_those_of_others() {
    let ours = r#"{"id":"7","title":"Lamp, \"small\"","brand":"Halloran","category":"Lighting",
        "description":"Two\nlines","price":1299,"x":[1,{}]}"#
        .replace('\n', " ");
    let theirs =
        r#"{"id":7,"name":"80","title":"Lamp, \"small\"","supplier":"Halloran","ean":["1"],
        "attr_t_type":"No","attr_t_product_type":"Lighting","short_description":"Two\nlines",
        "category":null,"price":1299}"#
            .replace('\n', " ");
    for line in [&ours, &theirs, &format!("\u{feff}{ours}\r\n\r\n\n"), &format!("\n{ours}")] {
        assert_eq!(products(line.as_bytes(), Format::JsonLines), [lamp()]);
    }
    let sparse = products(br#"{"id":"1","name":"Lamp","price":0}"#, Format::JsonLines);
    assert_eq!((sparse[0].title.as_str(), sparse[0].brand.as_str()), ("Lamp", ""));
}

#[test]
fn prices_in_units_of_money_are_taken_when_said_so() {
    let csv = source(b"id,title,price\n1,A,12.99\n2,B,12\n3,C,0.5\n", Format::Csv);
    let catalogue = import(&csv, Prices::Units).unwrap();
    let prices: Vec<_> = catalogue.products().iter().map(|product| product.price).collect();
    assert_eq!(prices, [1299, 1200, 50]);
    let json = source(br#"{"id":1,"title":"A","price":12.9}"#, Format::JsonLines);
    assert_eq!(import(&json, Prices::Units).unwrap().products()[0].price, 1290);
}

#[test]
fn a_broken_json_line_is_named() {
    let good = br#"{"id":"1","title":"A","price":1}"#;
    for (bad, problem) in [
        (
            &b"{\"id\":"[..],
            "line 3: is not a JSON object (EOF while parsing a value at column 6); allowed is one object a line",
        ),
        (
            b"[1]",
            "line 3: is not a JSON object (invalid type: sequence, expected a map at column 0); allowed is one object a line",
        ),
        (
            b"{} {}",
            "line 3: is not a JSON object (trailing characters at column 4); allowed is one object a line",
        ),
        (
            b"{\"title\":\"B\",\"price\":1}",
            "line 3: id: `` is no id; allowed are 1 to 200 bytes without control characters",
        ),
        (
            b"{\"id\":\"2\",\"title\":\"  \",\"price\":1}",
            "line 3: title: is missing; allowed is a text in `title` or in `name`",
        ),
        (
            b"{\"id\":[2],\"title\":\"B\",\"price\":1}",
            "line 3: id: is a list; allowed are text and whole numbers",
        ),
        (
            b"{\"id\":123456789012345678901,\"title\":\"B\",\"price\":1}",
            "line 3: id: is a number with a fraction or too many digits; allowed are text and whole numbers",
        ),
        (
            b"{\"id\":\"1\",\"title\":\"B\",\"price\":1}",
            "line 3: the id `1` stands on line 1 already",
        ),
        (
            b"{\"id\":\"2\",\"title\":\"B\",\"price\":-1}",
            "line 3: price: `-1` is no price; allowed is a whole number of cents up to 1000000000, such as 1299; for prices such as 12.99 say `--prices units`",
        ),
        (
            b"{\"id\":\"2\",\"title\":\"B\"}",
            "line 3: price: `` is no price; allowed is a whole number of cents up to 1000000000, such as 1299; for prices such as 12.99 say `--prices units`",
        ),
        (
            b"{\"id\":\"2\",\"title\":\"\xff\",\"price\":1}",
            "line 3: is not UTF-8 after 19 bytes; allowed is text in UTF-8",
        ),
    ] {
        let text = [&good[..], b"\n\r\n", bad, b"\n"].concat();
        refused(&text, Format::JsonLines, problem);
    }
}

#[test]
fn a_broken_csv_line_is_named() {
    for (bad, problem) in [
        (&b"2,B"[..], "line 5: has 2 values; allowed are 3, one for each column"),
        (b"2,B,1,", "line 5: has 4 values; allowed are 3, one for each column"),
        (b"1,B,1", "line 5: the id `1` stands on line 2 already"),
        (b",B,1", "line 5: id: `` is no id; allowed are 1 to 200 bytes without control characters"),
        (b"2,,1", "line 5: title: is missing; allowed is a text in `title` or in `name`"),
        (b"2,\xff,1", "line 5: is not UTF-8 after 0 bytes; allowed is text in UTF-8"),
        (
            b"2,\"B,1\n3,C,1",
            "line 5: has a quote without its second; allowed are quotes around a whole value, doubled inside it",
        ),
        (
            b"2,B,12.99",
            "line 5: price: `12.99` is no price; allowed is a whole number of cents up to 1000000000, such as 1299; for prices such as 12.99 say `--prices units`",
        ),
    ] {
        for ends in ["\n", "\r\n"] {
            let head = "id,title,price\n1,\"A\nA\",1\n\n".replace('\n', ends);
            refused(&[head.as_bytes(), bad].concat(), Format::Csv, problem);
        }
    }
}

#[test]
fn columns_that_cannot_be_meant_are_refused() {
    refused(
        b"id;title;price\n1;A;1\n",
        Format::Csv,
        "line 1: names no column `id` but [\"id;title;price\"]; allowed are names with commas between",
    );
    refused(
        b"id,title,price,ID\n1,A,1,2\n",
        Format::Csv,
        "line 1: names the column `id` twice; allowed is once",
    );
}

#[test]
fn a_file_without_a_product_is_refused() {
    for (bytes, format) in [
        (&b""[..], Format::JsonLines),
        (b"\n\r\n", Format::JsonLines),
        (b"", Format::Csv),
        (b"id,title,price\n", Format::Csv),
    ] {
        let error = import(&source(bytes, format), Prices::Cents).unwrap_err();
        assert_eq!(error.to_string(), "file: holds no product; nothing was imported");
    }
}

#[test]
fn the_ending_tells_the_format_unless_it_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, "x").unwrap();
        path
    };
    for (name, format) in [
        ("a.jsonl", Format::JsonLines),
        ("a.NDJSON", Format::JsonLines),
        ("a.json-lines", Format::JsonLines),
        ("a.csv", Format::Csv),
    ] {
        assert_eq!(Source::read(&file(name), None).unwrap().format, format);
    }
    assert_eq!(Source::read(&file("a.txt"), Some(Format::Csv)).unwrap().format, Format::Csv);
    let error = Source::read(Path::new("a.json"), None).unwrap_err().to_string();
    assert!(
        error.starts_with("a.json: does not tell what it holds; allowed are the endings .jsonl")
    );
    let error = Source::read(Path::new("missing.csv"), None).unwrap_err().to_string();
    assert_eq!(error, "missing.csv: cannot be read");
}
