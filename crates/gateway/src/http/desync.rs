//! How far a request is from what it should be, and whether it is taken all the same.
//!
//! Classes and reasons are those of an ALB, under its names where it has one. Source: AWS,
//! `http_desync_guardian`. What is passed on is always rewritten into one form, so an ambiguous
//! request is taken only where RFC 9112 leaves one reading; where a task might find another one in
//! what we pass on, the connection to it ends afterwards. Some requests that an ALB passes on are
//! severe here, because no rewriting makes them certain: bare line feeds, folded fields, a space
//! before a colon, control characters, chunks in HTTP/1.0, two hosts.

use std::fmt;

use seaworthy_core::fleet::http::Desync;

use super::Fault;

/// How far a request is from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// It is as it should be.
    Compliant,
    /// It is not, and nobody minds.
    Acceptable,
    /// Some would read it in another way.
    Ambiguous,
    /// It cannot be read, or is made to be read in two ways.
    Severe,
}

/// Why a request is in its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Compliant,
    NonCompliantHeader,
    NonCompliantMethod,
    GetHeadZeroContentLength,
    UndefinedContentLengthSemantics,
    UndefinedTransferEncodingSemantics,
    DuplicateContentLength,
    BothTeClPresent,
    SuspiciousHeader,
    MultipleContentLength,
    BadContentLength,
    MultipleTransferEncodingChunked,
    TransferEncodingInOldVersion,
    BadMethod,
    BadUri,
    BadHeader,
    BadHost,
    BadLine,
    NonCrLfLineTermination,
}

/// What the request at hand has shown so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding(pub(crate) Reason);

// === impl Reason ===

impl Reason {
    /// The table: class, name and what is meant.
    fn row(self) -> (Class, &'static str, &'static str) {
        use Class::{Acceptable, Ambiguous, Compliant, Severe};
        match self {
            Self::Compliant => (Compliant, "Compliant", "it is as it should be"),
            Self::NonCompliantHeader => {
                (Acceptable, "NonCompliantHeader", "a field has a character outside of ASCII")
            }
            Self::NonCompliantMethod => {
                (Acceptable, "NonCompliantMethod", "the method is a known one in small letters")
            }
            Self::GetHeadZeroContentLength => {
                (Acceptable, "GetHeadZeroContentLength", "a GET or HEAD has a length of 0")
            }
            Self::UndefinedContentLengthSemantics => {
                (Ambiguous, "UndefinedContentLengthSemantics", "a GET or HEAD has a body")
            }
            Self::UndefinedTransferEncodingSemantics => {
                (Ambiguous, "UndefinedTransferEncodingSemantics", "a GET or HEAD has chunks")
            }
            Self::DuplicateContentLength => {
                (Ambiguous, "DuplicateContentLength", "the same length is given more than once")
            }
            Self::BothTeClPresent => {
                (Ambiguous, "BothTeClPresent", "there are a length and chunks; chunks count")
            }
            Self::SuspiciousHeader => (
                Ambiguous,
                "SuspiciousHeader",
                "a field looks like one that says where the body ends",
            ),
            Self::MultipleContentLength => {
                (Severe, "MultipleContentLength", "two lengths are given that differ")
            }
            Self::BadContentLength => (
                Severe,
                "BadContentLength",
                "the content length is not a number of up to 18 digits",
            ),
            Self::MultipleTransferEncodingChunked => {
                (Severe, "MultipleTransferEncodingChunked", "chunked is said more than once")
            }
            Self::TransferEncodingInOldVersion => {
                (Severe, "TransferEncodingInOldVersion", "a request of HTTP/1.0 cannot be chunked")
            }
            Self::BadMethod => (Severe, "BadMethod", "the method is no word"),
            Self::BadUri => (
                Severe,
                "BadUri",
                "the target is neither a path nor an http address, or has a wrong character",
            ),
            Self::BadHeader => {
                (Severe, "BadHeader", "a field has no proper name or no proper value")
            }
            Self::BadHost => {
                (Severe, "BadHost", "a request has just one Host field, with a host in it")
            }
            Self::BadLine => (Severe, "BadLine", "a line of the head does not end where it should"),
            Self::NonCrLfLineTermination => (
                Severe,
                "NonCrLfLineTermination",
                "a line of the head ends without a carriage return",
            ),
        }
    }

