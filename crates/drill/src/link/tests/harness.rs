//! A link with somebody on either side.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use seaworthy_agent::clock::now;
use seaworthy_core::fleet::written::Share;
use seaworthy_core::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::super::Link;

const DEADLINE: Duration = Duration::from_secs(30);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

pub(super) const WHOLE: Share = Share::WHOLE;

/// What a service that answers every request has seen.
#[derive(Clone, Default)]
pub(super) struct Seen {
    requests: Rc<Cell<usize>>,
    last: Rc<Cell<Instant>>,
    open: Rc<Cell<usize>>,
    opened: Rc<Cell<usize>>,
}

/// A client that keeps its connection as long as it can.
pub(super) struct Caller {
    link: SocketAddr,
    kept: Option<TcpStream>,
}

/// Runs a test, and ends what it has started.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(DEADLINE, test).await.expect("it ends");
    });
}

/// Waits until something is so.
pub(super) async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

pub(super) fn share(written: &str) -> Share {
    serde_json::from_value(written.into()).unwrap()
}

/// So many bytes that do not repeat where a buffer does.
pub(super) fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

/// Whether the connection has ended, in whatever way.
pub(super) async fn closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

/// Returns when the link's thread has done all that it could do before.
pub(super) async fn turn_round(link: &Link) {
    for _ in 0..10 {
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.shutdown().await.unwrap();
        assert!(closed(&mut caller).await);
    }
}

/// A link to a service that the test plays.
pub(super) async fn bare(seed: u64) -> (Link, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link::start(0, seed).unwrap();
    link.forward_to(listener.local_addr().unwrap());
    (link, listener)
}

/// The next connection that the link opens.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// A link to a service that answers every request at once.
pub(super) async fn answering(seed: u64) -> (Link, Seen) {
    let (link, listener) = bare(seed).await;
    let ours = Seen::default();
    let theirs = ours.clone();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            theirs.open.set(theirs.open.get() + 1);
            theirs.opened.set(theirs.opened.get() + 1);
            spawn_local(answer_all(stream, theirs.clone()));
        }
    });
    (link, ours)
}

async fn answer_all(mut stream: TcpStream, seen: Seen) {
    let mut request = [0; REQUEST.len()];
    while stream.read_exact(&mut request).await.is_ok() {
        assert_eq!(request, REQUEST);
        seen.requests.set(seen.requests.get() + 1);
        seen.last.set(now());
        if stream.write_all(ANSWER).await.is_err() {
            break;
        }
    }
    seen.open.set(seen.open.get() - 1);
}

// === impl Seen ===

impl Seen {
    /// Requests.
    pub(super) fn count(&self) -> usize {
        self.requests.get()
    }

    /// When the last one came.
    pub(super) fn last(&self) -> Instant {
        self.last.get()
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// All connections there have been.
    pub(super) fn opened(&self) -> usize {
        self.opened.get()
    }
}

// === impl Caller ===

impl Caller {
    /// Has a connection to the link.
    pub(super) async fn new(link: &Link) -> Self {
        let mut caller = Self { link: link.address(), kept: None };
        caller.stream().await;
        caller
    }

    /// Its connection, opened anew if the last one has ended.
    pub(super) async fn stream(&mut self) -> &mut TcpStream {
        if self.kept.is_none() {
            self.kept = Some(TcpStream::connect(self.link).await.unwrap());
        }
        self.kept.as_mut().expect("it was opened")
    }

    pub(super) async fn ask(&mut self) {
        self.stream().await.write_all(REQUEST).await.unwrap();
    }

    /// The status of the answer.
    pub(super) async fn answer(&mut self) -> io::Result<u16> {
        let mut stream = self.kept.take().expect("it has asked");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("a head is text");
        if !head.contains("Connection: close") {
            self.kept = Some(stream);
        }
        Ok(head[9..12].parse().expect("a status"))
    }

    /// Asks, and returns the status.
    pub(super) async fn status(&mut self) -> io::Result<u16> {
        self.ask().await;
        self.answer().await
    }
}
