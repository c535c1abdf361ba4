//! Timeout: one deadline for the whole of a call.
//!
//! *What it protects*: the caller, from a service that is slow rather than dead. *When it trips*:
//! at the earlier of the caller's own deadline and `limit` after the beginning; everything a call
//! goes through shares this one deadline, so that tries do not add up, and whoever is called further
//! down is told what is left of it. *How it recovers*: there is nothing to recover. *What it does
//! not do*: stop the work a task has already begun.

use std::time::Duration;

use super::{Ask, Outcome, Policy, Rejection};
use crate::time::Instant;

/// The deadline policy.
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Duration,
}

/// The header that tells a service further down what is left: whole milliseconds, rounded down.
/// Relative, because clocks of two machines disagree.
pub const HEADER: &str = "x-request-timeout-ms";

/// More digits are not a time that anybody waits: ten of them are 115 days.
const MOST_DIGITS: usize = 10;

/// Leave to go on until the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Timeout {
    /// Gives every call at most `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl Policy for Timeout {
    type Pass = Deadline;

    fn admit(&mut self, now: Instant, ask: &Ask) -> Result<Deadline, Rejection> {
        let own = now + self.limit;
        let deadline = ask.deadline.map_or(own, |asked| asked.min(own));
        if deadline > now { Ok(Deadline(deadline)) } else { Err(Rejection::DeadlinePassed) }
    }

    /// A deadline learns nothing.
    fn settle(&mut self, _now: Instant, _pass: Deadline, _outcome: Outcome) {}
}

/// The value of [`HEADER`] for so much time left. Zero if less than a millisecond is: then there is
/// no use in calling. More than the header can say is said as the most it can.
pub fn to_header(left: Duration) -> String {
    to_millis(left).to_string()
}

/// The same as a number, for those who write many.
pub fn to_millis(left: Duration) -> u64 {
    const MOST: u64 = 10u64.pow(MOST_DIGITS as u32) - 1;
    u64::try_from(left.as_millis()).map_or(MOST, |millis| millis.min(MOST))
}

/// What is left according to the value of [`HEADER`]. Digits and nothing else, at most ten of
/// them; `None` for anything else, as if there were no header.
pub fn from_header(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || value.len() > MOST_DIGITS || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = value.iter().fold(0, |millis, digit| millis * 10 + u64::from(digit - b'0'));
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_whole_milliseconds_and_nothing_else_is_read() {
        let header = |micros| to_header(Duration::from_micros(micros));
        assert_eq!((header(0), header(999), header(1_999)), ("0".into(), "0".into(), "1".into()));
        assert_eq!(to_header(Duration::MAX), "9999999999");
        let read = |value: &str| from_header(value.as_bytes()).map(|left| left.as_millis());
        assert_eq!((read("0"), read("750"), read("0750")), (Some(0), Some(750), Some(750)));
        assert_eq!(read("9999999999"), Some(9_999_999_999));
        for wrong in ["", "10000000000", "-1", "+1", " 1", "1 ", "1.5", "1s", "0x1", "١"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_earlier_deadline_counts_and_a_past_one_is_refused() {
        let at = |s| Instant::EPOCH + Duration::from_secs(s);
        let mut timeout = Timeout::new(Duration::from_secs(10));
        let mut admit = |deadline| timeout.admit(at(100), &Ask { repeatable: true, deadline });
        assert_eq!(admit(None), Ok(Deadline(at(110))));
        assert_eq!(admit(Some(at(105))), Ok(Deadline(at(105))));
        assert_eq!(admit(Some(at(500))), Ok(Deadline(at(110))));
        assert_eq!(admit(Some(at(100))), Err(Rejection::DeadlinePassed));
    }
}
