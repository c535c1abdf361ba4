//! How long a body is, and where it ends.

use super::Fault;
use super::chunked::Chunked;

/// How a message says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// In chunks, with so much data at most.
    Chunked {
        /// In bytes.
        most: u64,
    },
    /// With the connection. Only an answer may say so.
    UntilClose,
}

/// A body that passes through.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All that comes.
    UntilClose,
}

// === impl Framing ===

impl Framing {
    /// In chunks, however many.
    pub(crate) const CHUNKED: Self = Self::Chunked { most: u64::MAX };
}

// === impl Body ===

impl Body {
    /// A body of which nothing was seen yet.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked { most } => Self::Chunked(Chunked::new(most)),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Whether all of it was seen. One that ends with the connection never knows.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose => false,
        }
    }

    /// How many bytes of `input` belong to it; hands each piece of its data to `data`.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        mut data: impl FnMut(&[u8]),
    ) -> Result<usize, Fault> {
        let length = match self {
            Self::Chunked(chunked) => return chunked.take(input, data),
            Self::Length(left) => {
                let length = (*left).min(input.len() as u64);
                *left -= length;
                length as usize
            }
            Self::UntilClose => input.len(),
        };
        data(&input[..length]);
        Ok(length)
    }
}
