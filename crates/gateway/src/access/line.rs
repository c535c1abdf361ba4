//! One line of the access log.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy_core::time::Instant;
use serde::Serialize;

use crate::account::Account;

/// A request that is over, and what is to be said of it.
pub(crate) struct Line<'a> {
    /// What became of it.
    pub(crate) account: &'a Account,
    /// It was over then.
    pub(crate) now: Instant,
    /// The service's name.
    pub(crate) service: &'a str,
    /// The route's name, if it has one.
    pub(crate) route: Option<&'a str>,
    /// Its client's address.
    pub(crate) client: &'a str,
    /// Its head as a task gets it; empty if it was not taken.
    pub(crate) head: &'a [u8],
}

/// The same, as it stands in the file.
#[derive(Serialize)]
struct Json<'a> {
    time: String,
    service: &'a str,
    route: Option<&'a str>,
    method: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    status: Option<u16>,
    cause: Option<&'a str>,
    task: Option<String>,
    retries: u32,
    hedges: u32,
    head_ms: Option<f64>,
    duration_ms: f64,
    received_bytes: u64,
    sent_bytes: u64,
    client: &'a str,
    request_id: Option<Cow<'a, str>>,
    trace_id: Option<Cow<'a, str>>,
}

// === impl Line ===

impl Line<'_> {
    /// As JSON, with a line feed behind it. Bytes that are no text are replaced.
    pub(crate) fn json(&self) -> Vec<u8> {
        let account = self.account;
        let mut words = self
            .head
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default()
            .split(|byte| *byte == b' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).map(String::from_utf8_lossy);
        let json = Json {
            time: rfc_3339(SystemTime::now()),
            service: self.service,
            route: self.route,
            method: word(),
            target: word(),
            host: field(self.head, b"host").map(String::from_utf8_lossy),
            status: account.status,
            cause: account.cause,
            task: account.task.map(|task| task.to_string()),
            retries: account.retries,
            hedges: account.hedges,
            head_ms: account.to_head.map(milliseconds),
            duration_ms: milliseconds(self.now.since(account.begun)),
            received_bytes: account.received,
            sent_bytes: account.sent,
            client: self.client,
            request_id: field(self.head, b"x-request-id").map(String::from_utf8_lossy),
            trace_id: field(self.head, b"traceparent").and_then(trace_id),
        };
        let mut line = serde_json::to_vec(&json).expect("a line is plain data");
        line.push(b'\n');
        line
    }
}

/// To a microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// The value of the first field of this name; `name` is in lower case.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // Behind the empty line its body may stand.
    let lines = head.split(|byte| *byte == b'\n').skip(1).take_while(|line| *line != b"\r");
    let mut fields = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    });
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The second part of `traceparent` (W3C Trace Context).
fn trace_id(parent: &[u8]) -> Option<Cow<'_, str>> {
    parent.split(|byte| *byte == b'-').nth(1).map(String::from_utf8_lossy)
}

/// `2026-11-24T17:36:01.123456Z`
fn rfc_3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// The date so many days after the first of January 1970. Source: Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the day that comes and goes is the last one.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use seaworthy_core::call::RouteId;
    use seaworthy_core::endpoints::TaskId;
    use serde_json::{Value, json};

    use super::*;

    fn told(account: &Account, head: &[u8]) -> Value {
        let now = account.begun + Duration::from_micros(2_500);
        let (service, client) = ("store", "127.0.0.1");
        let line = Line { account, now, service, route: Some("default"), client, head }.json();
        assert_eq!(memchr::memchr_iter(b'\n', &line).count(), 1);
        let mut value: Value = serde_json::from_slice(&line).unwrap();
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
        value["time"] = Value::Null;
        value
    }

    #[test]
    fn a_line_tells_all_of_a_request() {
        let account = Account {
            status: Some(200),
            task: Some(TaskId(2)),
            retries: 1,
            received: 10,
            sent: 20,
            to_head: Some(Duration::from_millis(1)),
            ..Account::new(RouteId(0), Instant::EPOCH)
        };
        let head = b"GET /a?b=%22 HTTP/1.1\r\nHost: example.com\r\nX-Request-Id: r-1\r\n\
            traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
        let expected = json!({
            "time": null, "service": "store", "route": "default", "method": "GET",
            "target": "/a?b=%22", "host": "example.com", "status": 200, "cause": null,
            "task": "task-2", "retries": 1, "hedges": 0, "head_ms": 1.0, "duration_ms": 2.5,
            "received_bytes": 10, "sent_bytes": 20, "client": "127.0.0.1", "request_id": "r-1",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        });
        assert_eq!(told(&account, head), expected);
    }

    #[test]
    fn any_bytes_make_one_line_of_json() {
        let account = Account::new(RouteId(0), Instant::EPOCH);
        let line = told(&account, b"GET /\"\xff\\\t\x01 HTTP/1.1\r\nHost: \"\xc3\r\n\r\n");
        assert_eq!(line["target"], "/\"\u{fffd}\\\t\u{1}");
        assert_eq!(line["host"], "\"\u{fffd}");
        let line = told(&account, b"");
        assert_eq!((&line["method"], &line["target"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn moments_are_told_as_in_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_795_541_761, "2026-11-24T17:36:01.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc_3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
