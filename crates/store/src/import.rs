//! A catalogue from a file: JSON lines or CSV.
//!
//! | product       | the first of these fields that is there and not empty |
//! |---------------|-------------------------------------------------------|
//! | `id`          | `id`                                                  |
//! | `title`       | `title`, `name`                                       |
//! | `brand`       | `brand`, `supplier`                                   |
//! | `category`    | `category`, `attr_t_product_type`, `attr_t_type`      |
//! | `description` | `description`, `short_description`                    |
//! | `price`       | `price`                                               |
//!
//! Id, title and price must be there; other fields are passed over. A file is taken as a whole or
//! not at all: what is wrong is told with its line, and nothing is guessed.

mod csv;
mod fields;
mod jsonl;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::Error;
use crate::product::{Catalogue, Product};

/// How products are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values, as in RFC 4180; the first line names the columns.
    Csv,
}

/// How prices are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prices {
    /// Whole cents: `1299`.
    Cents,
    /// Units of money, with at most two digits after the point: `12.99`, `12`.
    Units,
}

/// What is to be imported.
#[derive(Debug)]
pub struct Source {
    /// As messages call it.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
    /// What it holds.
    pub format: Format,
}

/// A product and the line on which it begins, or why it is none.
type Entry = Result<(u64, Product), Broken>;

/// Line and problem.
type Broken = (u64, String);

// === impl Source ===

impl Source {
    /// Reads the file, or standard input where `path` is `-`.
    ///
    /// `format` may be left out if the file's ending tells it.
    pub fn read(path: &Path, format: Option<Format>) -> Result<Self, Error> {
        let standard_input = path == Path::new("-");
        let name =
            if standard_input { "standard input".to_owned() } else { path.display().to_string() };
        let Some(format) = format.or_else(|| by_ending(path)) else {
            return Err(Error::Format { name });
        };
        let bytes = if standard_input { read_to_end(io::stdin()) } else { fs::read(path) };
        match bytes {
            Ok(bytes) => Ok(Self { name, bytes, format }),
            Err(source) => Err(Error::Unreadable { name, source }),
        }
    }
}

/// All products of `source`, whose prices are written in `prices`.
pub fn import(source: &Source, prices: Prices) -> Result<Catalogue, Error> {
    let text = source.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&source.bytes);
    let products = match source.format {
        Format::JsonLines => unique(jsonl::products(text, prices)),
        Format::Csv => csv::products(text, prices).and_then(unique),
    };
    let name = || source.name.clone();
    match products {
        Ok(products) if products.is_empty() => Err(Error::NoProduct { name: name() }),
        Ok(products) => Ok(Catalogue::new(products)),
        Err((line, problem)) => Err(Error::Line { name: name(), line, problem }),
    }
}

fn unique(entries: impl Iterator<Item = Entry>) -> Result<Vec<Product>, Broken> {
    let mut lines = HashMap::new();
    let mut products = Vec::new();
    for entry in entries {
        let (line, product) = entry?;
        if let Some(earlier) = lines.insert(product.id.clone(), line) {
            let problem = format!("the id `{}` stands on line {earlier} already", product.id);
            return Err((line, problem));
        }
        products.push(product);
    }
    Ok(products)
}

fn by_ending(path: &Path) -> Option<Format> {
    let ending = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
    match ending.as_str() {
        "jsonl" | "ndjson" | "json-lines" => Some(Format::JsonLines),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

fn read_to_end(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    Ok(bytes)
}
