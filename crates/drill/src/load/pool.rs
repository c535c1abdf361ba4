//! The generator's connections: those kept are used in turn, new ones are opened when all are busy.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HeaderName, SET_COOKIE};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::numbers::Degraded;
use tokio::net::TcpStream;

/// Names the task that gave an answer.
const TASK: HeaderName = HeaderName::from_static("x-seaworthy-task");
/// Says that an answer is not what it would be in good times.
const DEGRADED: HeaderName = HeaderName::from_static("x-seaworthy-degraded");

/// An open connection that waits for its next request.
pub(crate) type Connection = SendRequest<Empty<Bytes>>;

/// Connections to one address.
pub(crate) struct Pool {
    idle: VecDeque<Connection>,
    /// Those that carry a request.
    busy: usize,
    most: usize,
}

/// What a request is sent over.
pub(crate) enum Lane {
    /// A connection that was kept.
    Kept(Connection),
    /// One that is still to be opened.
    New,
}

/// What came back.
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// The task that says it gave it.
    pub(crate) task: Option<TaskId>,
    /// It says that it is not what it would be in good times.
    pub(crate) degraded: Option<Degraded>,
    /// Cookies it gives.
    pub(crate) cookies: Vec<String>,
}

// === impl Pool ===

impl Pool {
    /// No connection yet, and never more than `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { idle: VecDeque::new(), busy: 0, most }
    }

    /// The connection that waited longest, or leave to open one; none if there are too many.
    pub(crate) fn take(&mut self) -> Option<Lane> {
        self.idle.retain(|connection| !connection.is_closed());
        // One whose last answer has only just been read may need another moment.
        let ready = self.idle.iter().position(Connection::is_ready);
        let kept = ready.and_then(|at| self.idle.remove(at)).map(Lane::Kept);
        let room = self.busy + self.idle.len() < self.most;
        let lane = kept.or_else(|| room.then_some(Lane::New));
        self.busy += usize::from(lane.is_some());
        lane
    }

    /// A request is over; its connection is kept if the whole answer was read.
    pub(crate) fn give_back(&mut self, connection: Option<Connection>) {
        self.busy -= 1;
        self.idle.extend(connection);
    }
}

// === impl Lane ===

impl Lane {
    /// The connection, opened if need be; none if that fails.
    pub(crate) async fn open(self, address: SocketAddr) -> Option<Connection> {
        match self {
            Self::Kept(connection) => Some(connection),
            Self::New => connect(address).await,
        }
    }
}

/// Opens a connection; none if that fails.
pub(crate) async fn connect(address: SocketAddr) -> Option<Connection> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    // Ends with the sender, or when the other side closes.
    tokio::spawn(connection);
    Some(sender)
}

/// Sends a request and reads the whole answer; none if it does not come, or not all of it.
pub(crate) async fn exchange(
    connection: &mut Connection,
    request: Request<Empty<Bytes>>,
) -> Option<Reply> {
    let mut response = connection.send_request(request).await.ok()?;
    while let Some(frame) = response.body_mut().frame().await {
        frame.ok()?;
    }
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    Some(Reply {
        status: response.status().as_u16(),
        task: task(&response),
        degraded: degraded(&response),
        cookies: cookies.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect(),
    })
}

fn task(response: &Response<Incoming>) -> Option<TaskId> {
    response.headers().get(TASK)?.to_str().ok()?.parse().ok()
}

/// `products=stale;age=12, orders=missing`
fn degraded(response: &Response<Incoming>) -> Option<Degraded> {
    let says = response.headers().get(DEGRADED)?;
    let words = says.to_str().unwrap_or_default().split([',', ';']);
    let ages = words.filter_map(|word| word.trim().strip_prefix("age=")?.parse().ok());
    Some(Degraded { age: Duration::from_secs(ages.max().unwrap_or_default()) })
}
