//! Carries out health checks, each on a fresh connection, as an ALB does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use seaworthy_core::health::{Failing, Probed};
use seaworthy_core::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::now;

/// The head of the answer is looked for in so many bytes.
const LONGEST_HEAD: usize = 32 << 10;

/// `GET path` of `address`, with an answer by `deadline`.
pub(crate) async fn probe(address: SocketAddr, path: &str, deadline: Instant) -> Probed {
    let limit: Duration = deadline.since(now());
    match tokio::time::timeout(limit, ask(address, path)).await {
        Ok(Ok(status)) => Probed::Status(status),
        Ok(Err(failing)) => Probed::Failed(failing),
        Err(_) => Probed::Failed(Failing::Timeout),
    }
}

async fn ask(address: SocketAddr, path: &str) -> Result<u16, Failing> {
    let mut stream = TcpStream::connect(address).await.map_err(|_| Failing::Refused)?;
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
