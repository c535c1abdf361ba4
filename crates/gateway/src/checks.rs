//! Carries out health checks, each on a fresh connection, as an ALB does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use seaworthy_core::health::{Check, Failing, Probed};
use seaworthy_core::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::now;

/// The head of the answer is looked for in so many bytes.
const LONGEST_HEAD: usize = 32 << 10;

/// Checks `address`, with a result by `deadline`.
pub(crate) async fn probe(address: SocketAddr, check: &Check, deadline: Instant) -> Probed {
    let limit: Duration = deadline.since(now());
    match tokio::time::timeout(limit, ask(address, check)).await {
        Ok(Ok(probed)) => probed,
        Ok(Err(failing)) => Probed::Failed(failing),
        Err(_) => Probed::Failed(Failing::Timeout),
    }
}

async fn ask(address: SocketAddr, check: &Check) -> Result<Probed, Failing> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| failing(&error))?;
    match check {
        Check::Tcp => Ok(Probed::Opened),
        Check::Http { path, .. } => get(&mut stream, address, path).await.map(Probed::Status),
    }
}

/// That nobody listens is a fact, and of that error alone.
fn failing(error: &io::Error) -> Failing {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failing::Refused,
        _ => Failing::Closed,
    }
}

/// The status of the answer to `GET path`.
async fn get(stream: &mut TcpStream, address: SocketAddr, path: &str) -> Result<u16, Failing> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: seaworthy-health-check\r\n\
         Connection: close\r\n\r\n"
    );
    let closed = |_: io::Error| Failing::Closed;
    stream.write_all(request.as_bytes()).await.map_err(closed)?;
    let mut head = Vec::with_capacity(1024);
    loop {
        let read = stream.read_buf(&mut head).await.map_err(closed)?;
        if let Some(status) = status(&head)? {
            return Ok(status);
        }
        if read == 0 {
            return Err(Failing::Closed);
        }
        if head.len() > LONGEST_HEAD {
            return Err(Failing::Malformed);
        }
    }
}

/// The status of a whole head; none if it has not come whole.
fn status(head: &[u8]) -> Result<Option<u16>, Failing> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => Ok(response.code),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(Failing::Malformed),
    }
}
