//! The way of one load: from the schedule to samples.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{COOKIE, HOST, HeaderValue};
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::load::Planned;
use seaworthy_core::experiment::numbers::{Answer, Sample};
use seaworthy_core::health::Matcher;
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::pace::Pace;
use super::pool::{Connection, Lane, Pool, Reply, exchange};
use super::users::Users;
use super::{Destination, Order};

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

/// Whoever wants the answer to one request.
struct Client {
    address: SocketAddr,
    /// It asks so often at most, at least once,
    attempts: u32,
    /// and waits so long each time,
    patience: Duration,
    /// the last time until then.
    deadline: tokio::time::Instant,
    /// The status of a right answer.
    right: Matcher,
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
        self.begin = now() + self.order.notice;
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
            let first = self.order.flows[flow].flow.warm_up(flow);
            for (number, planned) in first.enumerate() {
                let Some(lane) = self.pools[flow].take() else { break };
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
        let Destination { address, flow: load, .. } = &self.order.flows[planned.flow];
        let client = Client {
            address: *address,
            attempts: load.attempts,
            patience: load.patience(self.order.objective.latency),
            deadline,
            right: self.order.objective.status.clone(),
        };
        let flow = planned.flow;
        self.running.spawn(async move {
            let (reply, connection) = client.insist(lane, request).await;
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

// === impl Client ===

impl Client {
    /// Asks until there is a right answer or no attempt is left; the last answer, and the connection if
    /// it can be kept.
    async fn insist(
        self,
        mut lane: Lane,
        request: Request<Empty<Bytes>>,
    ) -> (Option<(Instant, Reply)>, Option<Connection>) {
        let (mut left, mut last) = (self.attempts, None);
        loop {
            left -= 1;
            let until = self.deadline - self.patience * left;
            let talked = talk(lane, self.address, request.clone(), until).await;
            let (reply, connection) = talked.unzip();
            last = reply.or(last);
            let is_right = |(_, reply): &(Instant, Reply)| self.right.matches(reply.status);
            if left == 0 || last.as_ref().is_some_and(is_right) {
                return (last, connection);
            }
            tokio::time::sleep_until(until).await;
            lane = connection.filter(Connection::is_ready).map_or(Lane::New, Lane::Kept);
        }
    }
}

fn request(
    order: &Order,
    planned: Planned,
    cookie: Option<HeaderValue>,
) -> io::Result<Request<Empty<Bytes>>> {
    let Destination { host, flow, .. } = &order.flows[planned.flow];
    let path = flow.paths[planned.path].replace("{user}", &planned.user.to_string());
    let mut request = Request::builder().method(flow.method.as_str()).uri(path).header(HOST, host);
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