    /// How far from what it should be.
    pub(crate) fn class(self) -> Class {
        self.row().0
    }

    /// What is told in `X-Seaworthy-Cause` when it is refused.
    pub(crate) fn cause(self) -> &'static str {
        match self.class() {
            Class::Compliant | Class::Acceptable => "desync_acceptable",
            Class::Ambiguous => "desync_ambiguous",
            Class::Severe => "desync_severe",
        }
    }

    /// Whether the connection to the task ends after it.
    pub(crate) fn ends_task_connection(self) -> bool {
        self.class() >= Class::Ambiguous
    }

    /// Whether the client's connection ends after it. Of a length beside chunks RFC 9112, section 6.1,
    /// says so whatever the mode.
    pub(crate) fn ends_client_connection(self, mode: Desync) -> bool {
        self == Self::BothTeClPresent
            || (self.class() >= Class::Ambiguous && mode != Desync::Monitor)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, name, text) = self.row();
        write!(f, "{name} ({}): {text}", format!("{class:?}").to_ascii_lowercase())
    }
}

// === impl Finding ===

impl Finding {
    /// Nothing is wrong so far.
    pub(crate) const NONE: Self = Self(Reason::Compliant);

    /// One thing more; the worst counts, and among equals the first. Severe ones end it.
    pub(crate) fn add(&mut self, reason: Reason) -> Result<(), Fault> {
        if reason.class() == Class::Severe {
            return Err(Fault::Desync(reason));
        }
        if reason.class() > self.0.class() {
            self.0 = reason;
        }
        Ok(())
    }

    /// The reason, if the request is taken in this mode.
    pub(crate) fn judge(self, mode: Desync) -> Result<Reason, Fault> {
        let strict = mode == Desync::Strictest && self.0 != Reason::Compliant;
        if strict { Err(Fault::Desync(self.0)) } else { Ok(self.0) }
    }
}

/// Whether a name reads like one of the two that say where a body ends once all but its letters is
/// left out, as some servers do. Only for names that are neither.
pub(crate) fn is_suspicious(name: &str) -> bool {
    const SHORTEST: usize = "contentlength".len();
    let reads = |other: &str| {
        let letters = name.bytes().filter(u8::is_ascii_alphabetic);
        letters.map(|letter| letter.to_ascii_lowercase()).eq(other.bytes())
    };
    name.len() >= SHORTEST && (reads("contentlength") || reads("transferencoding"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_severe_ends_it() {
        let mut finding = Finding::NONE;
        for reason in [
            Reason::NonCompliantHeader,
            Reason::BothTeClPresent,
            Reason::GetHeadZeroContentLength,
            Reason::SuspiciousHeader,
        ] {
            finding.add(reason).unwrap();
        }
        assert_eq!(finding.0, Reason::BothTeClPresent);
        assert_eq!(finding.add(Reason::BadHost), Err(Fault::Desync(Reason::BadHost)));
        assert_eq!(finding.judge(Desync::Defensive), Ok(Reason::BothTeClPresent));
        assert!(finding.judge(Desync::Strictest).is_err());
        assert_eq!(Finding::NONE.judge(Desync::Strictest), Ok(Reason::Compliant));
    }

    #[test]
    fn a_name_that_only_looks_the_part_is_suspicious() {
        for name in ["Content_Length", "content-length-", "ContentLength", "TRANSFER.ENCODING"] {
            assert!(is_suspicious(name), "{name}");
        }
        for name in ["Content-Lengths", "X-Content-Length", "Accept-Encoding", "Content-Type"] {
            assert!(!is_suspicious(name), "{name}");
        }
    }
}
