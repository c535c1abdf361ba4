//! Clients that have asked once and keep their connections: ten thousand, if there may be so many open files.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, getrlimit};

/// So many, if the system allows.
const CONNECTIONS: u64 = 10_000;
/// Open files that a proxy keeps for itself, at most.
const RESERVED_FILES: u64 = 2_000;
/// Beside these, a proxy has room for those of the load.
pub(crate) const ROOM_FOR_LOAD: u32 = 400;

/// How many there can be: a proxy may need two open files for each.
pub(crate) fn count() -> u32 {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (files.saturating_sub(RESERVED_FILES) / 2).min(CONNECTIONS) as u32
}

/// Opens so many, asks for `path` over each and reads the answer.
pub(crate) fn open(address: SocketAddr, path: &str, count: u32) -> anyhow::Result<Vec<TcpStream>> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let one = |n: u32| -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream).with_context(|| format!("connection {} of {count}", n + 1))?;
        Ok(stream)
    };
    (0..count).map(one).collect()
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
