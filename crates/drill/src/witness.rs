//! Users who tell why a request failed, and over which connection: the generator of a drill only
//! tells that it did.
//!
//! Each [`Way`] of asking has a rate of its own, and its requests are sent when they are meant to be,
//! whatever became of those before. Nobody tries again, but for a request that was never written
//! because the connection that was kept for it had been closed: that one opens another.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::load::Method;
use seaworthy_core::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

use crate::error::with_causes;

/// Whoever has no whole answer by then has none.
const PATIENCE: Duration = Duration::from_secs(20);

/// One way of asking.
#[derive(Clone, Debug)]
pub struct Way {
    /// How it is told of.
    pub name: &'static str,
    /// Where it asks.
    pub address: SocketAddr,
    /// Requests a second, at equal distances.
    pub rate: u32,
    /// `GET`, `PUT` or `POST`, without a body.
    pub method: Method,
    /// What is asked for.
    pub path: String,
    /// Whether connections are kept for later requests.
    pub keeps: bool,
}

/// What became of one request. The moments are those of the clock that all processes share.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The way it went, by its place.
    pub way: usize,
    /// When its connection was asked for.
    pub opened: Instant,
    /// When it was sent.
    pub sent: Instant,
    /// When the whole answer was there, or it was clear that it does not come.
    pub ended: Instant,
    /// What came.
    pub outcome: Outcome,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer, with its status.
    Answered(u16),
    /// There was no connection to be had, and why.
    Refused(String),
    /// The connection broke before the whole answer was there, and how.
    Lost(String),
    /// There was no whole answer in time.
    Late,
}

/// Users at work, in a thread of their own. Dropping them ends them.
pub struct Users {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<Seen>>>,
}

type Sender = SendRequest<Empty<Bytes>>;

/// A connection, and when it was asked for.
type Kept = (Sender, Instant);

/// A way, and the connections it keeps.
struct Lane {
    place: usize,
    way: Way,
    kept: RefCell<Vec<Kept>>,
}

// === impl Outcome ===

impl Outcome {
    /// Whether it is what was asked for.
    pub fn is_good(&self) -> bool {
        *self == Self::Answered(200)
    }
}

// === impl Users ===

impl Users {
    /// Begins to ask.
    pub fn start(ways: Vec<Way>) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || LocalSet::new().block_on(&runtime, ask_all(ways, stopped));
        let thread = std::thread::Builder::new().name("users".to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Sends nothing more, waits for what is under way, and tells everything.
    pub fn end(mut self) -> Vec<Seen> {
        drop(self.stop.take());
        let thread = self.thread.take().expect("only this and a drop take it");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn ask_all(ways: Vec<Way>, mut stopped: oneshot::Receiver<()>) -> Vec<Seen> {
    let lanes = ways.into_iter().enumerate().filter(|(_, way)| way.rate > 0);
    let lanes: Vec<Rc<Lane>> =
        lanes.map(|(place, way)| Rc::new(Lane { place, way, kept: RefCell::default() })).collect();
    let (begin, mut counts) = (tokio::time::Instant::now(), vec![0_u32; lanes.len()]);
    let (mut asked, mut seen) = (JoinSet::new(), Vec::new());
    loop {
        let due =
            |place: usize| begin + Duration::from_secs(1) * counts[place] / lanes[place].way.rate;
        let next = (0..lanes.len()).min_by_key(|place| due(*place));
        let Some(next) = next else { break };
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            () = tokio::time::sleep_until(due(next)) => {
                asked.spawn_local(Rc::clone(&lanes[next]).ask());
                counts[next] += 1;
            }
            Some(one) = asked.join_next() => seen.push(one.expect("a request does not panic")),
        }
    }
    while let Some(one) = asked.join_next().await {
        seen.push(one.expect("a request does not panic"));
    }
    seen
}

// === impl Lane ===

impl Lane {
    async fn ask(self: Rc<Self>) -> Seen {
        let sent = now();
        let mut opened = sent;
        let outcome = tokio::time::timeout(PATIENCE, self.exchange(&mut opened)).await;
        let outcome = outcome.unwrap_or(Ok(Outcome::Late)).unwrap_or_else(|failed| failed);
        Seen { way: self.place, opened, sent, ended: now(), outcome }
    }

    /// An error is an outcome without an answer.
    async fn exchange(&self, opened: &mut Instant) -> Result<Outcome, Outcome> {
        let lost = |error: hyper::Error| Outcome::Lost(with_causes(&error));
        let mut request = self.request();
        loop {
            let kept = self.take();
            let was_kept = kept.is_some();
            let (mut sender, since) = match kept {
                Some(kept) => kept,
                None => self.open().await?,
            };
            *opened = since;
            let mut response = match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message().filter(|_| was_kept) {
                    Some(unsent) => {
                        request = unsent;
                        continue;
                    }
                    None => return Err(lost(error.into_error())),
                },
            };
            while let Some(frame) = response.body_mut().frame().await {
                frame.map_err(lost)?;
            }
            if self.way.keeps && !sender.is_closed() {
                self.kept.borrow_mut().push((sender, since));
            }
            return Ok(Outcome::Answered(response.status().as_u16()));
        }
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Kept> {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|(sender, _)| !sender.is_closed());
        let ready = kept.iter().rposition(|(sender, _)| sender.is_ready())?;
        Some(kept.remove(ready))
    }

    async fn open(&self) -> Result<Kept, Outcome> {
        let since = now();
        let refused = |error: io::Error| Outcome::Refused(error.to_string());
        let stream = TcpStream::connect(self.way.address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let made = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| Outcome::Lost(with_causes(&error)))?;
        // It ends with the sender, or when the other side closes.
        tokio::spawn(connection);
        Ok((sender, since))
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let Way { address, method, path, keeps, .. } = &self.way;
        let request =
            Request::builder().method(method.as_str()).uri(path).header(HOST, address.to_string());
        let request =
            if *keeps { request } else { request.header(hyper::header::CONNECTION, "close") };
        request.body(Empty::new()).expect("paths are our own")
    }
}
