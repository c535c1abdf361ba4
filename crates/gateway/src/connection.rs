//! One client connection: a request after the other, until one side has had enough.

use std::io;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::rand::{GetRandomFlags, getrandom};
use seaworthy_core::fleet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, timeout, timeout_at};

use crate::exchange::{After, Exchange};
use crate::http::Fault;
use crate::http::answer::{self, Why};
use crate::http::id::Ids;
use crate::http::request::{self, Forwarded, Request, Terms};
use crate::service::Line;
use crate::worker::{Worker, make_room};

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

/// What is known of a client before it says anything.
struct Peer {
    forwarded: Forwarded,
    /// Names those of its requests that have no name.
    ids: Ids,
}

/// Serves a client until its connection ends.
pub(crate) async fn serve(worker: &Worker, client: StdStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let mut client = TcpStream::from_std(client)?;
    let mut peer = Peer::of(&client)?;
    let mut scratch = Scratch::default();
    while let Some(read) = next(worker, &mut client, &mut peer, &mut scratch).await {
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
    peer: &mut Peer,
    scratch: &mut Scratch,
) -> Option<Result<Request, Fault>> {
    let fleet::Service { call, http, sticky_cookie, balancing, .. } = &worker.service.config;
    if scratch.input.is_empty() {
        // A client that thinks needs no memory meanwhile.
        worker.give_back(std::mem::take(&mut scratch.input));
        scratch.shrink();
        timeout(http.idle_timeout, client.readable()).await.ok()?.ok()?;
        scratch.input = worker.buffer();
    }
    let Scratch { input, head, .. } = scratch;
    let sticky_cookie = sticky_cookie.as_deref();
    let terms = Terms { call, http, sticky_cookie, affinity: balancing.affinity.as_ref() };
    let deadline = Instant::now() + http.head_timeout;
    loop {
        if !input.is_empty() {
            match request::read(input, &peer.forwarded, terms, &mut peer.ids, head) {
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
            Err(_) => return Some(Err(Fault::SlowHead)),
        }
    }
}

/// Sends an answer of our own; false if the client does not take it.
pub(crate) async fn send(client: &mut TcpStream, answer: &[u8]) -> bool {
    matches!(timeout(ANSWER_TIMEOUT, client.write_all(answer)).await, Ok(Ok(())))
}

/// Gives a client bytes of an answer; an error if it takes none of them for `limit`.
pub(crate) async fn give(
    client: &mut WriteHalf<'_>,
    mut bytes: &[u8],
    limit: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        // Nearly always there is room, and then no clock is asked.
        let written = match client.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(limit, client.write(bytes)).await??
            }
            written => written?,
        };
        bytes = &bytes[written..];
    }
    Ok(())
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

// === impl Peer ===

impl Peer {
    fn of(client: &TcpStream) -> io::Result<Self> {
        let mut seeds = [[0; 8]; 2];
        for seed in &mut seeds {
            getrandom(&mut *seed, GetRandomFlags::empty())?;
        }
        let forwarded = Forwarded {
            address: client.peer_addr()?.ip().to_canonical().to_string(),
            port: client.local_addr()?.port().to_string(),
        };
        Ok(Self { forwarded, ids: Ids::new(seeds.map(u64::from_ne_bytes)) })
    }
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
