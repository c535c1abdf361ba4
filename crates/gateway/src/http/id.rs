//! Names of requests and traces, drawn or taken over.
//!
//! Drawn ones begin with the kernel's randomness, once for each connection, because they must differ
//! between gateways and between their lives; a fleet's seed does not. Nothing is allocated.

use std::fmt;

use seaworthy_core::random::{Stream, draw};

/// The longest id that is taken over.
const LONGEST: usize = 128;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The name of one request: up to 128 visible characters of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id {
    length: u8,
    text: [u8; LONGEST],
}

/// Draws the ids of one connection's requests.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    seeds: [u64; 2],
    drawn: u64,
}

/// `traceparent` of a trace that begins here. Source: W3C Trace Context, section 3.2.
pub(crate) struct Traceparent([u8; 55]);

// === impl Id ===

impl Id {
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { length: 0, text: [0; LONGEST] };

    /// This one, if it is proper.
    pub(crate) fn of(value: &[u8]) -> Option<Self> {
        let proper = (1..=LONGEST).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        proper.then(|| Self::proper(value))
    }

    fn proper(value: &[u8]) -> Self {
        let mut text = [0; LONGEST];
        text[..value.len()].copy_from_slice(value);
        Self { length: value.len() as u8, text }
    }

    /// As it stands in a field.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length.into()]
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("it is ASCII")
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Ids ===

impl Ids {
    /// Those that `seeds` draw. Each connection has its own.
    pub(crate) fn new(seeds: [u64; 2]) -> Self {
        Self { seeds, drawn: 0 }
    }

    /// 128 bits, in hex. Never all zeros, which no trace may be.
    pub(crate) fn draw(&mut self) -> Id {
        self.drawn += 1;
        let halves = self.seeds.map(|seed| draw(seed, Stream::Ids, self.drawn));
        let mut text = [0; 32];
        write_hex(halves[0] | 1, &mut text[..16]);
        write_hex(halves[1], &mut text[16..]);
        Id::proper(&text)
    }

    /// A trace that begins here. It is marked as recorded, or no task that heeds its caller would
    /// record anything.
    pub(crate) fn begin_trace(&mut self) -> Traceparent {
        let id = self.draw();
        self.drawn += 1;
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        text[3..35].copy_from_slice(id.as_bytes());
        write_hex(draw(self.seeds[0], Stream::Ids, self.drawn) | 1, &mut text[36..52]);
        Traceparent(text)
    }
}

fn write_hex(number: u64, to: &mut [u8]) {
    for (at, digit) in to.iter_mut().enumerate() {
        *digit = HEX[(number >> (60 - 4 * at)) as usize & 15];
    }
}

// === impl Traceparent ===

impl Traceparent {
    /// As it stands in the field.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a value is one. Of later versions only the beginning is known.
    pub(crate) fn is_proper(value: &[u8]) -> bool {
        let Some((known, rest)) = value.split_at_checked(55) else { return false };
        let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let named = |part: &[u8]| hex(part) && part.iter().any(|b| *b != b'0');
        let [version, trace, parent, flags] =
            [&known[..2], &known[3..35], &known[36..52], &known[53..]];
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let ends = rest.is_empty() || (version != b"00" && rest[0] == b'-');
        dashes
            && hex(version)
            && version != b"ff"
            && named(trace)
            && named(parent)
            && hex(flags)
            && ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_proper_and_never_twice_the_same() {
        let mut ids = Ids::new([1, 2]);
        let mut other = Ids::new([1, 3]);
        let (first, second) = (ids.draw(), ids.draw());
        assert_eq!(first.as_str().len(), 32);
        assert_ne!(first, second);
        assert_ne!(first, other.draw());
        assert!(Traceparent::is_proper(ids.begin_trace().as_bytes()));
    }

    #[test]
    fn an_id_is_taken_over_if_it_can_stand_anywhere() {
        assert_eq!(Id::of(b"a-B_1:/").map(|id| id.as_str().to_owned()).as_deref(), Some("a-B_1:/"));
        assert!(Id::of(&[b'x'; 128]).is_some());
        for wrong in [&b""[..], b"a b", b"a\tb", "\u{e4}".as_bytes(), &[b'x'; 129]] {
            assert_eq!(Id::of(wrong), None);
        }
    }

    #[test]
    fn a_traceparent_is_as_the_w3c_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let proper = |value: &str| Traceparent::is_proper(value.as_bytes());
        assert!(proper(good));
        assert!(proper(&good.replacen("00", "cc", 1)));
        assert!(proper(&format!("{}-more", good.replacen("00", "cc", 1))));
        let wrong = [
            String::new(),
            good.to_uppercase(),
            good.replacen("00", "ff", 1),
            format!("{good}-more"),
            format!("{}.more", good.replacen("00", "cc", 1)),
            good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replacen('-', "_", 1),
            good[..54].to_owned(),
        ];
        for value in wrong {
            assert!(!proper(&value), "{value}");
        }
    }
}
