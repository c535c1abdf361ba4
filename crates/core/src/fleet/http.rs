//! How a service takes HTTP: what it refuses, what it adds, and how long it waits for a client.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What holds for every request to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Which requests are taken that are not quite as they should be.
    pub desync: Desync,
    /// What tasks are told of the client's address.
    pub forwarded: Forwarded,
    /// So many addresses may stand in `X-Forwarded-For` as it comes.
    pub most_forwarded: usize,
    /// Whose request id counts.
    pub request_id: RequestIds,
    /// What a client wants that has stopped sending and awaits its answer.
    pub half_close: HalfClose,
    /// Longest request line, in bytes.
    pub longest_line: usize,
    /// Longest head of a request, in bytes.
    pub longest_head: usize,
    /// Most fields of a head.
    pub most_fields: usize,
    /// Longest body of a request, in bytes; none if it does not matter.
    pub longest_body: Option<u64>,
    /// A connection without a request is closed after so long.
    pub idle_timeout: Duration,
    /// A head must come whole within this.
    pub head_timeout: Duration,
    /// After so long without a byte of a body that is awaited, its request is given up.
    pub body_timeout: Duration,
    /// After so long without a byte of its answer taken, a client is given up.
    pub write_timeout: Duration,
    /// After so long without a byte in either direction, a tunnel is closed.
    pub tunnel_timeout: Duration,
}

/// Which requests are taken. What could be read in two ways is never passed on: it is refused, or
/// passed on in one form. Source: ALB's desync mitigation modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Desync {
    /// As in `Defensive`, but a connection goes on after an ambiguous request.
    Monitor,
    /// Ambiguous ones too, but both connections end after them.
    Defensive,
    /// Only those that are as they should be.
    Strictest,
}

/// What becomes of `X-Forwarded-For`. Source: ALB's three modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Forwarded {
    /// The client's address is added.
    Append,
    /// It is passed on as it came, and so are `X-Forwarded-Proto` and `X-Forwarded-Port`.
    Preserve,
    /// It is not passed on.
    Remove,
}

/// What a client wants that sends no more (a FIN) while its request is under way: one that has closed its
/// connection looks just like that. What waits for a task is given up in any case. Sources: `abortonclose`
/// of `HAProxy`, `proxy_ignore_client_abort` of nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HalfClose {
    /// Its answer: the request is carried to its end.
    Serve,
    /// Nothing any more: the request is given up, and the connection to the task closed.
    Gone,
}

/// Whose request id counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RequestIds {
    /// The client's if it sends a proper one, else ours.
    Trust,
    /// Always ours.
    Replace,
}

// === impl Config ===

impl Config {
    /// All durations, to be changed.
    pub(super) fn durations(&mut self) -> [&mut Duration; 5] {
        [
            &mut self.idle_timeout,
            &mut self.head_timeout,
            &mut self.body_timeout,
            &mut self.write_timeout,
            &mut self.tunnel_timeout,
        ]
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            desync: Desync::Defensive,
            forwarded: Forwarded::Append,
            most_forwarded: 30,
            // Whoever calls us may have called others with the same id.
            request_id: RequestIds::Trust,
            // Who is taken for gone and is not gets no answer; who is not taken for it costs work.
            half_close: HalfClose::Serve,
            longest_line: 16 << 10,
            longest_head: 64 << 10,
            // As most servers that a task is made of: more would be refused there.
            most_fields: 100,
            // What is too long is the task's to say.
            longest_body: None,
            idle_timeout: Duration::from_secs(60),
            // Ten times what the slowest honest client needs, and a slow attacker's connection is gone
            // before it has cost much.
            head_timeout: Duration::from_secs(10),
            // A phone that changes its cell is silent for a few seconds, and not for so many.
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            // Protocols in tunnels have heartbeats of their own, and some have slow ones. This is for
            // those whose other end is gone without a word.
            tunnel_timeout: Duration::from_secs(3600),
        }
    }
}
