//! Comma-separated values as in RFC 4180; the first line names the columns.

use std::borrow::Cow;

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use super::{Broken, Entry, Prices, fields};
use crate::product::Product;

/// All products of `text`, or what is wrong with the line that names the columns.
pub(super) fn products(
    text: &[u8],
    prices: Prices,
) -> Result<impl Iterator<Item = Entry> + '_, Broken> {
    let mut rows = Rows::new(text);
    let columns = match rows.next() {
        Some((line, row)) => {
            row.and_then(|row| columns(&row)).map_err(|problem| (line, problem))?
        }
        None => Vec::new(),
    };
    Ok(rows.map(move |(line, row)| {
        let product = row.and_then(|row| product(&columns, &row, prices));
        product.map(|product| (line, product)).map_err(|problem| (line, problem))
    }))
}

/// Rows and the lines on which they begin; empty lines are passed over.
struct Rows<'a> {
    text: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// So many bytes are counted into `line`.
    counted: usize,
    line: u64,
}

type Row = Vec<String>;

// === impl Rows ===

impl<'a> Rows<'a> {
    fn new(text: &'a [u8]) -> Self {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        Self { text, reader, counted: 0, line: 1 }
    }

    /// The line of the row that begins at this byte or, past empty lines, after it.
    ///
    /// The reader's own count is that of where it stopped, before the second half of a CRLF.
    fn line_of(&mut self, start: usize) -> u64 {
        let blank = self.text[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.line += count(&self.text[self.counted..start + blank], b'\n') as u64;
        self.counted = start + blank;
        self.line
    }
}

impl Iterator for Rows<'_> {
    type Item = (u64, Result<Row, String>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = ByteRecord::new();
        loop {
            let start = self.reader.position().byte() as usize;
            let more = self.reader.read_byte_record(&mut record);
            if !more.expect("memory can always be read") {
                return None;
            }
            let end = self.reader.position().byte() as usize;
            let raw = &self.text[start..end];
            if !raw.trim_ascii().is_empty() {
                return Some((self.line_of(start), row(raw, &record)));
            }
        }
    }
}

fn row(raw: &[u8], record: &ByteRecord) -> Result<Row, String> {
    // The reader takes an open quote to the end of the file without a word.
    if count(raw, b'"') % 2 == 1 {
        return Err("has a quote without its second; allowed are quotes around a whole value, \
                    doubled inside it"
            .to_owned());
    }
    let value = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(value) => Ok(value.to_owned()),
        Err(error) => Err(fields::not_utf8(&error)),
    };
    record.iter().map(value).collect()
}

fn columns(row: &Row) -> Result<Row, String> {
    let names: Row = row.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    for (n, name) in names.iter().enumerate() {
        if !name.is_empty() && names[..n].contains(name) {
            return Err(format!("names the column `{name}` twice; allowed is once"));
        }
    }
    for needed in [&["id"][..], &["title", "name"], &["price"]] {
        if !names.iter().any(|name| needed.contains(&name.as_str())) {
            let needed = needed.join("` or `");
            return Err(format!(
                "names no column `{needed}` but {names:?}; allowed are names with commas between"
            ));
        }
    }
    Ok(names)
}

fn product(columns: &Row, row: &Row, prices: Prices) -> Result<Product, String> {
    if row.len() != columns.len() {
        let (has, allowed) = (row.len(), columns.len());
        return Err(format!("has {has} values; allowed are {allowed}, one for each column"));
    }
    let value = |name: &str| {
        let place = columns.iter().position(|column| column == name);
        Ok(Cow::Borrowed(place.map_or("", |place| &row[place])))
    };
    fields::product(value, prices)
}

fn count(text: &[u8], byte: u8) -> usize {
    text.split(|other| *other == byte).count() - 1
}
