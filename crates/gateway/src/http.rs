//! HTTP/1.1 on the wire: what a head means, where a body ends, what is passed on. No I/O.
//!
//! Heads are read by `httparse`; the strictness is ours. A request that could be read in two ways is
//! refused or rewritten, because the task might read it in the other one. Source: RFC 9112.

#[cfg(test)]
mod allocations;
pub(crate) mod answer;
pub(crate) mod body;
mod chunked;
pub(crate) mod desync;
#[cfg(test)]
mod differential;
pub(crate) mod fields;
pub(crate) mod id;
pub(crate) mod request;
pub(crate) mod response;

use std::fmt;

use desync::Reason;

/// Longest head of an answer, as an ALB takes it.
pub(crate) const LONGEST_RESPONSE_HEAD: usize = 32 << 10;
/// Most fields of an answer.
const MOST_RESPONSE_FIELDS: usize = 100;
/// Most fields of any request: the place for them is on the stack.
const MOST_FIELDS: usize = 256;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no request, or one that is not taken in this mode.
    Desync(Reason),
    /// It is no HTTP, or HTTP that can be read in two ways.
    Malformed(&'static str),
    /// Its chunks are no chunks.
    BadChunk,
    /// Its first line is longer than this.
    LineTooLong(usize),
    /// Its head is longer than this, or has more than so many fields.
    HeadTooLarge(usize, usize),
    /// Its body is longer than this.
    BodyTooLong(u64),
    /// `X-Forwarded-For` has more addresses than this.
    TooManyForwarded(usize),
    /// It expects something that nobody here knows.
    Expectation,
    /// Its body has a coding other than chunked.
    Coding,
    /// It is of another version of HTTP.
    Version,
    /// It wants a tunnel.
    Tunnel,
    /// Its head did not come in time.
    SlowHead,
    /// Its body stopped coming.
    SlowBody,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Desync(reason) => reason.fmt(f),
            Self::Malformed(what) => f.write_str(what),
            Self::BadChunk => write!(f, "the chunked body is malformed"),
            Self::LineTooLong(most) => write!(f, "the request line is longer than {most} bytes"),
            Self::HeadTooLarge(most, fields) => {
                write!(f, "the head is longer than {most} bytes or has more than {fields} fields")
            }
            Self::BodyTooLong(most) => write!(f, "the body is longer than {most} bytes"),
            Self::TooManyForwarded(most) => {
                write!(f, "X-Forwarded-For has more than {most} addresses")
            }
            Self::Expectation => write!(f, "the only expectation known here is 100-continue"),
            Self::Coding => write!(f, "the only transfer coding known here is chunked"),
            Self::Version => write!(f, "the versions known here are HTTP/1.1 and HTTP/1.0"),
            Self::Tunnel => write!(f, "CONNECT is not for this server"),
            Self::SlowHead => write!(f, "the head of the request did not come in time"),
            Self::SlowBody => write!(f, "the body of the request stopped coming"),
        }
    }
}
