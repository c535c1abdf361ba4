//! Answers of our own: one table from the reason to the status, as a problem document.
//!
//! Source: RFC 9457. The cause stands in a field as well, so that it can be told from an answer of
//! a task without reading the body.

use std::time::Duration;

use seaworthy_core::call::{FailureKind, Refusal};
use seaworthy_core::policy::Rejection;
use serde::Serialize;

use super::Fault;
use super::fields::{self, REQUEST_ID};
use super::request::Request;
use super::response::write_connection;

/// Why the answer is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The request was not taken.
    Fault(Fault),
    /// No task's answer could be had.
    Refusal(Refusal),
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Why {
    /// Status, title and cause.
    fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Fault(fault) => faulty(fault),
            Self::Refusal(refusal) => {
                let status = refusal.status();
                (status, title(status), cause(refusal))
            }
        }
    }

    /// Its status.
    pub(crate) fn status(self) -> u16 {
        self.row().0
    }

    /// What stands in `X-Seaworthy-Cause`.
    pub(crate) fn cause(self) -> &'static str {
        self.row().2
    }

    /// After how long it may be worth asking again, if that is known.
    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Refusal(Refusal::Rejected(why)) => why.retry_after(),
            _ => None,
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Fault(fault) => fault.to_string(),
            Self::Refusal(refusal) => refusal.to_string(),
        }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        502 => "Bad Gateway",
        504 => "Gateway Timeout",
        _ => "Service Unavailable",
    }
}

fn cause(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoTask => "no_task",
        Refusal::Busy => "tasks_busy",
        Refusal::Failed(FailureKind::Refused) => "task_refused",
        Refusal::Failed(FailureKind::Closed) => "task_closed",
        Refusal::Failed(FailureKind::Malformed) => "task_malformed",
        Refusal::Failed(FailureKind::ConnectTimeout) => "connect_timeout",
        Refusal::Deadline => "deadline",
        Refusal::Rejected(why) => rejected(why),
    }
}

/// Writes the answer to `out`. A request that was not taken has no [`Request`]: its connection ends.
pub(crate) fn write(why: Why, request: Option<&Request>, keep_alive: bool, out: &mut Vec<u8>) {
    let (status, title, cause) = why.row();
    let request_id = request.map(|request| request.id.as_str());
    let problem = Problem { title, status, detail: &why.detail(), request_id };
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    out.clear();
    out.extend_from_slice(format!("HTTP/1.1 {status} {title}\r\n").as_bytes());
    fields::write(out, "Content-Type", b"application/problem+json");
    fields::write_number(out, "Content-Length", body.len() as u64);
    fields::write(out, "X-Seaworthy-Cause", cause.as_bytes());
    if let Some(wait) = why.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        fields::write_number(out, "Retry-After", seconds);
    }
    if let Some(id) = request_id {
        fields::write(out, REQUEST_ID, id.as_bytes());
    }
    match request {
        Some(request) => write_connection(out, keep_alive, request),
        None => fields::write(out, "Connection", b"close"),
    }
    out.extend_from_slice(b"\r\n");
    if !request.is_some_and(|request| request.head_only) {
        out.extend_from_slice(&body);
    }
}

fn faulty(fault: Fault) -> (u16, &'static str, &'static str) {
    match fault {
        Fault::Desync(reason) => (400, "Bad Request", reason.cause()),
        Fault::Malformed(_) => (400, "Bad Request", "malformed"),
        Fault::BadChunk => (400, "Bad Request", "bad_chunk"),
        Fault::SlowHead => (408, "Request Timeout", "slow_head"),
        Fault::SlowBody => (408, "Request Timeout", "slow_body"),
        Fault::BodyTooLong(_) => (413, "Content Too Large", "body_too_long"),
        Fault::LineTooLong(_) => (414, "URI Too Long", "line_too_long"),
        Fault::Expectation => (417, "Expectation Failed", "unknown_expectation"),
        Fault::HeadTooLarge(..) => (431, "Request Header Fields Too Large", "head_too_large"),
        // Of an ALB.
        Fault::TooManyForwarded(_) => (463, "Too Many Forwarded Addresses", "too_many_forwarded"),
        Fault::Coding => (501, "Not Implemented", "unknown_coding"),
        Fault::Tunnel => (501, "Not Implemented", "tunnel"),
        Fault::Version => (505, "HTTP Version Not Supported", "unknown_version"),
    }
}

fn rejected(why: Rejection) -> &'static str {
    match why {
        Rejection::DeadlinePassed => "deadline",
        Rejection::Open { .. } => "breaker_open",
        Rejection::TrialsTaken { .. } => "breaker_half_open",
        Rejection::Ramp { .. } => "breaker_ramp",
        Rejection::ForcedOpen => "breaker_forced_open",
        Rejection::Full { .. } => "bulkhead_full",
        Rejection::KeysInUse { .. } => "keys_in_use",
    }
}
