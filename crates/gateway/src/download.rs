//! The way of an answer from a task to the client.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, BytesMut};
use seaworthy_core::call::FailureKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::account::Account;
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
    /// Whether all of the request was sent.
    complete: &'a AtomicBool,
    to: Try,
    /// By what the answer is kept, if it may be.
    key: Option<&'a Key>,
    /// What came from the task and was not taken yet.
    input: BytesMut,
    /// What the client gets next.
    out: &'a mut Vec<u8>,
    account: &'a mut Account,
    /// An interim answer was passed on.
    answered: bool,
    /// Some of the final answer was passed on.
    begun: bool,
    /// All of the answer, if it may be kept.
    copy: Option<Vec<u8>>,
}

/// How it went.
#[derive(Debug)]
pub(crate) enum Received {
    /// All of it was passed on.
    Whole {
        /// The connection to the task can be kept.
        task_stays: bool,
        /// The client may send more.
        client_stays: bool,
    },
    /// The task did not answer properly.
    Failed {
        /// How.
        kind: FailureKind,
        /// Some of an answer had come.
        answered: bool,
    },
    /// The task's answer is an error, and an earlier one stands in for it.
    Replaced(Stale),
    /// The client is not there any more.
    ClientGone,
}

impl<'a> Download<'a> {
    /// An answer of which nothing has come.
    pub(crate) fn new(
        worker: &'a Worker,
        request: &'a Request,
        complete: &'a AtomicBool,
        to: Try,
        key: Option<&'a Key>,
        out: &'a mut Vec<u8>,
        account: &'a mut Account,
    ) -> Self {
        let input = worker.buffer();
        Self {
            worker,
            request,
            complete,
            to,
            key,
            input,
            out,
            account,
            answered: false,
            begun: false,
            copy: None,
        }
    }

    /// Whether some of the final answer was passed on to the client.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Receives the whole answer and passes it on.
    pub(crate) async fn receive(
        &mut self,
        mut task: ReadHalf<'_>,
        mut client: WriteHalf<'_>,
        call: &Call<'_>,
    ) -> Received {
        let passed = self.pass(&mut task, &mut client, call).await;
        passed.unwrap_or_else(|early| early)
    }

    async fn pass(
        &mut self,
        task: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
        call: &Call<'_>,
    ) -> Result<Received, Received> {
        let response = self.head(task, client).await?;
        self.copy = response.storable.then(Vec::new);
        let mut body = Body::new(response.framing);
        self.take(&mut body, response.unwrap_chunks)?;
        if !call.head(self.to.attempt, response.status) {
            // Core has given the call up just now, and its word ends this.
            return std::future::pending().await;
        }
        if let Some(stale) = self.instead(response.status) {
            return Err(Received::Replaced(stale));
        }
        self.begun = true;
        self.account.answered(self.to.task, response.status);
        loop {
            self.copy_out();
            client.write_all(self.out).await.map_err(|_| Received::ClientGone)?;
            self.account.sent += self.out.len() as u64;
            self.out.clear();
            if body.is_over() {
                break;
            }
            make_room(&mut self.input);
            match task.read_buf(&mut self.input).await {
                Ok(1..) => {}
                Ok(0) if response.framing == Framing::UntilClose => break,
                _ => return Err(self.failed(FailureKind::Closed)),
            }
            self.take(&mut body, response.unwrap_chunks)?;
        }
        Ok(Received::Whole {
            // What comes after the answer was not asked for.
            task_stays: response.keep_alive && self.input.is_empty(),
            client_stays: response.client_keep_alive,
        })
    }

    /// All of the answer, if it may be kept. To be asked when it is whole.
    pub(crate) fn copy(&mut self) -> Option<Vec<u8>> {
        self.copy.take()
    }

    fn copy_out(&mut self) {
        if let Some(copy) = &mut self.copy {
            copy.extend_from_slice(self.out);
        }
        self.copy.take_if(|copy| copy.len() > stale::LONGEST);
    }

    /// What stands in for an answer with this status.
    fn instead(&self, status: u16) -> Option<Stale> {
        let Service { config, stale, .. } = &*self.worker.service;
        let route = self.request.route;
        let failed = config.call.routes[route.0].guard.failure_status.matches(status);
        let key = self.key.as_ref().filter(|_| failed && !self.answered)?;
        stale.instead(route, key)
    }

    /// The head of the final answer; interim ones are passed on.
    async fn head(
        &mut self,
        task: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
    ) -> Result<Response, Received> {
        loop {
            let read = if self.input.is_empty() { None } else { self.read_head()? };
            match read {
                Some(response) if response.interim => {
                    if self.request.http_11 {
                        self.answered = true;
                        client.write_all(self.out).await.map_err(|_| Received::ClientGone)?;
                    }
                    continue;
                }
                Some(response) => return Ok(response),
                None => {}
            }
            make_room(&mut self.input);
            if !matches!(task.read_buf(&mut self.input).await, Ok(1..)) {
                return Err(self.failed(FailureKind::Closed));
            }
        }
    }

    fn read_head(&mut self) -> Result<Option<Response>, Received> {
        // A client whose request did not come whole cannot send another one.
        let complete = self.complete.load(Ordering::Relaxed);
        let keep_alive = self.request.keep_alive && complete && !self.worker.is_closing();
        let request = Request { keep_alive, ..*self.request };
        let sticky_cookie = self.worker.service.config.sticky_cookie.as_deref();
        let from = response::From { task: self.to.task, sticky_cookie };
        let read = response::read(&self.input, &request, from, self.out);
        let response = read.map_err(|_: Fault| self.failed(FailureKind::Malformed))?;
        if let Some(response) = response {
            self.input.advance(response.length);
        }
        Ok(response)
    }

    /// Moves what has come of the body to what the client gets next.
    fn take(&mut self, body: &mut Body, unwrap_chunks: bool) -> Result<(), Received> {
        let out = &mut *self.out;
        let taken = body.take(&self.input, |data| {
            if unwrap_chunks {
                out.extend_from_slice(data);
            }
        });
        let length = taken.map_err(|_| self.failed(FailureKind::Malformed))?;
        if !unwrap_chunks {
            self.out.extend_from_slice(&self.input[..length]);
        }
        self.input.advance(length);
        Ok(())
    }

    fn failed(&self, kind: FailureKind) -> Received {
        let answered = self.answered || self.begun || !self.input.is_empty();
        Received::Failed { kind, answered }
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        self.worker.give_back(std::mem::take(&mut self.input));
    }
}
