//! Files of variables, such as other tools read them (`.env`): `NAME=value`, one a line.

use std::collections::BTreeMap;

use super::{ConfigError, range};

/// What `text` says, by name. Errors name the line.
///
/// - Empty lines and those that begin with `#` say nothing; `export` before a name is ignored.
/// - `'…'` is taken as it is; in `"…"` stand `\n`, `\r`, `\t`, `\"`, `\\` and `\$` for what they do in
///   a shell. A quote ends on its line.
/// - Without quotes a value ends before ` #`, and spaces around it are not of it.
/// - Nothing is put in for `$NAME`.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut variables = BTreeMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (n, line) in text.lines().enumerate() {
        let place = format!("line {}", n + 1);
        let error = |problem: String| ConfigError::new(&place, problem);
        let Some((name, value)) = read_line(line.trim()).map_err(error)? else { continue };
        range::variable(&place, &name, &value)
            .map_err(|e| error(format!("`{name}` {}", e.problem)))?;
        if variables.contains_key(&name) {
            return Err(error(format!("`{name}` stands there twice; allowed is once")));
        }
        variables.insert(name, value);
    }
    Ok(variables)
}

fn read_line(line: &str) -> Result<Option<(String, String)>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let line = exported.unwrap_or(line).trim_start();
    let Some((name, value)) = line.split_once('=') else {
        return Err("has no =; allowed is NAME=value, a comment after #, or nothing".to_owned());
    };
    if name.contains(char::is_whitespace) {
        return Err(format!(
            "`{name}` has a space in it; allowed is NAME=value without any before ="
        ));
    }
    Ok(Some((name.to_owned(), read_value(value.trim_start())?)))
}

fn read_value(text: &str) -> Result<String, String> {
    let (value, rest) = match text.chars().next() {
        Some('\'') => {
            let quoted = text[1..].split_once('\'');
            let (value, rest) =
                quoted.ok_or("has a ' that does not end on its line; allowed is '…'")?;
            (value.to_owned(), rest)
        }
        Some('"') => read_double_quoted(&text[1..])?,
        _ => return Ok(without_comment(text).trim().to_owned()),
    };
    if without_comment(rest).trim().is_empty() {
        return Ok(value);
    }
    Err(format!("has `{}` behind the quote; allowed is a comment", rest.trim()))
}

/// The value, and what stands behind its quote.
fn read_double_quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(same @ ('"' | '\\' | '$')) => same,
                other => {
                    let other = other.map_or(String::new(), String::from);
                    return Err(format!(
                        r#"has `\{other}` in it; allowed are \n, \r, \t, \", \\ and \$"#
                    ));
                }
            }),
            other => value.push(other),
        }
    }
    Err("has a \" that does not end on its line; allowed is \"…\", with \\n for a new line"
        .to_owned())
}

/// A `#` begins a comment at the beginning and after a space.
fn without_comment(text: &str) -> &str {
    let begins = |(n, _): &(usize, &str)| *n == 0 || text[..*n].ends_with([' ', '\t']);
    text.match_indices('#').find(begins).map_or(text, |(n, _)| &text[..n])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        match parse(text) {
            Ok(variables) => format!("{variables:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lines_are_read_as_other_tools_read_them() {
        let cases = [
            ("", "{}"),
            ("\n  \n# A=b\n\t# c\n", "{}"),
            ("A=b", r#"{"A": "b"}"#),
            ("\u{feff}A=b\r\nC=d\r\n", r#"{"A": "b", "C": "d"}"#),
            ("A=", r#"{"A": ""}"#),
            ("  export A=b  ", r#"{"A": "b"}"#),
            ("export=b", r#"{"export": "b"}"#),
            ("exported=b", r#"{"exported": "b"}"#),
            ("A= b c # d", r#"{"A": "b c"}"#),
            ("A=b#c", r#"{"A": "b#c"}"#),
            ("A=#c", r#"{"A": ""}"#),
            ("A=b=c", r#"{"A": "b=c"}"#),
            ("A=$B", r#"{"A": "$B"}"#),
            ("A='b # \\n \"c\" ' # d", r#"{"A": "b # \\n \"c\" "}"#),
            (r#"A="b # \n \"c\" \\ \$D ' ""#, r#"{"A": "b # \n \"c\" \\ $D ' "}"#),
            ("A=it's", r#"{"A": "it's"}"#),
            ("A=ü", r#"{"A": "ü"}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("A=b\nC", "line 2: has no =; allowed is NAME=value, a comment after #, or nothing"),
            (
                "=b",
                "line 1: `` is no variable; allowed is a name without = and no zero byte anywhere",
            ),
            (
                "A=\0",
                "line 1: `A` is no variable; allowed is a name without = and no zero byte anywhere",
            ),
            ("A = b", "line 1: `A ` has a space in it; allowed is NAME=value without any before ="),
            (
                "PORT=80",
                "line 1: `PORT` is given to each task by seaworthy; allowed is any other name",
            ),
            (
                "SEAWORTHY_X=1",
                "line 1: `SEAWORTHY_X` is given to each task by seaworthy; allowed is any other name",
            ),
            ("\nA=b\nA=c", "line 3: `A` stands there twice; allowed is once"),
            ("A='b", "line 1: has a ' that does not end on its line; allowed is '…'"),
            (
                "A=\"b\nc\"",
                "line 1: has a \" that does not end on its line; allowed is \"…\", with \\n for a new line",
            ),
            ("A='b'c", "line 1: has `c` behind the quote; allowed is a comment"),
            (r#"A="\x""#, r#"line 1: has `\x` in it; allowed are \n, \r, \t, \", \\ and \$"#),
            (r#"A="b\"#, r#"line 1: has `\` in it; allowed are \n, \r, \t, \", \\ and \$"#),
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }

    proptest! {
        /// Any text is read or refused, and what is quoted comes back as it was.
        #[test]
        fn what_is_quoted_comes_back(
            text in "\\PC{0,40}|[A-Z='\"#\\\\ \n]{0,40}",
            value in "[^\0\r\n']{0,20}",
        ) {
            let _ = parse(&text);
            prop_assert_eq!(&parse(&format!("A='{value}'")).unwrap()["A"], &value);
            let escaped = value.replace('\\', r"\\").replace('"', "\\\"");
            prop_assert_eq!(&parse(&format!("A=\"{escaped}\" # b")).unwrap()["A"], &value);
        }
    }
}
