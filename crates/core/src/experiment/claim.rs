//! What a drill promises about its figures: `{2.slow.page.failed_share} <= 0.1%`.
//!
//! ```text
//! claim   = sum ("<=" | ">=") sum
//! sum     = product (("+" | "-") product)*
//! product = [NUMBER "*"] value
//! value   = "|" sum "|" | "{" FIGURE "}" | DURATION | SHARE | NUMBER
//! ```
//!
//! Durations are at life size. Both sides must be of one unit.

use std::fmt;
use std::time::Duration;

use super::reading::{Place, Unit};

/// A promise about figures of a drill's cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// As written.
    pub text: String,
    left: Sum,
    right: Sum,
    /// Whether the left side may be at most the right one, or at least.
    at_most: bool,
}

/// Whether a claim holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// It does.
    pub holds: bool,
    /// Its left side, in words.
    pub left: String,
    /// Its right side, in words.
    pub right: String,
}

/// What is added up, each with its factor; never empty.
type Sum = Vec<(f64, Value)>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Constant(f64, Unit),
    Figure(Place),
    Absolute(Sum),
}

/// Reads a claim from left to right.
struct Reader<'a> {
    rest: &'a str,
    place: &'a dyn Fn(&str) -> Result<Place, String>,
}

// === impl Claim ===

impl Claim {
    /// Reads a claim; `place` reads what stands in braces.
    pub fn read(text: &str, place: &dyn Fn(&str) -> Result<Place, String>) -> Result<Self, String> {
        let mut reader = Reader { rest: text, place };
        let (left, unit) = reader.sum()?;
        let at_most = match (reader.skip("<="), reader.rest.starts_with(">=")) {
            (true, _) => true,
            (false, true) => !reader.skip(">="),
            (false, false) => return Err(reader.expected("<= or >=")),
        };
        let (right, other) = reader.sum()?;
        if !reader.rest.is_empty() {
            return Err(reader.expected("the end"));
        }
        if unit != other {
            return Err(format!(
                "{unit} on the left and {other} on the right; allowed is one unit"
            ));
        }
        Ok(Self { text: text.to_owned(), left, right, at_most })
    }

    /// Every figure it speaks of.
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        collect(&self.left, &mut places);
        collect(&self.right, &mut places);
        places
    }

    /// Judges it by the medians of its two sides over so many repetitions; none if a figure of any
    /// is not known. What differs from one repetition to the next, as a machine's other work does,
    /// is in both sides of each.
    pub fn judge(
        &self,
        repetitions: usize,
        figure: &dyn Fn(Place, usize) -> Option<f64>,
    ) -> Option<Judged> {
        let median = |sum: &Sum| {
            let value = |n| evaluate(sum, &|place| figure(place, n));
            // By how much two differ that both never happened is not known: it may be most of all.
            let known = |value: f64| if value.is_nan() { f64::NAN } else { value };
            let values = (0..repetitions).map(|n| value(n).map(known));
            middle(values.collect::<Option<Vec<f64>>>()?).filter(|median| !median.is_nan())
        };
        let (left, right, unit) = (median(&self.left)?, median(&self.right)?, unit(&self.left));
        let holds = if self.at_most { left <= right } else { left >= right };
        Some(Judged { holds, left: unit.say(left), right: unit.say(right) })
    }
}

/// The value in the middle, or what is between the two; none of none.
pub fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(if lower < upper { f64::midpoint(lower, upper) } else { upper })
}

fn collect(sum: &[(f64, Value)], places: &mut Vec<Place>) {
    for (_, value) in sum {
        match value {
            Value::Constant(..) => {}
            Value::Figure(place) => places.push(*place),
            Value::Absolute(sum) => collect(sum, places),
        }
    }
}

