//! Fleet and drill files: what is refused, in which words, and what is meant by what is left out.
//!
//! A step of a script changes one or two lines of a good file (`KEY = VALUE; KEY = VALUE`); what is
//! wrong with the file then stands behind the bar. Where the parser refuses it, the line is named;
//! where the meaning is refused, the key.

mod caller;
mod check;
mod drill;
mod drills;
mod fleet;

use serde::de::DeserializeOwned;

/// Reads `text` as written and then as meant.
fn read<Raw: DeserializeOwned, Meant: TryFrom<Raw>>(text: &str) -> Result<Meant, String>
where
    Meant::Error: ToString,
{
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let told = error.to_string();
        let place = told.lines().next().and_then(|line| line.strip_prefix("TOML parse error at "));
        format!("{}: {}", place.expect("it names its place"), error.message())
    })?;
    Meant::try_from(raw).map_err(|error| error.to_string())
}

/// The lines of a good file with some of them changed.
fn with(good: &str, step: &str) -> String {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let mut lines: Vec<&str> = good.trim().lines().map(str::trim).collect();
    for change in step.split("; ") {
        match lines.iter_mut().find(|line| key(line) == key(change)) {
            Some(line) => *line = change,
            None => lines.push(change),
        }
    }
    lines.join("\n")
}
