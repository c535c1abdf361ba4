//! The chunked coding, checked byte by byte while it passes through.
//!
//! Strict, because two readings of one body are how requests are smuggled: the size is 1 to 16 hex
//! digits and nothing else, every line ends in CRLF, trailers are header lines. Source: RFC 9112,
//! section 7.1.

use super::Fault;

/// All chunk sizes, extensions and trailers of one body may be so long.
const MOST_EXTRA: usize = 16 << 10;

/// Where in a chunked body its reader is.
#[derive(Clone, Debug)]
pub(crate) struct Chunked {
    state: State,
    /// The most data of all chunks together, and how much of it is not used up.
    most: u64,
    left: u64,
    /// Bytes seen that are neither data nor the CRLF after them, sizes left out.
    extra: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a chunk's size, of which so many digits were read.
    Size { value: u64, digits: u32 },
    /// In a chunk's extension.
    Extension { value: u64 },
    /// Before the LF that ends the line of a size.
    SizeEnd { value: u64 },
    /// In a chunk's data, of which so much is left.
    Data { left: u64 },
    /// Before the CR after the data.
    DataCr,
    /// Before the LF after the data.
    DataLf,
    /// At the beginning of a trailer line, or of the empty line that ends the body.
    Trailer,
    /// In the name of a trailer.
    TrailerName,
    /// In the value of a trailer.
    TrailerValue,
    /// Before the LF that ends a trailer.
    TrailerLf,
    /// Before the LF that ends the body.
    EndLf,
    /// It is over.
    End,
}

impl Chunked {
    /// At the beginning of a body with so much data at most.
    pub(crate) fn new(most: u64) -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, most, left: most, extra: 0 }
    }

    /// Whether the whole body was seen.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// How many bytes of `input` belong to the body; hands each piece of its data to `data`.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        mut data: impl FnMut(&[u8]),
    ) -> Result<usize, Fault> {
        let mut at = 0;
        while at < input.len() && self.state != State::End {
            if let State::Data { left } = self.state {
                let length = left.min((input.len() - at) as u64);
                data(&input[at..at + length as usize]);
                at += length as usize;
                self.state = match left - length {
                    0 => State::DataCr,
                    left => State::Data { left },
                };
            } else {
                self.state = self.step(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, Fault> {
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = char::from(byte).to_digit(16).expect("it is a hex digit");
                State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { value, digits: 1.. }, b';') => self.extra(State::Extension { value })?,
            (State::Size { value, digits: 1.. } | State::Extension { value }, b'\r') => {
                State::SizeEnd { value }
            }
            (State::Extension { .. } | State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extra(self.state)?
            }
            (State::SizeEnd { value: 0 } | State::TrailerLf, b'\n') => State::Trailer,
            (State::SizeEnd { value }, b'\n') => self.data(value)?,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
            (State::Trailer, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::End,
            (State::TrailerName, b':') => self.extra(State::TrailerValue)?,
            (State::Trailer | State::TrailerName, _) if is_token(byte) => {
                self.extra(State::TrailerName)?
            }
            (State::TrailerValue, b'\r') => State::TrailerLf,
            _ => return Err(Fault::BadChunk),
        })
    }

    fn data(&mut self, length: u64) -> Result<State, Fault> {
        self.left = self.left.checked_sub(length).ok_or(Fault::BodyTooLong(self.most))?;
        Ok(State::Data { left: length })
    }

    fn extra(&mut self, next: State) -> Result<State, Fault> {
        self.extra += 1;
        if self.extra > MOST_EXTRA { Err(Fault::BadChunk) } else { Ok(next) }
    }
}

/// A character of a token, such as a header's name. Source: RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The data, what was taken, and whether that is all of a body; read `step` bytes at a time.
    fn read(body: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), Fault> {
        let (mut chunked, mut data, mut taken) = (Chunked::new(1_000_000), Vec::new(), 0);
        for piece in body.chunks(step) {
            taken += chunked.take(piece, |bytes| data.extend_from_slice(bytes))?;
        }
        Ok((data, taken, chunked.is_over()))
    }

    #[test]
    fn a_body_ends_where_it_ends_however_it_comes() {
        let bodies: [(&[u8], &[u8]); 4] = [
            (b"0\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"2;a=b;c=\"d\"\r\nhe\r\n0003\r\nllo\r\n00\r\nDigest: x y\r\nA:\r\n\r\n", b"hello"),
            (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
        ];
        for (body, data) in bodies {
            let mut input = body.to_vec();
            input.extend_from_slice(b"GET / HTTP/1.1");
            for step in 1..input.len() {
                assert_eq!(read(&input, step), Ok((data.to_vec(), body.len(), true)));
            }
            assert_eq!(read(&body[..body.len() - 1], 3).map(|(_, _, over)| over), Ok(false));
        }
    }

    #[test]
    fn whatever_is_ambiguous_is_refused() {
        let wrong: [&[u8]; 16] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b"0x1\r\n",
            b"1\n",
            b"1\rx",
            b"00000000000000001\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n",
            b"1;a\nb\r\n",
            b"0\r\n\n",
            b"0\r\n folded: x\r\n\r\n",
            b"0\r\nname : x\r\n\r\n",
        ];
        for body in wrong {
            let text = String::from_utf8_lossy(body);
            assert_eq!(read(body, body.len()), Err(Fault::BadChunk), "{text:?}");
        }
        let large = b"f4240\r\n";
        assert_eq!(read(large, 1), Ok((vec![], large.len(), false)), "just as much as is allowed");
        for large in [&b"f4241\r\n"[..], b"1\r\na\r\nf4240\r\n", b"ffffffffffffffff\r\n"] {
            assert_eq!(read(large, 1), Err(Fault::BodyTooLong(1_000_000)));
        }
        let long = [b"1;".to_vec(), vec![b'x'; MOST_EXTRA]].concat();
        assert_eq!(read(&long, 100), Err(Fault::BadChunk));
    }

    proptest! {
        #[test]
        fn any_data_in_any_pieces(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..5), step in 1..64usize) {
            let mut body = Vec::new();
            for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                body.extend_from_slice(piece);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&body, step), Ok((pieces.concat(), body.len(), true)));
        }

        #[test]
        fn no_input_is_read_differently_in_pieces(body in any::<Vec<u8>>(), step in 1..8usize) {
            let whole = read(&body, body.len().max(1));
            prop_assert_eq!(whole, read(&body, step));
        }
    }
}
