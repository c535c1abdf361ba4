//! What a search asks for: from the parameters as written to what they mean.

use std::ops::RangeInclusive;

use crate::problem::Problem;

/// How many products an answer may hold.
const LIMIT: RangeInclusive<usize> = 1..=100;
const DEFAULT_LIMIT: usize = 20;
/// How far into the products found an answer may begin; finding the place costs time.
const OFFSET: RangeInclusive<usize> = 0..=10_000;
/// In characters, for words and for a category.
const LONGEST_TEXT: usize = 200;
/// Of a refused value, so much is repeated.
const LONGEST_QUOTE: usize = 40;

/// A search as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Words in any form; those without a letter or a digit ask for nothing.
    pub text: String,
    /// Only of this category, whatever its case and accents.
    pub category: Option<String>,
    /// Only up to this price, in cents.
    pub max_price: Option<u64>,
    /// So many products.
    pub limit: usize,
    /// After leaving out so many.
    pub offset: usize,
}

// === impl Search ===

impl Default for Search {
    fn default() -> Self {
        let (text, limit) = (String::new(), DEFAULT_LIMIT);
        Self { text, category: None, max_price: None, limit, offset: 0 }
    }
}

impl Search {
    /// Reads the names and values of a query string.
    ///
    /// An empty value is as none, as a form sends it. What cannot be meant is refused, naming the
    /// parameter, its value and what is allowed.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, Problem> {
        let mut search = Self::default();
        for (n, (name, value)) in parameters.iter().enumerate() {
            if parameters[..n].iter().any(|(earlier, _)| earlier == name) {
                let detail = format!("{}: is given twice; allowed is once", quote(name));
                return Err(Problem::bad_request(detail));
            }
            search.set(name, value)?;
        }
        Ok(search)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "q" | "category" | "max_price" | "limit" | "offset" if value.is_empty() => {}
            "q" => self.text = text(name, value)?,
            "category" => self.category = Some(text(name, value)?),
            "max_price" => self.max_price = Some(price(value)?),
            "limit" => self.limit = number(name, value, &LIMIT)?,
            "offset" => self.offset = number(name, value, &OFFSET)?,
            _ => {
                let detail = format!(
                    "{}: is not a parameter; allowed are q, category, max_price, limit and offset",
                    quote(name)
                );
                return Err(Problem::bad_request(detail));
            }
        }
        Ok(())
    }
}

fn text(name: &str, value: &str) -> Result<String, Problem> {
    let length = value.chars().count();
    if length > LONGEST_TEXT {
        let detail = format!(
            "{name}: {} has {length} characters; allowed are up to {LONGEST_TEXT}",
            quote(value)
        );
        return Err(Problem::bad_request(detail));
    }
    Ok(value.to_owned())
}

fn price(value: &str) -> Result<u64, Problem> {
    digits(value).ok_or_else(|| {
        let detail = format!(
            "max_price: {} is not a price; allowed is a whole number of cents, such as 1999",
            quote(value)
        );
        Problem::bad_request(detail)
    })
}

fn number(name: &str, value: &str, allowed: &RangeInclusive<usize>) -> Result<usize, Problem> {
    let number = digits(value).and_then(|number| usize::try_from(number).ok());
    number.filter(|number| allowed.contains(number)).ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        let detail = format!(
            "{name}: {} is not allowed; allowed is a whole number from {least} to {most}",
            quote(value)
        );
        Problem::bad_request(detail)
    })
}

/// Digits only: `parse` alone would take a plus sign.
fn digits(value: &str) -> Option<u64> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

fn quote(value: &str) -> String {
    match value.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("`{}…`", &value[..end]),
        None => format!("`{value}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Search, String> {
        let owned: Vec<_> =
            parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Search::read(&owned).map_err(|problem| problem.detail)
    }

    #[test]
    fn what_is_left_out_or_empty_gets_its_default() {
        assert_eq!(read(&[]), Ok(Search::default()));
        let empty = ["q", "category", "max_price", "limit", "offset"].map(|name| (name, ""));
        assert_eq!(read(&empty), Ok(Search::default()));
    }

    #[test]
    fn what_is_given_is_meant() {
        let given = [
            ("q", "red \"lamp\""),
            ("offset", "10000"),
            ("limit", "100"),
            ("category", "Lamps"),
            ("max_price", "1999"),
        ];
        let meant = Search {
            text: "red \"lamp\"".to_owned(),
            category: Some("Lamps".to_owned()),
            max_price: Some(1999),
            limit: 100,
            offset: 10_000,
        };
        assert_eq!(read(&given), Ok(meant));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (name, value, detail) in [
            ("limit", "0", "limit: `0` is not allowed; allowed is a whole number from 1 to 100"),
            ("limit", "+5", "limit: `+5` is not allowed; allowed is a whole number from 1 to 100"),
            (
                "offset",
                "-1",
                "offset: `-1` is not allowed; allowed is a whole number from 0 to 10000",
            ),
            (
                "max_price",
                "12.99",
                "max_price: `12.99` is not a price; allowed is a whole number of cents, such as 1999",
            ),
            (
                "Limit",
                "5",
                "`Limit`: is not a parameter; allowed are q, category, max_price, limit and offset",
            ),
        ] {
            assert_eq!(read(&[(name, value)]), Err(detail.to_owned()));
        }
        let long = "ä".repeat(LONGEST_TEXT + 1);
        let detail = format!(
            "q: `{}…` has 201 characters; allowed are up to 200",
            "ä".repeat(LONGEST_QUOTE)
        );
        assert_eq!(read(&[("q", &long)]), Err(detail));
        assert!(read(&[("q", &"ä".repeat(LONGEST_TEXT))]).is_ok());
        assert_eq!(
            read(&[("q", "a"), ("q", "a")]),
            Err("`q`: is given twice; allowed is once".to_owned())
        );
    }
}
