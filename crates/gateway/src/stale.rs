//! Answers kept for the case that there is nothing but an error.
//!
//! What may be kept and for how long is core's `Fallback`; which answers are anybody's is a matter of
//! HTTP (`http::Request::impersonal`, `http::Response::storable`). An answer from here says so in
//! `X-Seaworthy-Degraded`, with its age.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use seaworthy_core::call::{Config, RouteId};
use seaworthy_core::policy::fallback::Fallback;

use crate::clock::now;
use crate::http::fields::{self, DEGRADED, REQUEST_ID};
use crate::http::id::Id;

/// A longer answer is not kept.
pub(crate) const LONGEST: usize = 1 << 20;

/// The kept answers of one service, by route.
pub(crate) struct StaleAnswers {
    routes: Vec<Option<Mutex<Fallback<Key, Bytes>>>>,
}

/// What was asked: the request's first line and its host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<u8>);

/// A kept answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    /// All of it, as a client once got it.
    answer: Bytes,
    age: Duration,
}

// === impl StaleAnswers ===

impl StaleAnswers {
    /// Nothing is kept yet.
    pub(crate) fn new(config: &Config) -> Self {
        let fallback = |fallback| Mutex::new(Fallback::new(fallback));
        Self { routes: config.routes.iter().map(|route| route.fallback.map(fallback)).collect() }
    }

    /// Keeps a whole answer.
    pub(crate) fn keep(&self, route: RouteId, key: Key, answer: Vec<u8>) {
        if let Some(kept) = &self.routes[route.0] {
            let weight = (answer.len() + key.0.len()) as u64;
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            // It is never given while it is fresh: a task that can answer does.
            kept.keep(now(), key, answer.into(), weight, Duration::ZERO);
        }
    }

    /// The answer that may stand in for an error, if there is one.
    pub(crate) fn instead(&self, route: RouteId, key: &Key) -> Option<Stale> {
        let mut kept =
            self.routes[route.0].as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = kept.instead(now(), key).ok()?;
        Some(Stale { answer: stale.value.clone(), age: stale.age })
    }
}

// === impl Key ===

impl Key {
    /// Of a head as a task gets it.
    pub(crate) fn of(head: &[u8]) -> Self {
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let is_host =
            |line: &&[u8]| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
        Self([first, lines.find(is_host).unwrap_or_default()].concat())
    }
}

// === impl Stale ===

impl Stale {
    /// Writes it for a client that is told why it gets no better one. It is the answer to the request
    /// `id` now.
    pub(crate) fn write(&self, cause: &str, id: &Id, keep_alive: bool, out: &mut Vec<u8>) {
        let first = memchr::memchr(b'\n', &self.answer).map_or(0, |at| at + 1);
        let age = self.age.as_secs();
        out.clear();
        out.extend_from_slice(&self.answer[..first]);
        fields::write(out, DEGRADED, format!("answer=stale;age={age}").as_bytes());
        fields::write(out, "X-Seaworthy-Cause", cause.as_bytes());
        fields::write(out, "Age", age.to_string().as_bytes());
        fields::write(out, REQUEST_ID, id.as_bytes());
        if !keep_alive {
            fields::write(out, "Connection", b"close");
        }
        let (before, after) = self.around_its_id(first);
        out.extend_from_slice(before);
        out.extend_from_slice(after);
    }

    /// What stands from `first` on before and after the id of the request it once answered.
    fn around_its_id(&self, first: usize) -> (&[u8], &[u8]) {
        let rest = &self.answer[first..];
        let at = memchr::memmem::find(rest, REQUEST_ID.as_bytes()).unwrap_or(rest.len());
        let (before, line) = rest.split_at(at);
        let end = memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1);
        (before, &line[end..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_the_line_and_the_host() {
        let key = |head: &str| Key::of(head.as_bytes());
        let one = key("GET /a HTTP/1.1\r\nX: y\r\nHost: b\r\n\r\n");
        assert_eq!(one, key("GET /a HTTP/1.1\r\nHost: b\r\nX: z\r\n\r\n"));
        assert_ne!(one, key("GET /a HTTP/1.1\r\nHost: c\r\n\r\n"));
        assert_ne!(one, key("GET /b HTTP/1.1\r\nHost: b\r\n\r\n"));
    }
}
