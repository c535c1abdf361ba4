//! The way of an answer from a task to the client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use seaworthy_core::call::FailureKind;
use seaworthy_core::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::account::Account;
use crate::clock::now;
use crate::connection;
use crate::http::Fault;
use crate::http::body::{Body, Framing};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::service::{Call, Service, Try};
use crate::stale::{self, Key, Stale};
use crate::worker::{Worker, make_room};

/// One answer on its way.
pub(crate) struct Download<'a> {
    worker: &'a Worker,
    request: &'a Request,
    pub(crate) to: Try,
    /// What came from the task and was not taken yet.
    input: BytesMut,
    /// What the client gets next.
    out: Vec<u8>,
    /// What is left of the body.
    body: Body,
    /// An interim answer was passed on.
    hinted: bool,
    /// Some of the final answer was passed on.
    begun: bool,
    /// Bytes that were passed on.
    sent: u64,
    /// All of the answer, if it may be kept.
    copy: Option<Vec<u8>>,
}

/// Between whom an answer goes.
pub(crate) struct Ends<'a, 'b> {
    /// When core said that it is the client's.
    pub(crate) at: Instant,
    pub(crate) task: &'a mut ReadHalf<'b>,
    pub(crate) client: &'a mut WriteHalf<'b>,
    /// Whether all of the request was sent.
    pub(crate) complete: &'a AtomicBool,
}

/// What became of an answer that is the client's.
#[derive(Debug)]
pub(crate) enum Received {
    /// All of it was passed on.
    Whole {
        /// The connection to the task can be kept,
        task_stays: bool,
        /// and the task says that it keeps it for so long.
        keeps: Option<Duration>,
        /// The client may send more.
        client_stays: bool,
    },
    /// Both connections go on with another protocol.
    Upgraded,
    /// The task did not answer properly.
    Failed(FailureKind),
    /// The task's answer is an error, and an earlier one stands in for it.
    Replaced(Stale),
    /// The client is not there any more.
    ClientGone,
}

impl<'a> Download<'a> {
    /// An answer of which nothing has come. `out` is used again.
    pub(crate) fn new(worker: &'a Worker, request: &'a Request, to: Try, out: Vec<u8>) -> Self {
        let (input, body) = (worker.buffer(), Body::new(Framing::None));
        let (hinted, begun, sent, copy) = (false, false, 0, None);
        Self { worker, request, to, input, out, body, hinted, begun, sent, copy }
    }

    /// Some of the final answer was passed on to the client.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Some of an answer has come.
    pub(crate) fn has_come(&self) -> bool {
        self.hinted || self.begun || !self.input.is_empty()
    }

    /// Bytes that were passed on to the client.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// All of the answer, if it may be kept. To be asked when it is whole.
    pub(crate) fn copy(&mut self) -> Option<Vec<u8>> {
        self.copy.take()
    }

    /// What came from the task after its answer.
    pub(crate) fn rest(&mut self) -> BytesMut {
        self.input.split()
    }

