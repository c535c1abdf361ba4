//! The pieces of a page, each of which comes from a service of its own.

use std::fmt;
use std::time::Duration;

use axum::http::HeaderValue;

/// The header of an answer that is not whole.
pub const DEGRADED_HEADER: &str = "x-seaworthy-degraded";

/// A piece of the page, and the service it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Products,
    Customers,
    Orders,
}

/// What a piece is instead of whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Degraded {
    /// The last good answer, so old.
    Stale(Piece, Duration),
    /// Nothing.
    Missing(Piece),
}

// === impl Piece ===

impl Piece {
    pub(super) const ALL: [Self; 3] = [Self::Products, Self::Customers, Self::Orders];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Customers => "customers",
            Self::Orders => "orders",
        }
    }
}

// === impl Degraded ===

impl Degraded {
    /// One entry for each piece, with commas between.
    pub(super) fn header(all: &[Self]) -> HeaderValue {
        let entries: Vec<String> = all.iter().map(Self::to_string).collect();
        HeaderValue::from_str(&entries.join(", ")).expect("names and numbers are ASCII")
    }
}

/// `products=stale;age=12`, in whole seconds, or `products=missing`.
impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(piece, age) => write!(f, "{}=stale;age={}", piece.name(), age.as_secs()),
            Self::Missing(piece) => write!(f, "{}=missing", piece.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_an_entry_for_each_piece() {
        let all = [
            Degraded::Stale(Piece::Products, Duration::from_millis(12_900)),
            Degraded::Missing(Piece::Orders),
        ];
        assert_eq!(Degraded::header(&all), "products=stale;age=12, orders=missing");
    }
}
