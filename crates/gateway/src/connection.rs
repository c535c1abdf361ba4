//! One client connection: a request after the other, until one side has had enough.

use std::io;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::io::ioctl_fionread;
use rustix::rand::{GetRandomFlags, getrandom};
use seaworthy_core::fleet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, timeout, timeout_at};

use crate::account::Account;
use crate::clock::now;
use crate::exchange::{After, Exchange};
use crate::http::Fault;
use crate::http::answer::{self, Why};
use crate::http::id::Ids;
use crate::http::request::{self, Forwarded, Request, Terms};
use crate::service::Line;
use crate::worker::{Seat, Worker, make_room};

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
pub(crate) async fn serve(seat: &Seat, client: StdStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let mut client = TcpStream::from_std(client)?;
    let mut peer = Peer::of(&client)?;
    let mut scratch = Scratch::default();
    while begins(seat, &client, &scratch).await {
        // Who serves may be another one than the last time.
        let worker = &*seat.worker();
        scratch.begin(worker);
        let mut unread = Account::new(worker.no_route(), now());
        let Some(read) = next(worker, &mut client, &mut peer, &mut scratch).await else { break };
        let (after, account) = match read {
            Ok(request) => Exchange::new(worker, &mut client, request, &mut scratch).run().await,
            Err(fault) => (refuse(fault, &mut client, &mut scratch, &mut unread).await, unread),
        };
        worker.settle(&account, &peer.forwarded.address, &scratch.head);
        scratch.rest(worker);
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
    Ok(())
}

/// Waits for the first byte of the next request; false if there will be none.
async fn begins(seat: &Seat, client: &TcpStream, scratch: &Scratch) -> bool {
    if !scratch.input.is_empty() {
        return true;
    }
    let patience = seat.worker().service.config.http.idle_timeout;
    tokio::select! {
        biased;
        ready = timeout(patience, client.readable()) => matches!(ready, Ok(Ok(()))),
        // What is on the way already is still answered.
        () = seat.closes() => ioctl_fionread(client).is_ok_and(|bytes| bytes > 0),
    }
}

/// Answers what is no request. Its connection ends.
async fn refuse(
    fault: Fault,
    client: &mut TcpStream,
    scratch: &mut Scratch,
    account: &mut Account,
) -> After {
    let why = Why::Fault(fault);
    answer::write(why, None, false, &mut scratch.out);
    account.sent = scratch.out.len() as u64;
    // What stands there is of the request before.
    scratch.head.clear();
    account.ours(why.status(), why.cause());
    if send(client, &scratch.out).await { After::Linger } else { After::Reset }
}

/// The next request, or what is wrong with it; none if the client has none any more.
async fn next(
    worker: &Worker,
    client: &mut TcpStream,
    peer: &mut Peer,
    scratch: &mut Scratch,
) -> Option<Result<Request, Fault>> {
    let fleet::Service { call, http, sticky_cookie, balancing, .. } = &worker.service.config;
    let Scratch { input, head, .. } = scratch;
    let sticky_cookie = sticky_cookie.as_deref();
    let terms = Terms { call, http, sticky_cookie, affinity: balancing.affinity.as_ref() };
    let deadline = Instant::now() + http.head_timeout;
    loop {
        if !input.is_empty() {
            match request::read(input, &peer.forwarded, terms, &mut peer.ids, head) {
                Ok(None) => {}
                Ok(Some(mut request)) => {
                    input.advance(request.length);
                    request.keep_alive &= !worker.is_closing();
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
    /// A request begins.
    fn begin(&mut self, worker: &Worker) {
        if self.input.capacity() == 0 {
            self.input = worker.buffer();
        }
    }

    /// A client that thinks needs no memory meanwhile.
    fn rest(&mut self, worker: &Worker) {
        if self.input.is_empty() {
            worker.give_back(std::mem::take(&mut self.input));
            self.shrink();
        }
    }

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
