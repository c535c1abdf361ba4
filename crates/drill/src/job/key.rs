//! Which key of a file a place in its text belongs to: the parser names the place only.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The full key at `place`, such as `schedule[1].faults[2].at`; none if the text cannot be read that
/// far, or the place belongs to the file as a whole.
pub(crate) fn key_at(text: &str, place: &Range<usize>) -> Option<String> {
    let file = DeTable::parse(text).ok()?;
    in_table(file.get_ref(), "", place)
}

/// The innermost key counts, so that its parent is asked last. A parent need not contain it: the
/// place of `[table]` is its head.
fn in_table(table: &DeTable, parent: &str, place: &Range<usize>) -> Option<String> {
    let within = |(name, value): (&Spanned<_>, &Spanned<DeValue>)| {
        let key = if parent.is_empty() {
            format!("{}", name.get_ref())
        } else {
            format!("{parent}.{}", name.get_ref())
        };
        let here = || contains(&name.span(), place).then(|| key.clone());
        in_value(value, &key, place).or_else(here)
    };
    table.iter().find_map(within)
}

fn in_value(value: &Spanned<DeValue>, key: &str, place: &Range<usize>) -> Option<String> {
    let below = match value.get_ref() {
        DeValue::Table(table) => in_table(table, key, place),
        DeValue::Array(values) => {
            let mut values = values.iter().enumerate();
            values.find_map(|(n, value)| in_value(value, &format!("{key}[{}]", n + 1), place))
        }
        _ => None,
    };
    below.or_else(|| contains(&value.span(), place).then(|| key.to_owned()))
}

fn contains(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
title = "x"
[load]
rate = 100
[fleet.service.s]
health = { path = "/", interval = 5 }
[[schedule]]
name = "one"
[[schedule]]
faults = [{ at = "1s" }, { at = 2 }]
"#;

    #[test]
    fn a_place_has_its_key_with_its_tables() {
        let key = |word: &str| {
            let at = TEXT.rfind(word).unwrap();
            key_at(TEXT, &(at..at + word.len()))
        };
        let cases = [
            ("title", "title"),
            ("\"x\"", "title"),
            ("[load]", "load"),
            ("100", "load.rate"),
            ("rate", "load.rate"),
            ("5", "fleet.service.s.health.interval"),
            ("\"one\"", "schedule[1].name"),
            ("2", "schedule[2].faults[2].at"),
            ("{ at = 2 }", "schedule[2].faults[2]"),
        ];
        for (word, expected) in cases {
            assert_eq!(key(word).as_deref(), Some(expected), "{word}");
        }
        assert_eq!(key_at(TEXT, &(0..TEXT.len())), None);
        assert_eq!(key_at("title = ", &(0..1)), None);
    }
}
