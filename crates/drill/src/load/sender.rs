//! The way of one load: from the schedule to samples.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{COOKIE, HOST, HeaderValue};
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::load::{Method, Planned};
use seaworthy_core::experiment::numbers::{Answer, Sample};
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::pace::Pace;
use super::pool::{Connection, Lane, Pool, Reply, exchange};
use super::users::Users;
use super::{Destination, Order};

/// So many connections are open before the load begins.
const CONNECTIONS_AT_FIRST: usize = 16;
/// From the word that the load begins to its first moment.
const NOTICE: Duration = Duration::from_millis(50);

/// Sends what was ordered.
pub(super) struct Sender {
    order: Order,
    /// By flow.
    pools: Vec<Pool>,
    users: Users,
    pace: Pace,
    running: JoinSet<Finished>,
    samples: Vec<Sample>,
    begin: Instant,
}

/// One request that is over.
struct Finished {
    /// Which sample it is.
    number: usize,
    /// Over whose connections it went.
    flow: usize,
    /// When the whole of it was there.
    reply: Option<(Instant, Reply)>,
    connection: Option<Connection>,
}

// === impl Sender ===

impl Sender {
    /// Must be called within a runtime.
    pub(super) fn new(order: Order) -> io::Result<Self> {
        let sample = |planned: &Planned| Sample {
            flow: planned.flow,
            intended: planned.intended,
            sent: planned.intended,
            answer: None,
        };
        let flows = order.flows.len();
        let paths = order.flows.iter().enumerate().flat_map(|(flow, to)| {
            let planned = move |path| Planned { intended: Duration::ZERO, flow, path, user: 1 };
            (0..to.flow.paths.len()).map(planned)
        });
        for planned in paths {
            request(&order, planned, None)?;
        }
        Ok(Self {
            pools: (0..flows).map(|_| Pool::new(order.connections / flows)).collect(),
            users: Users::default(),
            pace: Pace::new()?,
            running: JoinSet::new(),
            samples: order.planned.iter().map(sample).collect(),
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

    /// Opens connections and sends a request over each, where asking changes nothing.
    async fn warm_up(&mut self) {
        let deadline = tokio::time::Instant::now() + self.order.objective.latency;
        for flow in 0..self.order.flows.len() {
            let Destination { flow: load, .. } = &self.order.flows[flow];
            if load.method != Method::Get || load.users.is_some() {
                continue;
            }
            let paths = load.paths.len();
            let lanes: Vec<Lane> =
                std::iter::from_fn(|| self.pools[flow].take()).take(CONNECTIONS_AT_FIRST).collect();
            for (number, lane) in lanes.into_iter().enumerate() {
                let planned =
                    Planned { intended: Duration::ZERO, flow, path: number % paths, user: 0 };
                self.spawn(number, lane, planned, deadline);
            }
        }
        while let Some(finished) = self.running.join_next().await {
            let finished = finished.expect("a request does not panic");
            self.pools[finished.flow].give_back(finished.connection);
        }
    }

    fn send(&mut self, number: usize) {
        let sent = now().since(self.begin);
        self.samples[number].sent = sent;
        let planned = self.order.planned[number];
        let Some(lane) = self.pools[planned.flow].take() else {
            return self.order.progress.note(planned.intended, false);
        };
        let left = (planned.intended + self.order.objective.latency).saturating_sub(sent);
        self.spawn(number, lane, planned, tokio::time::Instant::now() + left);
    }

    fn spawn(
        &mut self,
        number: usize,
        lane: Lane,
        planned: Planned,
        deadline: tokio::time::Instant,
    ) {
        let request = request(&self.order, planned, self.users.cookie(planned.user));
        let request = request.expect("each of its paths was good before the load began");
        let (flow, address) = (planned.flow, self.order.flows[planned.flow].address);
        self.running.spawn(async move {
            let (reply, connection) = talk(lane, address, request, deadline).await.unzip();
            Finished { number, flow, reply, connection }
        });
    }

    fn finish(&mut self, finished: Finished) {
        let planned = self.order.planned[finished.number];
        let sample = &mut self.samples[finished.number];
        sample.answer = finished.reply.map(|(at, reply)| {
            if planned.user > 0 {
                reply.cookies.iter().for_each(|cookie| self.users.give(planned.user, cookie));
            }
            Answer {
                completed: at.since(self.begin),
                status: reply.status,
                task: reply.task,
                degraded: reply.degraded,
            }
        });
        self.order.progress.note(sample.intended, sample.succeeded(&self.order.objective));
        self.pools[finished.flow].give_back(finished.connection);
    }
}

fn request(
    order: &Order,
    planned: Planned,
    cookie: Option<HeaderValue>,
) -> io::Result<Request<Empty<Bytes>>> {
    let Destination { host, flow, .. } = &order.flows[planned.flow];
    let path = flow.paths[planned.path].replace("{user}", &planned.user.to_string());
    let method = match flow.method {
        Method::Get => hyper::Method::GET,
        Method::Put => hyper::Method::PUT,
        Method::Post => hyper::Method::POST,
    };
    let mut request = Request::builder().method(method).uri(path).header(HOST, host);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    request.body(Empty::new()).map_err(io::Error::other)
}

/// Sends one request and waits for its answer until `deadline`; then the connection is closed.
async fn talk(
    lane: Lane,
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
    deadline: tokio::time::Instant,
) -> Option<((Instant, Reply), Connection)> {
    let talk = async {
        let mut connection = lane.open(address).await?;
        let reply = exchange(&mut connection, request).await?;
        Some(((now(), reply), connection))
    };
    tokio::time::timeout_at(deadline, talk).await.ok().flatten()
}
