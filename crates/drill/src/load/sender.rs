//! The way of one load: from the schedule to samples.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Request, Uri};
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::numbers::{Answer, Sample};
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Order;
use super::pace::Pace;
use super::pool::{Connection, Lane, Pool, Reply, exchange};

/// So many connections are open before the load begins.
const CONNECTIONS_AT_FIRST: usize = 16;
/// There are never more connections than this: a process can usually have 1,024 descriptors. A
/// request beyond it fails.
const MOST_CONNECTIONS: usize = 900;
/// From the word that the load begins to its first moment.
const NOTICE: Duration = Duration::from_millis(50);

/// Sends what was ordered.
pub(super) struct Sender {
    order: Order,
    uris: Vec<Uri>,
    pool: Pool,
    pace: Pace,
    running: JoinSet<Finished>,
    samples: Vec<Sample>,
    begin: Instant,
}

/// One request that is over.
struct Finished {
    /// Which sample it is.
    number: usize,
    /// When the whole of it was there.
    reply: Option<(Instant, Reply)>,
    connection: Option<Connection>,
}

// === impl Sender ===

impl Sender {
    /// Must be called within a runtime.
    pub(super) fn new(order: Order) -> io::Result<Self> {
        let uris = order.paths.iter().map(|path| path.parse().map_err(io::Error::other));
        let sample = |intended| Sample { intended, sent: intended, answer: None };
        Ok(Self {
            uris: uris.collect::<io::Result<_>>()?,
            pool: Pool::new(MOST_CONNECTIONS),
            pace: Pace::new()?,
            running: JoinSet::new(),
            samples: order.planned.iter().map(|planned| sample(planned.intended)).collect(),
            begin: Instant::EPOCH,
            order,
        })
    }

    /// Sends everything, and waits for all answers that can still be right.
    pub(super) async fn send_all(
        mut self,
        tell: oneshot::Sender<Instant>,
    ) -> io::Result<Vec<Sample>> {
        self.warm_up().await;
        self.begin = now() + NOTICE;
        // Whoever waited for it may be gone; then this ends soon.
        let _ = tell.send(self.begin);
        let mut next = 0;
        while next < self.samples.len() || !self.running.is_empty() {
            let due = self.samples.get(next).map(|sample| self.begin + sample.intended);
            tokio::select! {
                biased;
                Some(finished) = self.running.join_next() => {
                    self.finish(finished.expect("a request does not panic"));
                }
                waited = self.pace.until(due.unwrap_or_default()), if due.is_some() => {
                    waited?;
                    self.send(next);
                    next += 1;
                }
            }
        }
        Ok(self.samples)
    }

    /// Opens connections and sends a request over each.
    async fn warm_up(&mut self) {
        let lanes: Vec<Lane> =
            std::iter::from_fn(|| self.pool.take()).take(CONNECTIONS_AT_FIRST).collect();
        let deadline = tokio::time::Instant::now() + self.order.objective.latency;
        for (number, lane) in lanes.into_iter().enumerate() {
            let request = self.request(number % self.uris.len());
            self.running.spawn(send(number, lane, self.order.address, request, deadline));
        }
        while let Some(finished) = self.running.join_next().await {
            self.pool.give_back(finished.expect("a request does not panic").connection);
        }
    }

    fn send(&mut self, number: usize) {
        let sent = now().since(self.begin);
        self.samples[number].sent = sent;
        let Some(lane) = self.pool.take() else {
            let intended = self.samples[number].intended;
            return self.order.progress.note(intended, false);
        };
        let planned = self.order.planned[number];
        let left = (planned.intended + self.order.objective.latency).saturating_sub(sent);
        let deadline = tokio::time::Instant::now() + left;
        let request = self.request(planned.path);
        self.running.spawn(send(number, lane, self.order.address, request, deadline));
    }

    fn request(&self, path: usize) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uris[path].clone();
        let host = self.order.address.to_string().try_into().expect("an address is a header value");
        request.headers_mut().insert(HOST, host);
        request
    }

    fn finish(&mut self, finished: Finished) {
        let sample = &mut self.samples[finished.number];
        sample.answer = finished.reply.map(|(at, reply)| Answer {
            completed: at.since(self.begin),
            status: reply.status,
            task: reply.task,
        });
        self.order.progress.note(sample.intended, sample.succeeded(&self.order.objective));
        self.pool.give_back(finished.connection);
    }
}

/// Sends one request and waits for its answer until `deadline`; then the connection is closed.
async fn send(
    number: usize,
    lane: Lane,
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
    deadline: tokio::time::Instant,
) -> Finished {
    let talk = async {
        let mut connection = lane.open(address).await?;
        let reply = exchange(&mut connection, request).await?;
        Some(((now(), reply), connection))
    };
    match tokio::time::timeout_at(deadline, talk).await {
        Ok(Some((reply, connection))) => {
            Finished { number, reply: Some(reply), connection: Some(connection) }
        }
        Ok(None) | Err(_) => Finished { number, reply: None, connection: None },
    }
}
