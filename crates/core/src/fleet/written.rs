//! Values as people write them in a file: durations, spans, shares, numbers, sizes.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::health::Matcher;

/// A duration with its unit: `"250ms"`, `"90s"`, `"1m 30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written(pub Duration);

/// One duration, or all between two: `"75s"`, `"60s..90s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

/// A share, written in percent: `"99.9%"`. Kept in millionths, so that it compares exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    millionths: u32,
}

/// A whole number, of whatever size; none if something else is written. Whether it is allowed is
/// said where its range is known, and so is that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Option<i128>);

/// A number with up to three decimals, such as 0.5, in thousandths; none if something else is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Option<i64>);

/// A number of bytes with its unit: `"256MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// No number is as large, nor can be told exactly.
const MOST: f64 = 1e36;

/// From small to large.
const UNITS: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads anything, and numbers as numbers.
struct AnyNumber;

/// Reads what can stand for a number.
struct AnyDecimal;

/// Reads text by a function. What is allowed is said of other text and of what is no text at all.
struct Text<T> {
    allowed: &'static str,
    read: fn(&str) -> Option<T>,
}

/// Reads a list. What is allowed is said of what is none.
struct List<T> {
    allowed: &'static str,
    of: PhantomData<T>,
}

/// Reads statuses.
struct Statuses;

/// A list of texts, for `#[serde(deserialize_with)]`.
pub(crate) fn list<'de, D, T, L>(deserializer: D) -> Result<L, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
    L: From<Vec<T>>,
{
    let allowed = "a list in brackets, such as [\"…\", \"…\"]";
    deserializer.deserialize_seq(List { allowed, of: PhantomData }).map(L::from)
}

/// A list of tables, for the same.
pub(crate) fn tables<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let allowed = "a list of tables: [{ … }, { … }], or each below its name in two brackets, [[…]]";
    deserializer.deserialize_seq(List { allowed, of: PhantomData })
}

/// Statuses, for the same.
pub(crate) fn statuses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Matcher>, D::Error> {
    deserializer.deserialize_str(Statuses).map(Some)
}

// === impl Statuses ===

impl Visitor<'_> for Statuses {
    type Value = Matcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("statuses in quotation marks: \"200\", \"200-299\", \"200,301-303\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Matcher, E> {
        text.parse().map_err(E::custom)
    }
}

// === impl List ===

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        std::iter::from_fn(|| list.next_element().transpose()).collect()
    }
}

// === impl Text ===

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::custom(format_args!("`{text}` is not {}", self.allowed)))
    }
}

// === impl Written ===

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = "a duration: a number with its unit, such as \"250ms\", \"90s\" or \"5m\"";
        deserializer.deserialize_str(Text { allowed, read: |text| duration(text).map(Self) })
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

/// Durations in other types, for `#[serde(with)]`.
pub mod as_written {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Written};

    /// As [`Written`].
    pub fn serialize<S: Serializer>(what: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Written(*what).serialize(serializer)
    }

    /// As [`Written`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Written::deserialize(deserializer).map(|written| written.0)
    }
}

// === impl Span ===

impl Span {
    fn read(text: &str) -> Option<Self> {
        let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
        let span = Self { shortest: duration(shortest)?, longest: duration(longest)? };
        (span.shortest <= span.longest).then_some(span)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed =
            "a duration, such as \"75s\", or the shortest and the longest, such as \"60s..90s\"";
        deserializer.deserialize_str(Text { allowed, read: Self::read })
    }
}

// === impl Share ===

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { millionths: 1_000_000 };

    /// So many of a hundred.
    pub const fn percent(percent: u8) -> Self {
        Self { millionths: percent as u32 * 10_000 }
    }

    /// Whether `part` of `whole` is at least this share. Nothing of nothing is.
    pub fn is_met(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 >= u128::from(whole) * u128::from(self.millionths)
    }

    /// As a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    fn read(text: &str) -> Option<Self> {
        let percent: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
        let millionths = (percent * 10_000.0).round();
        // What would be rounded is refused: "99.99999%" is not all of it.
        let exact = (percent * 10_000.0 - millionths).abs() < 1e-6;
        (exact && (0.0..=100.0).contains(&percent))
            .then_some(Self { millionths: millionths as u32 })
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = "a share: \"0%\" to \"100%\" with up to four decimals, such as \"99.9%\"";
        deserializer.deserialize_str(Text { allowed, read: Self::read })
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.millionths) / 10_000.0)
    }
}

// === impl Number ===

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNumber)
    }
}

impl<'de> Visitor<'de> for AnyNumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        self.visit_i128(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        self.visit_i128(number.into())
    }

    /// `1e3` is one, too.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        let is_whole = number.fract() == 0.0 && number.abs() < MOST;
        Ok(Number(is_whole.then_some(number as i128)))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Number, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Number(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Number, A::Error> {
        while table.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number(None))
    }
}

// === impl Decimal ===

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyDecimal)
    }
}

impl Visitor<'_> for AnyDecimal {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Decimal, E> {
        Ok(Decimal(number.checked_mul(1000)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
        Ok(Decimal(i64::try_from(number).ok().and_then(|number| number.checked_mul(1000))))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Decimal, E> {
        let thousandths = (number * 1000.0).round();
        // What would be rounded is refused.
        let exact = number.abs() < 1e9 && (number * 1000.0 - thousandths).abs() < 1e-6;
        Ok(Decimal(exact.then_some(thousandths as i64)))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Decimal, E> {
        Ok(Decimal(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Decimal, E> {
        Ok(Decimal(None))
    }
}

// === impl Size ===

impl Size {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, bytes) = UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
        number.parse().ok().and_then(|number: u64| number.checked_mul(bytes)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed =
            "a size: a whole number with its unit, such as \"512KiB\", \"256MiB\" or \"2GiB\"";
        deserializer.deserialize_str(Text { allowed, read: Self::read })
    }
}

/// In the largest unit that leaves a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &&(&str, u64)| self.0 >= *bytes && self.0.is_multiple_of(*bytes);
        match UNITS.iter().rev().find(whole) {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}
