//! What values may be, and the words in which others are refused.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::ConfigError;
use super::written::{Span, Written};

/// No duration in a file is shorter, or it would be nothing when life is faster.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// No duration in a file is longer.
const HOUR: Duration = Duration::from_secs(3600);

/// A duration of up to an hour.
pub(crate) fn duration(
    key: &str,
    written: Option<Written>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    within(key, written.map_or(default, |written| written.0), SHORTEST..=HOUR)
}

/// A span whose ends are from `shortest` to an hour.
pub(crate) fn span(
    key: &str,
    written: Option<Span>,
    shortest: Duration,
    default: (Duration, Duration),
) -> Result<(Duration, Duration), ConfigError> {
    let (low, high) = written.map_or(default, |s| (s.shortest, s.longest));
    Ok((within(key, low, shortest..=HOUR)?, within(key, high, shortest..=HOUR)?))
}

/// A duration in `allowed`.
pub(crate) fn within(
    key: &str,
    value: Duration,
    allowed: RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let write = |d: &Duration| humantime::format_duration(*d).to_string();
    in_range(key, value, &allowed, write)
}

/// A number in `allowed`.
pub(crate) fn number(
    key: &str,
    written: Option<u32>,
    default: u32,
    allowed: RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    in_range(key, written.unwrap_or(default), &allowed, u32::to_string)
}

/// A path, perhaps with a query, that can stand in a request as it is (RFC 3986).
pub(crate) fn path(key: impl Display, text: &str) -> Result<(), ConfigError> {
    let proper = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    if text.starts_with('/') && text.bytes().all(proper) {
        return Ok(());
    }
    let problem = format!(
        "{text:?} is not a path; allowed is /… with letters, digits, -._~!$&'()*+,;=:@/? and %XX for \
         all else"
    );
    Err(ConfigError::new(key, problem))
}

/// A program and its arguments.
pub(crate) fn command(key: impl Display, words: &[String]) -> Result<(), ConfigError> {
    let named = words.first().is_some_and(|program| !program.is_empty());
    if named && !words.iter().any(|word| word.contains('\0')) {
        return Ok(());
    }
    let problem =
        "names no program; allowed is a program and its arguments, [\"PROGRAM\", \"ARG\"]";
    Err(ConfigError::new(key, problem))
}

fn in_range<T: PartialOrd + Copy, D: Display>(
    key: &str,
    value: T,
    allowed: &RangeInclusive<T>,
    write: impl Fn(&T) -> D,
) -> Result<T, ConfigError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let (value, low, high) = (write(&value), write(allowed.start()), write(allowed.end()));
    Err(ConfigError::new(key, format_args!("{value} is out of range; allowed is {low} to {high}")))
}
