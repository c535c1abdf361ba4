//! One client connection: a request after the other, until one side has had enough.

use std::io;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use seaworthy_core::fleet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::exchange::{After, Exchange};
use crate::http::Fault;
use crate::http::answer::{self, Why};
use crate::http::request::{self, Forwarded, Request, Terms};
use crate::service::Line;
use crate::worker::{Worker, make_room};

/// A connection without a request is closed after so long, as an ALB does.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A head must come whole within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client still sends is read for so long, so that it gets to see our last answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
/// An answer of our own must be taken within this: no call's deadline covers it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection without a request keeps no larger buffers than this.
const IDLE_BUFFER: usize = 2 << 10;

/// What one connection needs again and again.
#[derive(Default)]
pub(crate) struct Scratch {
    /// What came from the client and was not taken yet.
    pub(crate) input: BytesMut,
    /// The head of a request, as a task gets it.
    pub(crate) head: Vec<u8>,
    /// What the client gets next.
    pub(crate) out: Vec<u8>,
    /// Core's words for the request under way.
    pub(crate) line: Arc<Line>,
}

/// Serves a client until its connection ends.
pub(crate) async fn serve(worker: &Worker, client: StdStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let mut client = TcpStream::from_std(client)?;
    let forwarded = Forwarded {
        address: client.peer_addr()?.ip().to_canonical().to_string(),
        port: client.local_addr()?.port().to_string(),
    };
    let mut scratch = Scratch::default();
    while let Some(read) = next(worker, &mut client, &forwarded, &mut scratch).await {
        let after = match read {
            Ok(request) => Exchange::new(worker, &mut client, request, &mut scratch).run().await.0,
            Err(fault) => {
                answer::write(Why::Fault(fault), None, false, &mut scratch.out);
                if send(&mut client, &scratch.out).await { After::Linger } else { After::Reset }
            }
        };
        match after {
            After::Next => {}
            After::Close if scratch.input.is_empty() => break,
            After::Close | After::Linger => {
                linger(&mut client, &mut scratch.input).await;
                break;
            }
            After::Reset => {
                client.set_zero_linger()?;
                break;
            }
        }
    }
    worker.give_back(scratch.input);
    Ok(())
}

/// The next request, or what is wrong with it; none if the client has none any more.
async fn next(
    worker: &Worker,
    client: &mut TcpStream,
    forwarded: &Forwarded,
    scratch: &mut Scratch,
) -> Option<Result<Request, Fault>> {
    if scratch.input.is_empty() {
        // A client that thinks needs no memory meanwhile.
        worker.give_back(std::mem::take(&mut scratch.input));
        scratch.shrink();
        timeout(IDLE_TIMEOUT, client.readable()).await.ok()?.ok()?;
        scratch.input = worker.buffer();
    }
    let Scratch { input, head, .. } = scratch;
    let fleet::Service { call, sticky_cookie, balancing, .. } = &worker.service.config;
    let affinity = balancing.affinity.as_ref();
    let terms = Terms { call, sticky_cookie: sticky_cookie.as_deref(), affinity };
    let deadline = Instant::now() + HEAD_TIMEOUT;
    loop {
        if !input.is_empty() {
            match request::read(input, forwarded, terms, head) {
                Ok(None) => {}
                Ok(Some(request)) => {
                    input.advance(request.length);
                    return Some(Ok(request));
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
        make_room(input);
        match timeout_at(deadline, client.read_buf(input)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0)) if !input.is_empty() => {
                return Some(Err(Fault::Malformed("the head of the request is cut short")));
            }
            Ok(_) => return None,
            Err(_) => return Some(Err(Fault::Slow)),
        }
    }
}

/// Sends an answer of our own; false if the client does not take it.
pub(crate) async fn send(client: &mut TcpStream, answer: &[u8]) -> bool {
    matches!(timeout(ANSWER_TIMEOUT, client.write_all(answer)).await, Ok(Ok(())))
}

/// Says that no more answers come, and lets the client read the last one: closing with unread input
/// would take it away.
async fn linger(client: &mut TcpStream, input: &mut BytesMut) {
    let mut bytes = 0;
    let drain = async {
        client.shutdown().await?;
        while bytes < LINGER_BYTES {
            input.clear();
            make_room(input);
            match client.read_buf(input).await? {
                0 => break,
                read => bytes += read,
            }
        }
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection ends.
    let _ = timeout(LINGER, drain).await;
}

// === impl Scratch ===

impl Scratch {
    /// Lets go of buffers that a long message has left behind.
    fn shrink(&mut self) {
        for buffer in [&mut self.head, &mut self.out] {
            if buffer.capacity() > IDLE_BUFFER {
                *buffer = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand of them are to cost little.
    #[test]
    fn a_connection_that_waits_keeps_no_large_buffer() {
        let mut scratch = Scratch::default();
        scratch.out.reserve(100_000);
        scratch.head.reserve(100);
        scratch.shrink();
        assert!(scratch.out.capacity() <= IDLE_BUFFER);
        assert!(scratch.head.capacity() >= 100, "small ones are used again");
    }
}