fn evaluate(sum: &[(f64, Value)], figure: &dyn Fn(Place) -> Option<f64>) -> Option<f64> {
    sum.iter().try_fold(0.0, |so_far, (factor, value)| {
        let value = match value {
            Value::Constant(value, _) => *value,
            Value::Figure(place) => figure(*place)?,
            Value::Absolute(sum) => evaluate(sum, figure)?.abs(),
        };
        Some(so_far + factor * value)
    })
}

fn unit(sum: &[(f64, Value)]) -> Unit {
    match &sum[0].1 {
        Value::Constant(_, unit) => *unit,
        Value::Figure(place) => place.figure.unit(),
        Value::Absolute(sum) => unit(sum),
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn sum(&mut self) -> Result<(Sum, Unit), String> {
        let mut sum = vec![self.product()?];
        let unit_of_first = unit(&sum);
        loop {
            let sign = match (self.skip("+"), self.rest.starts_with('-')) {
                (true, _) => 1.0,
                (false, true) if self.skip("-") => -1.0,
                _ => return Ok((sum, unit_of_first)),
            };
            let (factor, value) = self.product()?;
            sum.push((sign * factor, value));
            let other = unit(&sum[sum.len() - 1..]);
            if other != unit_of_first {
                return Err(format!("{unit_of_first} and {other} cannot be added"));
            }
        }
    }

    fn product(&mut self) -> Result<(f64, Value), String> {
        let value = self.value()?;
        match value {
            Value::Constant(factor, Unit::Count) if self.skip("*") => Ok((factor, self.value()?)),
            value => Ok((1.0, value)),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.skip("|") {
            let (sum, _) = self.sum()?;
            return if self.skip("|") { Ok(Value::Absolute(sum)) } else { Err(self.expected("|")) };
        }
        if self.skip("{") {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return Err(self.expected("}"));
            };
            self.rest = rest.trim_start();
            return (self.place)(name).map(Value::Figure);
        }
        let end = self.rest.find(|c: char| " +*|<>={".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let constant = constant(word).ok_or_else(|| {
            self.expected("a {figure}, a duration such as 250ms, a share such as 0.1% or a number")
        })?;
        self.rest = rest.trim_start();
        Ok(constant)
    }

    /// Whether `sign` comes next; then it is read.
    fn skip(&mut self, sign: &str) -> bool {
        let after = self.rest.trim_start().strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest).trim_start();
        after.is_some()
    }

    fn expected(&self, what: &str) -> String {
        format!("`{}` stands where {what} is allowed", self.rest)
    }
}

fn constant(word: &str) -> Option<Value> {
    if let Some(percent) = word.strip_suffix('%') {
        return Some(Value::Constant(percent.parse::<f64>().ok()? / 100.0, Unit::Share));
    }
    if let Ok(number) = word.parse::<f64>() {
        return number.is_finite().then_some(Value::Constant(number, Unit::Count));
    }
    let duration: Duration = humantime::parse_duration(word).ok()?;
    Some(Value::Constant(duration.as_secs_f64(), Unit::Time))
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::reading::{Figure, Places};

    fn places(name: &str) -> Result<Place, String> {
        Places { configurations: 2, schedules: vec!["a"], flows: vec!["all"] }.read(name)
    }

    /// `gap` is 2 s in the first configuration and 3 s in the second, `failed` 10 and 20,
    /// `failed_share` 10 % and 20 %.
    fn figure(place: Place, _repetition: usize) -> Option<f64> {
        let n = place.cell.configuration as f64;
        match place.figure {
            Figure::Gap => Some(2.0 + n),
            Figure::Failed => Some(10.0 + 10.0 * n),
            Figure::FailedShare => Some(0.1 + 0.1 * n),
            _ => None,
        }
    }

    fn judge(text: &str) -> Option<Judged> {
        Claim::read(text, &places).unwrap().judge(1, &figure)
    }

    #[test]
    fn a_claim_compares_figures_with_each_other_and_with_constants() {
        let rows = [
            ("{1.a.gap} <= 2s", true),
            ("{1.a.gap}<=1.9s", false),
            ("{2.a.gap} >= {1.a.gap} + 1s", true),
            ("{1.a.failed_share} <= 10%", true),
            ("{1.a.failed} >= 10.5", false),
            ("|{1.a.gap} - {2.a.gap}| <= 2 * |{2.a.gap} - {1.a.gap}|", true),
            ("|{1.a.gap} - {2.a.gap}| <= 0.5 * |{2.a.gap} - {1.a.gap}|", false),
            ("{2.a.failed} - {1.a.failed} - 1 <= 9", true),
        ];
        for (text, holds) in rows {
            assert_eq!(judge(text).map(|judged| judged.holds), Some(holds), "{text}");
        }
        let judged = judge("{1.a.gap} <= 250ms").unwrap();
        assert_eq!((judged.left.as_str(), judged.right.as_str()), ("2s", "250ms"));
        assert_eq!(judge("{1.a.recovery} <= 1s"), None, "nobody knows it");
    }

    /// Each repetition is quicker or slower as a whole; what its two cells differ by is 1 s.
    #[test]
    fn both_sides_are_of_one_repetition() {
        let figure = |place: Place, repetition: usize| {
            Some([7.0, 1.0, 4.0][repetition] + place.cell.configuration as f64)
        };
        let claim = Claim::read("|{1.a.gap} - {2.a.gap}| <= {1.a.gap}", &places).unwrap();
        let judged = claim.judge(3, &figure).unwrap();
        assert_eq!((judged.left.as_str(), judged.right.as_str()), ("1s", "4s"));
        assert_eq!(claim.judge(4, &|place, n| (n < 3).then(|| figure(place, n)).flatten()), None);
    }

    #[test]
    fn in_the_middle_is_one_or_what_is_between_two() {
        let infinity = f64::INFINITY;
        let all = [&[][..], &[3.0], &[4.0, 1.0], &[infinity, 1.0, 2.0], &[infinity; 2]];
        let middle = all.map(|values| middle(values.to_vec()));
        assert_eq!(middle, [None, Some(3.0), Some(2.5), Some(2.0), Some(infinity)]);
    }

    #[test]
    fn of_two_repetitions_the_median_is_between() {
        let of = |values: [f64; 2], text: &str| {
            let claim = Claim::read(text, &places).unwrap();
            claim.judge(2, &|_, repetition| Some(values[repetition]))
        };
        let judged = of([1.0, 3.0], "{1.a.gap} <= 2s").unwrap();
        assert_eq!((judged.holds, judged.left.as_str()), (true, "2s"));
        assert_eq!(of([1.0, f64::INFINITY], "{1.a.gap} <= 2s").unwrap().left, "never");
        let both_never = of([f64::INFINITY; 2], "|{1.a.gap} - {2.a.gap}| <= 1s");
        assert_eq!(both_never, None, "nobody knows how far apart they are");
        // One of three that nobody knows is no reason to say nothing.
        let claim = Claim::read("|{1.a.gap} - {2.a.gap}| <= 1s", &places).unwrap();
        let of = |place: Place, n: usize| {
            Some(if n == 0 { f64::INFINITY } else { 10.0 * place.cell.configuration as f64 })
        };
        assert_eq!(claim.judge(3, &of).map(|judged| judged.holds), Some(false));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let rows = [
            ("{1.a.gap} <= 5", "a duration on the left and a number on the right"),
            ("{1.a.gap} + 5% <= 1s", "a duration and a share cannot be added"),
            ("{1.a.gap} < 1s", "where <= or >= is allowed"),
            ("{1.a.gap} <= 1s 2s", "where the end is allowed"),
            ("{1.a.gap} <= soon", "where a {figure}, a duration"),
            ("{1.a.gap <= 1s", "where } is allowed"),
            ("|{1.a.gap} <= 1s", "where | is allowed"),
            ("{3.a.gap} <= 1s", "is no figure of a cell"),
            ("", "where a {figure}"),
        ];
        for (text, problem) in rows {
            let error = Claim::read(text, &places).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
