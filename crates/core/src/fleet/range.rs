//! What values may be, and the words in which others are refused.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use humantime::format_duration;

use super::ConfigError;
use super::written::{Decimal, Number, Size, Span, Written};

/// No duration in a file is shorter, or it would be nothing when life is faster.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// No duration in a file, such as a `start_timeout`, is longer: an hour.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// No service has more tasks.
pub const MOST_TASKS: u32 = 100;

/// A duration of up to an hour.
pub(crate) fn duration(
    key: &str,
    written: Option<Written>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    within(key, written.map_or(default, |written| written.0), SHORTEST..=LONGEST)
}

/// A duration of up to an hour, or none at all.
pub(crate) fn duration_or_zero(
    key: &str,
    written: Option<Written>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    within(key, written.map_or(default, |written| written.0), Duration::ZERO..=LONGEST)
}

/// A span whose ends are from `shortest` to an hour.
pub(crate) fn span(
    key: &str,
    written: Option<Span>,
    shortest: Duration,
    default: (Duration, Duration),
) -> Result<(Duration, Duration), ConfigError> {
    let (low, high) = written.map_or(default, |s| (s.shortest, s.longest));
    Ok((within(key, low, shortest..=LONGEST)?, within(key, high, shortest..=LONGEST)?))
}

/// A duration in `allowed`.
pub(crate) fn within(
    key: &str,
    value: Duration,
    allowed: RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let [value, low, high] = [value, *allowed.start(), *allowed.end()].map(format_duration);
    Err(ConfigError::new(key, format_args!("{value} is out of range; allowed is {low} to {high}")))
}

/// A whole number in `allowed`.
pub(crate) fn number<T>(
    key: &str,
    written: Option<Number>,
    default: T,
    allowed: RangeInclusive<T>,
) -> Result<T, ConfigError>
where
    T: Copy + PartialOrd + Display + TryFrom<i128>,
{
    let Some(Number(written)) = written else { return Ok(default) };
    let number = written.and_then(|number| T::try_from(number).ok());
    number.filter(|number| allowed.contains(number)).ok_or_else(|| {
        let problem = match written {
            Some(number) => format!("{number} is out of range"),
            None => "is not a whole number".to_owned(),
        };
        let (low, high) = (allowed.start(), allowed.end());
        ConfigError::new(key, format_args!("{problem}; allowed is {low} to {high}"))
    })
}

/// A number with up to three decimals in `allowed`; both in thousandths.
pub(crate) fn thousandths(
    key: &str,
    written: Option<Decimal>,
    allowed: RangeInclusive<u32>,
) -> Result<Option<u32>, ConfigError> {
    let Some(Decimal(written)) = written else { return Ok(None) };
    let number = written.and_then(|number| u32::try_from(number).ok());
    number.filter(|number| allowed.contains(number)).map(Some).ok_or_else(|| {
        let say = |thousandths: f64| thousandths / 1000.0;
        let problem = match written {
            Some(number) => format!("{} is out of range", say(number as f64)),
            None => "is not a number with up to three decimals".to_owned(),
        };
        let (low, high) = (say((*allowed.start()).into()), say((*allowed.end()).into()));
        ConfigError::new(key, format_args!("{problem}; allowed is {low} to {high}"))
    })
}

/// A number of bytes in `allowed`.
pub(crate) fn bytes(
    key: &str,
    written: Option<Size>,
    allowed: RangeInclusive<u64>,
) -> Result<Option<u64>, ConfigError> {
    let Some(size) = written else { return Ok(None) };
    if allowed.contains(&size.0) {
        return Ok(Some(size.0));
    }
    let (low, high) = (Size(*allowed.start()), Size(*allowed.end()));
    let problem = format!("{size} is out of range; allowed is {low} to {high}");
    Err(ConfigError::new(key, problem))
}

/// The path of a file.
pub(crate) fn file(key: impl Display, path: &Path) -> Result<(), ConfigError> {
    let path = path.as_os_str().as_encoded_bytes();
    if path.is_empty() || path.contains(&0) {
        return Err(ConfigError::new(key, "names no file; allowed is a path"));
    }
    Ok(())
}

/// A variable of a task's environment.
pub(crate) fn variable(key: impl Display, name: &str, value: &str) -> Result<(), ConfigError> {
    if name == "PORT" || name.starts_with("SEAWORTHY_") {
        let problem = "is given to each task by seaworthy; allowed is any other name";
        return Err(ConfigError::new(key, problem));
    }
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        let problem = "is no variable; allowed is a name without = and no zero byte anywhere";
        return Err(ConfigError::new(key, problem));
    }
    Ok(())
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

/// A name that can stand in an address, in a variable and in a file.
pub(crate) fn name(key: impl Display, text: &str) -> Result<(), ConfigError> {
    let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len()) && text.chars().all(proper) {
        return Ok(());
    }
    Err(ConfigError::new(key, "is no name; allowed are 1 to 63 of a-z, 0-9 and -"))
}

/// A token of RFC 9110, such as the name of a cookie.
pub(crate) fn token(key: impl Display, text: &str) -> Result<(), ConfigError> {
    let proper = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if (1..=63).contains(&text.len()) && text.bytes().all(proper) {
        return Ok(());
    }
    let problem = "is no name; allowed are 1 to 63 letters, digits and !#$%&'*+-.^_`|~";
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
