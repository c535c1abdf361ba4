//! One request and its answer: from core's `Try` to the last byte, as often as core wants it tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use seaworthy_core::call::{self, Failure};
use seaworthy_core::policy::Ask;
use tokio::net::TcpStream;

use crate::account::Account;
use crate::clock::now;
use crate::connection::{self, Scratch};
use crate::download::{Download, Received};
use crate::http::Fault;
use crate::http::answer::{self, Why};
use crate::http::request::Request;
use crate::service::{Call, Line, Told, Try};
use crate::stale::{Key, Stale};
use crate::upload::{Cut, Upload};
use crate::worker::Worker;

/// What becomes of the client's connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The next request may come.
    Next,
    /// It ends: both sides know it.
    Close,
    /// It ends, and the client may not have stopped sending.
    Linger,
    /// It ends in the middle of an answer, which the client must not take for a whole one.
    Reset,
}

/// One request of a client.
pub(crate) struct Exchange<'a> {
    worker: &'a Worker,
    client: &'a mut TcpStream,
    request: Request,
    upload: Upload<'a>,
    /// What the client gets next.
    out: &'a mut Vec<u8>,
    line: &'a Arc<Line>,
    /// By what its answer is kept, if it may be.
    key: Option<Key>,
    account: Account,
}

/// How a try went.
enum Tried {
    /// The whole answer was passed on.
    Done(After),
    /// The whole answer was an error, and another one is to be passed on.
    Replaced(Stale),
    /// Core is to say what next.
    Failed(Failure),
    /// The client is not there any more.
    Gone,
    /// The request's body is malformed; whether the final answer has begun.
    Fault(Fault, bool),
    /// Core has something to say before the try is over.
    Told,
}

impl<'a> Exchange<'a> {
    /// The exchange for `request`, whose head was just read to `scratch` and whose body begins there.
    pub(crate) fn new(
        worker: &'a Worker,
        client: &'a mut TcpStream,
        request: Request,
        scratch: &'a mut Scratch,
    ) -> Self {
        let Scratch { input, head, out, line } = scratch;
        let key = request.impersonal.then(|| Key::of(head));
        let upload = Upload::new(head, input, request.framing);
        let account = Account::new(request.route, now());
        Self { worker, client, request, upload, out, line, key, account }
    }

    /// Carries it out.
    pub(crate) async fn run(mut self) -> (After, Account) {
        let after = self.carry_out().await;
        self.account.received = self.upload.received;
        (after, self.account)
    }

    async fn carry_out(&mut self) -> After {
        let Request { route, repeatable, timeout, preferred, .. } = self.request;
        let ask = Ask { repeatable, deadline: timeout.map(|timeout| now() + timeout) };
        let request = call::Request { preferred, ..call::Request::new(route, ask) };
        let mut call = self.worker.service.begin(request, self.line);
        loop {
            match call.told().await {
                Told::Answer(refusal) => return self.answer(Why::Refusal(refusal)).await,
                Told::Abort => return After::Reset,
                Told::Try(to) => match self.attempt(&call, to).await {
                    Tried::Done(after) => {
                        call.done(to.attempt);
                        return after;
                    }
                    Tried::Replaced(stale) => {
                        call.done(to.attempt);
                        return self.answer_stale(&stale, "task_error").await;
                    }
                    Tried::Failed(failure) => call.failed(to.attempt, failure),
                    Tried::Gone | Tried::Fault(_, true) => return After::Reset,
                    Tried::Fault(fault, false) => return self.answer(Why::Fault(fault)).await,
                    Tried::Told => {}
                },
            }
        }
    }

    /// One try. Core's word ends it at any point.
    async fn attempt(&mut self, call: &Call<'_>, to: Try) -> Tried {
        self.account.tried(to);
        tokio::select! {
            biased;
            tried = self.attempt_undisturbed(call, to) => tried,
            () = call.is_told() => Tried::Told,
        }
    }

    async fn attempt_undisturbed(&mut self, call: &Call<'_>, to: Try) -> Tried {
        self.upload.start_over(to.deadline.map(|deadline| deadline.since(now())));
        let (mut task, reused) = match self.worker.connect(to).await {
            Ok(connection) => connection,
            Err(kind) => return Tried::Failed(self.upload.failure(kind, false, false)),
        };
        let complete = AtomicBool::new(false);
        let key = self.key.as_ref();
        let mut download = Download::new(
            self.worker,
            &self.request,
            &complete,
            to,
            key,
            self.out,
            &mut self.account,
        );
        let end = {
            let (from_task, to_task) = task.split();
            let (from_client, to_client) = self.client.split();
            tokio::select! {
                biased;
                cut = self.upload.send(from_client, to_task, &complete) => Err(cut),
                received = download.receive(from_task, to_client, call) => Ok(received),
            }
        };
        match end {
            Err(Cut::Fault(fault)) => Tried::Fault(fault, download.has_begun()),
            Err(Cut::Gone) | Ok(Received::ClientGone) => Tried::Gone,
            Ok(Received::Replaced(stale)) => Tried::Replaced(stale),
            Ok(Received::Failed { kind, answered }) => {
                Tried::Failed(self.upload.failure(kind, answered, reused))
            }
            Ok(Received::Whole { task_stays, client_stays }) => {
                let sent = complete.load(Ordering::Relaxed);
                if let (Some(answer), Some(key)) = (download.copy(), &self.key) {
                    let route = self.request.route;
                    self.worker.service.stale.keep(route, key.clone(), answer);
                }
                if task_stays && sent {
                    self.worker.keep(to.task, task);
                }
                Tried::Done(match (client_stays, sent) {
                    (true, true) => After::Next,
                    (false, true) => After::Close,
                    (_, false) => After::Linger,
                })
            }
        }
    }

    /// An answer of our own, or an earlier one of a task.
    async fn answer(&mut self, why: Why) -> After {
        if let Some(key) = self.key.as_ref().filter(|_| matches!(why, Why::Refusal(_)))
            && let Some(stale) = self.worker.service.stale.instead(self.request.route, key)
        {
            return self.answer_stale(&stale, why.cause()).await;
        }
        let stays = self.stays();
        answer::write(why, Some(&self.request), stays, self.out);
        self.account.ours(why.status(), why.cause());
        self.send(stays).await
    }

    async fn answer_stale(&mut self, stale: &Stale, cause: &'static str) -> After {
        let stays = self.stays();
        stale.write(cause, stays, self.out);
        // Only a 200 is ever kept.
        self.account.ours(200, cause);
        self.send(stays).await
    }

    fn stays(&self) -> bool {
        self.request.keep_alive && self.upload.is_read() && !self.worker.is_closing()
    }

    async fn send(&mut self, stays: bool) -> After {
        self.account.sent += self.out.len() as u64;
        match connection::send(self.client, self.out).await {
            true if stays => After::Next,
            true => After::Linger,
            false => After::Reset,
        }
    }
}
