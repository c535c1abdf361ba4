//! One JSON object a line; empty lines are passed over.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Entry, Prices, fields};
use crate::product::Product;

/// All products of `text`.
pub(super) fn products(text: &[u8], prices: Prices) -> impl Iterator<Item = Entry> {
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines.map(move |(line, number)| match product(line, prices) {
        Ok(product) => Ok((number, product)),
        Err(problem) => Err((number, problem)),
    })
}

fn product(line: &[u8], prices: Prices) -> Result<Product, String> {
    let line = std::str::from_utf8(line).map_err(|error| fields::not_utf8(&error))?;
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
        // The message ends with a place, whose line is always 1.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let column = error.column();
        format!("is not a JSON object ({message} at column {column}); allowed is one object a line")
    })?;
    fields::product(|name| text(name, object.get(name)), prices)
}

fn text<'a>(name: &str, value: Option<&'a Value>) -> Result<Cow<'a, str>, String> {
    match value {
        None | Some(Value::Null) => Ok(Cow::Borrowed("")),
        Some(Value::String(text)) => Ok(Cow::Borrowed(text)),
        Some(Value::Number(number)) if name == fields::PRICE || !number.is_f64() => {
            Ok(Cow::Owned(number.to_string()))
        }
        Some(other) => {
            let what = match other {
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
                // Such a number is not kept digit by digit.
                Value::Number(_) => "a number with a fraction or too many digits",
                _ => "true or false",
            };
            Err(format!("{name}: is {what}; allowed are text and whole numbers"))
        }
    }
}
