//! One client connection: a request after the other, until one side has had enough.

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpStream as StdStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::io::ioctl_fionread;
use rustix::rand::{GetRandomFlags, getrandom};
use seaworthy_core::fleet;
use seaworthy_core::time::Instant as CoreInstant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};

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

/// A client's rest between two requests.
struct Rest<'a, F> {
    since: CoreInstant,
    /// It may last so long.
    patience: Duration,
    alarm: Pin<&'a mut Sleep>,
    /// Ends when no more requests are taken.
    closes: Pin<&'a mut F>,
}

/// Serves a client until its connection ends.
pub(crate) async fn serve(seat: &Seat, client: StdStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let mut client = TcpStream::from_std(client)?;
    let mut peer = Peer::of(&client)?;
    let mut scratch = Scratch::default();
    // Both are set up once, so that a request that is waited for costs no timer of its own.
    let mut alarm = pin!(sleep(seat.worker().service.config.http.idle_timeout));
    let mut closes = pin!(seat.closes());
    let mut since = now();
    loop {
        let patience = seat.worker().service.config.http.idle_timeout;
        let rest = Rest { since, patience, alarm: alarm.as_mut(), closes: closes.as_mut() };
        if scratch.input.is_empty() && !rest.until_next(seat, &client).await {
            break;
        }
        // Who serves may be another one than the last time.
        let worker = &*seat.worker();
        scratch.begin(worker);
        let Some(read) = next(worker, &mut client, &mut peer, &mut scratch).await else { break };
        let begun = now();
        let (after, account) = match read {
            Ok(request) => {
                Exchange::new(worker, &mut client, &request, begun, &mut scratch).run().await
            }
            Err(fault) => {
                let mut account = Account::new(worker.no_route(), begun);
                (refuse(fault, &mut client, &mut scratch, &mut account).await, account)
            }
        };
        since = account.ended.unwrap_or_else(now);
        worker.settle(since, &account, &peer.forwarded.address, &scratch.head);
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

// === impl Rest ===

impl<F: Future<Output = ()>> Rest<'_, F> {
    /// Waits for the first byte of the next request; false if there will be none.
    async fn until_next(mut self, seat: &Seat, client: &TcpStream) -> bool {
        poll_fn(|context| {
            if let Poll::Ready(ready) = client.poll_read_ready(context) {
                return Poll::Ready(ready.is_ok());
            }
            if seat.is_closing() || self.closes.as_mut().poll(context).is_ready() {
                // What is on the way already is still answered.
                return Poll::Ready(ioctl_fionread(client).is_ok_and(|bytes| bytes > 0));
            }
            self.poll_alarm(context).map(|()| false)
        })
        .await
    }

    /// The alarm was set for an earlier rest, so it may go off too early.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let left = self.patience.saturating_sub(now().since(self.since));
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(Instant::now() + left);
        }
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
    let mut deadline = None;
    loop {
        if !input.is_empty() {
            match request::read(input, &peer.forwarded, terms, &mut peer.ids, head) {
                Ok(None) => {}
                Ok(Some(mut request)) => {
                    input.advance(request.length);
                    request.keep_alive &= !worker.is_parting();
                    return Some(Ok(request));
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
        make_room(input);
        let mut read = pin!(client.read_buf(input));
        // Nearly always something is there, and then no clock is asked.
        let read = match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(read) => Ok(read),
            Poll::Pending => {
                let by = *deadline.get_or_insert_with(|| Instant::now() + http.head_timeout);
                timeout_at(by, read).await
            }
        };
        match read {
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
        for buffer in [&mut self.head, &mut self.out] {
            if buffer.capacity() == 0 {
                *buffer = worker.out();
            }
        }
    }

    /// A client that thinks needs no memory meanwhile.
    fn rest(&mut self, worker: &Worker) {
        if self.input.is_empty() {
            worker.give_back(std::mem::take(&mut self.input));
        }
        // Small ones are used again at once.
        for buffer in [&mut self.head, &mut self.out] {
            if buffer.capacity() > IDLE_BUFFER {
                worker.give_back_out(std::mem::take(buffer));
            }
        }
    }
}
