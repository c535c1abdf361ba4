//! From fields, whatever they were written in, to a product.

use std::borrow::Cow;
use std::str::Utf8Error;

use super::Prices;
use crate::product::{LARGEST_PRICE, Product};

const ID: &str = "id";
const TITLE: [&str; 2] = ["title", "name"];
const BRAND: [&str; 2] = ["brand", "supplier"];
const CATEGORY: [&str; 3] = ["category", "attr_t_product_type", "attr_t_type"];
const DESCRIPTION: [&str; 2] = ["description", "short_description"];
/// The one field in which a fraction may mean something.
pub(super) const PRICE: &str = "price";

/// In bytes.
const LONGEST_ID: usize = 200;

/// The product whose fields `field` gives by name, empty where there is none.
pub(super) fn product<'a>(
    field: impl Fn(&str) -> Result<Cow<'a, str>, String>,
    prices: Prices,
) -> Result<Product, String> {
    let first = |names: &[&str]| -> Result<String, String> {
        for name in names {
            let text = field(name)?;
            if !text.trim().is_empty() {
                return Ok(text.trim().to_owned());
            }
        }
        Ok(String::new())
    };
    Ok(Product {
        id: id(first(&[ID])?)?,
        title: title(first(&TITLE)?)?,
        brand: first(&BRAND)?,
        category: first(&CATEGORY)?,
        description: first(&DESCRIPTION)?,
        price: price(&first(&[PRICE])?, prices)?,
    })
}

/// Says the same about both formats.
pub(super) fn not_utf8(error: &Utf8Error) -> String {
    format!("is not UTF-8 after {} bytes; allowed is text in UTF-8", error.valid_up_to())
}

fn id(id: String) -> Result<String, String> {
    if id.is_empty() || id.len() > LONGEST_ID || id.contains(char::is_control) {
        return Err(format!(
            "id: `{}` is no id; allowed are 1 to {LONGEST_ID} bytes without control characters",
            id.escape_debug()
        ));
    }
    Ok(id)
}

fn title(title: String) -> Result<String, String> {
    if title.is_empty() {
        return Err("title: is missing; allowed is a text in `title` or in `name`".to_owned());
    }
    Ok(title)
}

fn price(text: &str, prices: Prices) -> Result<u32, String> {
    let cents = match prices {
        Prices::Cents => digits(text),
        Prices::Units => match text.split_once('.') {
            None => digits(text).and_then(|units| units.checked_mul(100)),
            Some((units, part)) => cents(units, part),
        },
    };
    cents.filter(|cents| *cents <= LARGEST_PRICE).ok_or_else(|| {
        let most = match prices {
            Prices::Cents => format!(
                "a whole number of cents up to {LARGEST_PRICE}, such as 1299; for prices such as \
                 12.99 say `--prices units`"
            ),
            Prices::Units => format!(
                "units of money up to {} with at most two digits after a point, such as 12.99",
                LARGEST_PRICE / 100
            ),
        };
        format!("price: `{}` is no price; allowed is {most}", text.escape_debug())
    })
}

fn cents(units: &str, part: &str) -> Option<u32> {
    let part = match part.len() {
        1 => digits(part)? * 10,
        2 => digits(part)?,
        _ => return None,
    };
    digits(units)?.checked_mul(100)?.checked_add(part)
}

/// Digits only: `parse` alone would take a plus sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_what_it_says_or_refused() {
        for (text, in_cents, in_units) in [
            ("1299", Some(1299), Some(129_900)),
            ("0", Some(0), Some(0)),
            ("12.99", None, Some(1299)),
            ("12.9", None, Some(1290)),
            ("12.", None, None),
            (".99", None, None),
            ("12.999", None, None),
            ("12,99", None, None),
            ("1,299.00", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1e3", None, None),
            ("12 EUR", None, None),
            ("", None, None),
            ("10000000.00", None, Some(LARGEST_PRICE)),
            ("10000000.01", None, None),
            ("1000000000", Some(LARGEST_PRICE), None),
            ("1000000001", None, None),
            ("99999999999999999999", None, None),
        ] {
            assert_eq!(price(text, Prices::Cents).ok(), in_cents, "{text}");
            assert_eq!(price(text, Prices::Units).ok(), in_units, "{text}");
        }
    }
}
