//! A client that sends what it is told, byte by byte if need be.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use rustix::net::sockopt::set_socket_linger;

use super::{Message, PATIENCE};

/// One connection to the gateway.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// In order: what came is all there is.
    Closed,
    /// Broken off: nobody takes what came for all there is.
    Reset,
}

// === impl Client ===

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the gateway takes it");
        self
    }

    /// Sends bytes to a gateway that may have closed.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// The next answer, whole.
    pub(crate) fn answer(&mut self) -> Message {
        self.read(false).expect("a whole answer")
    }

    /// The next answer, to a HEAD.
    pub(crate) fn answer_to_head(&mut self) -> Message {
        self.read(true).expect("a whole answer")
    }

    /// The next answer, or why it did not come whole.
    pub(crate) fn read(&mut self, to_head: bool) -> io::Result<Message> {
        let head = Message::read_head(&mut self.stream)?;
        let mut answer = head.ok_or(io::ErrorKind::ConnectionAborted)?;
        answer.read_answer(&mut self.stream, to_head)?;
        Ok(answer)
    }

    /// The head of the next answer.
    pub(crate) fn head(&mut self) -> Message {
        let head = Message::read_head(&mut self.stream).expect("a head");
        head.expect("a head before the end")
    }

    /// All that comes until the connection ends, and how it does.
    pub(crate) fn rest(&mut self) -> (String, End) {
        let mut bytes = Vec::new();
        let end = match self.stream.read_to_end(&mut bytes) {
            Ok(_) => End::Closed,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("the connection does not end: {error}; so far {bytes:?}"),
        };
        (bytes.into_iter().map(char::from).collect(), end)
    }

    /// The answer to a GET; the connection stays.
    pub(crate) fn get(&mut self, target: &str) -> Message {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")).answer()
    }

    /// The answer to a POST; the connection stays.
    pub(crate) fn post(&mut self, target: &str, fields: &str, body: &str) -> Message {
        let length = body.len();
        self.send(format!(
            "POST {target} HTTP/1.1\r\nHost: test\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        ));
        self.answer()
    }

    /// Sends no more, but listens.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        // A gateway that has closed already does not mind.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        self
    }

    /// Goes away without a word.
    pub(crate) fn reset(self) {
        let linger = Some(std::time::Duration::ZERO);
        set_socket_linger(self.stream.get_ref(), linger).expect("an open socket");
    }
}
