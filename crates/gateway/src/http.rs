//! HTTP/1.1 on the wire: what a head means, where a body ends, what is passed on. No I/O.
//!
//! Heads are read by `httparse`; the strictness is ours. A request that could be read in two ways is
//! refused, because the task might read it in the other one. Source: RFC 9112.

pub(crate) mod answer;
pub(crate) mod body;
mod chunked;
pub(crate) mod fields;
pub(crate) mod request;
pub(crate) mod response;

use std::fmt;

/// Longest request line, as an ALB takes it.
const LONGEST_LINE: usize = 16 << 10;
/// Longest head of a request, as an ALB takes it.
pub(crate) const LONGEST_REQUEST_HEAD: usize = 64 << 10;
/// Longest head of an answer, as an ALB takes it.
pub(crate) const LONGEST_RESPONSE_HEAD: usize = 32 << 10;
/// Most fields of a head.
const MOST_FIELDS: usize = 100;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no HTTP, or HTTP that can be read in two ways.
    Malformed(&'static str),
    /// Its chunks are no chunks.
    BadChunk,
    /// Its first line is too long.
    LineTooLong,
    /// Its head is too long or has too many fields.
    HeadTooLarge,
    /// Its body has a coding other than chunked.
    Coding,
    /// It is of another version of HTTP.
    Version,
    /// It wants a tunnel.
    Tunnel,
    /// Its head did not come in time.
    Slow,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::BadChunk => write!(f, "the chunked body is malformed"),
            Self::LineTooLong => {
                write!(f, "the request line is longer than {LONGEST_LINE} bytes")
            }
            Self::HeadTooLarge => write!(
                f,
                "the head is longer than {LONGEST_REQUEST_HEAD} bytes or has more than {MOST_FIELDS} fields"
            ),
            Self::Coding => write!(f, "the only transfer coding known here is chunked"),
            Self::Version => write!(f, "the versions known here are HTTP/1.1 and HTTP/1.0"),
            Self::Tunnel => write!(f, "CONNECT is not for this server"),
            Self::Slow => write!(f, "the head of the request did not come in time"),
        }
    }
}
