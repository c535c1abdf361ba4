//! Answers that go on: a line of JSON for each thing that happens, until the client has had enough.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::ask::{Ask, Events, Handle, Logs};
use super::types::{EventsQuery, LogLine, LogsQuery};

/// The media type of lines of JSON.
pub(super) const LINES: &str = "application/x-ndjson";
/// The header that says how many lines were there before: with them, whoever follows tasks from one agent
/// to the next knows what was told already.
pub(super) const PAST: &str = "seaworthy-past";
/// Lines that wait for a slow client; whoever makes them then waits, too.
const WAITING: usize = 64;

/// The client is gone.
struct Gone;

/// Where lines go to.
struct Lines(mpsc::Sender<Bytes>);

/// A body that ends when nobody has any more lines for it. Hyper drops it when its client is gone.
struct Stream(mpsc::Receiver<Bytes>);

/// The events that `query` asks for: all at once, or as they come.
pub(super) fn events(handle: Handle, query: EventsQuery, events: Events) -> Response {
    if !query.follow {
        return Json(events.past).into_response();
    }
    let (lines, response) = Lines::open();
    tokio::spawn(async move { lines.events(&handle, query, events).await });
    response
}

/// The lines of tasks that `query` asks for: all at once, or as they come.
pub(super) fn logs(query: LogsQuery, logs: Logs) -> Response {
    if !query.follow {
        return Json(logs.past).into_response();
    }
    let (lines, mut response) = Lines::open();
    response.headers_mut().insert(PAST, logs.past.len().into());
    tokio::spawn(async move { lines.logs(&query, logs).await });
    response
}

// === impl Lines ===

impl Lines {
    fn open() -> (Self, Response) {
        let (lines, stream) = mpsc::channel(WAITING);
        let response = ([(CONTENT_TYPE, LINES)], Body::new(Stream(stream))).into_response();
        (Self(lines), response)
    }

    async fn say(&self, what: &impl Serialize) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(what).expect("what is said is plain data");
        line.push(b'\n');
        self.0.send(line.into()).await.map_err(|_| Gone)
    }

    /// The next of what `more` brings; none if there is no more, or nobody to tell.
    async fn next<T>(&self, more: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            next = more => Some(next),
            () = self.0.closed() => None,
        }
    }

    /// Whoever is too slow for the feed is given the rest from memory.
    async fn events(
        self,
        handle: &Handle,
        mut query: EventsQuery,
        mut events: Events,
    ) -> Option<()> {
        loop {
            for event in std::mem::take(&mut events.past) {
                query.after = Some(event.ordinal);
                self.say(&event).await.ok()?;
            }
            match self.next(events.more.as_mut()?.recv()).await? {
                Ok(event) if query.wants(&event) => events.past.push(event),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    events = handle.ask(|reply| Ask::Events(query.clone(), reply)).await.ok()?;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Whoever is too slow for the feed is told so: lines are not kept.
    async fn logs(self, query: &LogsQuery, mut logs: Logs) -> Option<()> {
        for line in logs.past {
            self.say(&line).await.ok()?;
        }
        let mut last: Option<LogLine> = None;
        loop {
            match self.next(logs.more.as_mut()?.recv()).await? {
                Ok(line) if query.wants(&line.service, line.task) => {
                    self.say(&line).await.ok()?;
                    last = Some(line);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => {
                    let text =
                        format!("[seaworthy: up to {count} lines are not shown: too many at once]");
                    if let Some(last) = &last {
                        self.say(&LogLine { line: text, ..last.clone() }).await.ok()?;
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl axum::body::HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