    /// The buffer for what the client gets, for the next answer.
    pub(crate) fn into_out(mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The next head, an interim one or the final one, with what has come of its body behind it:
    /// the next thing that the client gets. `complete` says whether all of the request was sent.
    pub(crate) async fn head(
        &mut self,
        task: &mut ReadHalf<'_>,
        complete: &AtomicBool,
    ) -> Result<Response, FailureKind> {
        loop {
            if !self.input.is_empty()
                && let Some(response) = self.read_head(complete)?
            {
                return Ok(response);
            }
            make_room(&mut self.input);
            if !matches!(task.read_buf(&mut self.input).await, Ok(1..)) {
                return Err(FailureKind::Closed);
            }
        }
    }

    /// Passes on the answer that begins with this head.
    pub(crate) async fn pass(
        &mut self,
        first: Response,
        ends: Ends<'_, '_>,
        call: &Call<'_>,
        key: Option<&Key>,
        account: &mut Account,
    ) -> Received {
        let Ends { at, task, client, complete } = ends;
        let (mut response, mut at) = (first, at);
        while response.interim {
            if self.request.http_11 {
                self.hinted = true;
                if self.send(client).await.is_err() {
                    return Received::ClientGone;
                }
            }
            response = match self.head(task, complete).await {
                Ok(next) => next,
                Err(kind) => return Received::Failed(kind),
            };
            // It is passed on whatever it says; core is to know how the call goes.
            call.head(self.to.attempt, response.status, response.withdraws);
            at = now();
        }
        account.answered(at, self.to.task, response.status);
        if let Some(stale) = self.instead(response.status, key) {
            return Received::Replaced(stale);
        }
        self.copy = response.storable.then(Vec::new);
        self.pass_final(response, task, client).await.unwrap_or_else(|early| early)
    }

    async fn pass_final(
        &mut self,
        response: Response,
        task: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
    ) -> Result<Received, Received> {
        self.begun = true;
        loop {
            self.copy_out();
            self.send(client).await?;
            if self.body.is_over() {
                break;
            }
            make_room(&mut self.input);
            match task.read_buf(&mut self.input).await {
                Ok(1..) => {}
                Ok(0) if response.framing == Framing::UntilClose => break,
                _ => return Err(Received::Failed(FailureKind::Closed)),
            }
            self.take(response.unwrap_chunks).map_err(Received::Failed)?;
        }
        if response.upgraded {
            return Ok(Received::Upgraded);
        }
        Ok(Received::Whole {
            // What comes after the answer was not asked for.
            task_stays: response.keep_alive && self.input.is_empty(),
            keeps: response.idle_timeout,
            client_stays: response.client_keep_alive,
        })
    }

    async fn send(&mut self, client: &mut WriteHalf<'_>) -> Result<(), Received> {
        let limit = self.worker.service.config.http.write_timeout;
        connection::give(client, &self.out, limit).await.map_err(|_| Received::ClientGone)?;
        self.sent += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    fn copy_out(&mut self) {
        if let Some(copy) = &mut self.copy {
            copy.extend_from_slice(&self.out);
        }
        self.copy.take_if(|copy| copy.len() > stale::LONGEST);
    }

    /// What stands in for an answer with this status.
    fn instead(&self, status: u16, key: Option<&Key>) -> Option<Stale> {
        let Service { config, stale, .. } = &*self.worker.service;
        let route = self.request.route;
        let failed = config.call.routes[route.0].guard.failure_status.matches(status);
        stale.instead(route, key.filter(|_| failed && !self.hinted)?)
    }

    fn read_head(&mut self, complete: &AtomicBool) -> Result<Option<Response>, FailureKind> {
        // A client whose request did not come whole cannot send another one.
        let complete = complete.load(Ordering::Relaxed);
        let client_stays = self.request.keep_alive && complete && !self.worker.is_parting();
        let sticky_cookie = self.worker.service.config.sticky_cookie.as_deref();
        let from = response::From { task: self.to.task, sticky_cookie, client_stays };
        let read = response::read(&self.input, self.request, from, &mut self.out);
        let response = read.map_err(|_: Fault| FailureKind::Malformed)?;
        if let Some(response) = response {
            self.input.advance(response.length);
            self.body = Body::new(response.framing);
            self.take(response.unwrap_chunks)?;
        }
        Ok(response)
    }

    /// Moves what has come of the body to what the client gets next.
    fn take(&mut self, unwrap_chunks: bool) -> Result<(), FailureKind> {
        let out = &mut self.out;
        let taken = self.body.take(&self.input, |data| {
            if unwrap_chunks {
                out.extend_from_slice(data);
            }
        });
        let length = taken.map_err(|_: Fault| FailureKind::Malformed)?;
        if !unwrap_chunks {
            self.out.extend_from_slice(&self.input[..length]);
        }
        self.input.advance(length);
        Ok(())
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.worker.give_back(std::mem::take(&mut self.input));
    }
}
