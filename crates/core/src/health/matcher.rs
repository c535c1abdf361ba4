//! Which statuses count as a right answer: `200`, `200,204`, `200-299`, or a mixture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A set of HTTP statuses, written as a list of statuses and ranges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Matcher {
    /// Inclusive ranges, as written.
    ranges: Vec<(u16, u16)>,
}

/// What is wrong with a matcher.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` matches no status; allowed are statuses from 100 to 599, ranges and lists: \"200\", \"200-299\", \"200,301-303\""
)]
pub struct NotAMatcher(String);

impl Matcher {
    /// Matches one status only.
    pub fn only(status: u16) -> Self {
        Self { ranges: vec![(status, status)] }
    }

    /// What a program answers of which no more is known than that it is right: 200 if that is in the set, and the lowest
    /// of it otherwise.
    pub fn usual(&self) -> u16 {
        let lowest = self.ranges.iter().map(|(low, _)| *low).min();
        lowest.filter(|_| !self.matches(200)).unwrap_or(200)
    }

    /// Whether `status` is in the set.
    pub fn matches(&self, status: u16) -> bool {
        self.ranges.iter().any(|&(low, high)| (low..=high).contains(&status))
    }
}

impl FromStr for Matcher {
    type Err = NotAMatcher;

    fn from_str(text: &str) -> Result<Self, NotAMatcher> {
        let range = |part: &str| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (status(low)?, status(high)?);
            (low <= high).then_some((low, high))
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.map(|ranges| Self { ranges }).ok_or_else(|| NotAMatcher(text.to_owned()))
    }
}

fn status(text: &str) -> Option<u16> {
    let text = text.trim();
    let all_digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten().filter(|s| (100..=599).contains(s))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (low, high)) in self.ranges.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            if low == high {
                write!(f, "{comma}{low}")?;
            } else {
                write!(f, "{comma}{low}-{high}")?;
            }
        }
        Ok(())
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.to_string()
    }
}

impl TryFrom<String> for Matcher {
    type Error = NotAMatcher;

    fn try_from(text: String) -> Result<Self, NotAMatcher> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_status_is_200_where_that_is_right() {
        let usual = |text: &str| text.parse::<Matcher>().unwrap().usual();
        assert_eq!(["200", "100-299", "301,204", "201-299"].map(usual), [200, 200, 204, 201]);
    }

    #[test]
    fn lists_and_ranges_match_as_written() {
        let matcher: Matcher = "200, 301-303".parse().unwrap();
        let statuses: Vec<u16> = (100..600).filter(|s| matcher.matches(*s)).collect();
        assert_eq!(statuses, [200, 301, 302, 303]);
        assert_eq!(matcher.to_string(), "200,301-303");
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        for wrong in ["", "99", "600", "2xx", "200-", "299-200", "200,,204", "+20", "1000"] {
            assert!(wrong.parse::<Matcher>().is_err(), "{wrong}");
        }
    }
}
