//! Messages of HTTP/1.1, read from the wire by rules of the tests' own.

use std::io::{self, BufRead};

/// A request or an answer. Bytes of its head are the characters of the same number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// With the empty line that ends it.
    pub(crate) head: String,
    /// As it was meant: chunks are joined.
    pub(crate) body: Vec<u8>,
    /// As it came: with its chunks.
    pub(crate) raw: Vec<u8>,
}

// === impl Message ===

impl Message {
    /// Reads a head; none if the connection ends before it.
    pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut head)? == 0 {
                let early = || io::Error::from(io::ErrorKind::UnexpectedEof);
                return if head.is_empty() { Ok(None) } else { Err(early()) };
            }
        }
        let head = head.into_iter().map(char::from).collect();
        Ok(Some(Self { head, ..Self::default() }))
    }

    /// Reads the body of a request.
    pub(crate) fn read_body(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        if self.field("Transfer-Encoding").is_some() {
            return self.read_chunks(from);
        }
        if let Some(length) = self.field("Content-Length") {
            self.body = vec![0; length.parse().map_err(|_| io::ErrorKind::InvalidData)?];
            from.read_exact(&mut self.body)?;
            self.raw.clone_from(&self.body);
        }
        Ok(())
    }

    /// Reads the body of an answer; `to_head` if HEAD was asked.
    pub(crate) fn read_answer(&mut self, from: &mut impl BufRead, to_head: bool) -> io::Result<()> {
        let none = to_head || matches!(self.status(), 100..200 | 204 | 304);
        let framed =
            ["Content-Length", "Transfer-Encoding"].iter().any(|name| self.field(name).is_some());
        match (none, framed) {
            (true, _) => Ok(()),
            (false, true) => self.read_body(from),
            (false, false) => from.read_to_end(&mut self.body).map(|_| ()),
        }
    }

    fn read_chunks(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        loop {
            let line = self.read_line(from)?;
            let digits = line.split([';', '\r']).next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                while self.read_line(from)? != "\r\n" {}
                return Ok(());
            }
            let mut data = vec![0; size + 2];
            from.read_exact(&mut data)?;
            self.body.extend_from_slice(&data[..size]);
            self.raw.extend_from_slice(&data);
        }
    }

    fn read_line(&mut self, from: &mut impl BufRead) -> io::Result<String> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        self.raw.extend_from_slice(&line);
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.into_iter().map(char::from).collect())
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().expect("an answer's status")
    }

    /// The target of a request.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).expect("a request's target")
    }

    /// Its fields as they stand, in order, but for those of the gateway that are never the same: the
    /// time that is left, and what is drawn.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let changes = ["x-request-timeout-ms: ", "X-Request-Id: ", "traceparent: "];
        let stays = |line: &&str| !changes.iter().any(|name| line.starts_with(name));
        self.all_lines().filter(stays).collect()
    }

    fn all_lines(&self) -> impl Iterator<Item = &str> {
        self.head.split("\r\n").skip(1).filter(|line| !line.is_empty())
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.all_lines().filter_map(|line| line.split_once(':'));
        fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Its body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Why the gateway answered itself.
    pub(crate) fn cause(&self) -> &str {
        self.field("X-Seaworthy-Cause").unwrap_or("no cause")
    }
}
