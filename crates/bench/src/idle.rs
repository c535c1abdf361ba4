//! Ten thousand clients that have asked once and keep their connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

/// So many.
const CONNECTIONS: usize = 10_000;
/// A proxy is configured for so many, for those of the load, too.
pub(crate) const ROOM: u32 = 10_500;

/// Opens them, asks for `path` over each and reads the answer.
pub(crate) fn open(address: SocketAddr, path: &str) -> anyhow::Result<Vec<TcpStream>> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let one = |n: usize| -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream)
            .with_context(|| format!("connection {} of {CONNECTIONS}", n + 1))?;
        Ok(stream)
    };
    (0..CONNECTIONS).map(one).collect()
}

/// Reads until the head is there, and as many bytes of a body as it says.
fn read_answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0, "it was closed");
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        anyhow::ensure!(head.starts_with("http/1.1 200"), "it was answered with {head}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if length.is_none_or(|length: usize| body.len() >= length) {
            return Ok(());
        }
    }
}
