//! One request and its answer: from core's first word to the last byte.

mod race;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use seaworthy_core::call::{self, Attempt, Failure};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::policy::Ask;
use seaworthy_core::time::Instant;
use tokio::net::TcpStream;

use crate::account::Account;
use crate::connection::{self, Scratch};
use crate::download::{Download, Ends, Received};
use crate::http::Fault;
use crate::http::answer::{self, Why};
use crate::http::request::Request;
use crate::service::{Call, Line, Told, Try};
use crate::stale::{Key, Stale};
use crate::tunnel::{self, Ahead};
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
    request: &'a Request,
    upload: Upload<'a>,
    /// What the client gets next.
    out: &'a mut Vec<u8>,
    line: &'a Arc<Line>,
    /// By what its answer is kept, if it may be.
    key: Option<Key>,
    account: Account,
    /// The connection of the task that answered, if it may be used again.
    spare: Option<Spare>,
}

/// A connection to a task whose exchange is complete.
struct Spare {
    task: TaskId,
    /// The task says that it keeps it for so long.
    keeps: Option<Duration>,
    connection: TcpStream,
}

/// What a try has come to.
enum Tried {
    /// The whole answer was passed on.
    Done(Attempt, After),
    /// The whole answer was an error, and another one is to be passed on.
    Replaced(Attempt, Stale),
    /// Core is to say what next.
    Failed(Attempt, Failure),
    /// The client is not there any more.
    Gone,
    /// The request's body is malformed; whether the final answer has begun.
    Fault(Fault, bool),
    /// Core has said something before the try was over, or knows that all have failed and says what next.
    Told,
}

impl<'a> Exchange<'a> {
    /// The exchange for `request`, whose head was read to `scratch` when it had `begun`, and whose body
    /// begins there.
    pub(crate) fn new(
        worker: &'a Worker,
        client: &'a mut TcpStream,
        request: &'a Request,
        begun: Instant,
        scratch: &'a mut Scratch,
    ) -> Self {
        let Scratch { input, head, out, line } = scratch;
        let key = request.impersonal.then(|| Key::of(head));
        let upload = Upload::new(head, input, request, &worker.service.config.http);
        let account = Account::new(request.route, begun);
        Self { worker, client, request, upload, out, line, key, account, spare: None }
    }

    /// Carries it out.
    pub(crate) async fn run(mut self) -> (After, Account) {
        let after = self.carry_out().await;
        self.account.received = self.upload.received;
        (after, self.account)
    }

    async fn carry_out(&mut self) -> After {
        let mut call = self.worker.service.begin(self.wanted(), self.line);
        loop {
            let Some(told) = self.told(&mut call).await else { return After::Reset };
            let tried = match told {
                Told::Answer(refusal) => return self.answer(Why::Refusal(refusal)).await,
                Told::Abort => {
                    self.account.cut("deadline");
                    return After::Reset;
                }
                // Only a race keeps an answer.
                Told::Pass => return After::Reset,
                Told::Try(to) if self.request.safe => self.race(&mut call, to).await,
                Told::Try(to) => self.attempt(&call, to).await,
            };
            match tried {
                Tried::Done(attempt, after) => {
                    let now = call.done(attempt);
                    self.account.ended = Some(now);
                    if let Some(Spare { task, keeps, connection }) = self.spare.take() {
                        self.worker.keep(now, task, keeps, connection);
                    }
                    return after;
                }
                Tried::Replaced(attempt, stale) => {
                    call.done(attempt);
                    return self.answer_stale(&stale, "task_error").await;
                }
                Tried::Failed(attempt, failure) => {
                    self.account.cut("task_cut");
                    call.failed(attempt, failure);
                }
                Tried::Gone | Tried::Fault(_, true) => {
                    self.account.cut("client_gone");
                    return After::Reset;
                }
                Tried::Fault(fault, false) => return self.answer(Why::Fault(fault)).await,
                Tried::Told => {}
            }
        }
    }

    /// What core is to know.
    fn wanted(&self) -> call::Request {
        let Request { route, repeatable, timeout, preferred, .. } = *self.request;
        let Request { affinity, safe, fingerprint, .. } = *self.request;
        let deadline = timeout.map(|timeout| self.account.begun + timeout);
        let bytes = self.upload.bytes();
        let ask = Ask { repeatable, deadline };
        call::Request { route, ask, safe, preferred, affinity, fingerprint, bytes }
    }

    /// Core's next word; none if the client goes away before it comes.
    async fn told(&mut self, call: &mut Call<'_>) -> Option<Told> {
        let (from_client, _) = self.client.split();
        let mut watched = pin!(self.upload.watch(from_client));
        tokio::select! {
            biased;
            told = call.told() => Some(told),
            () = &mut watched => None,
        }
    }

    /// One try of a request that is sent to one task at a time. Core's word ends it at any point.
    async fn attempt(&mut self, call: &Call<'_>, to: Try) -> Tried {
        self.account.tried(to);
        tokio::select! {
            biased;
            tried = self.attempt_undisturbed(call, to) => tried,
            () = call.is_told() => Tried::Told,
        }
    }

    async fn attempt_undisturbed(&mut self, call: &Call<'_>, to: Try) -> Tried {
        self.upload.start_over(to.left());
        let (mut task, reused) = match self.worker.connect(to).await {
            Ok(connection) => connection,
            Err(kind) => return Tried::Failed(to.attempt, self.upload.failure(kind, false, false)),
        };
        let complete = AtomicBool::new(false);
        let out = std::mem::take(self.out);
        let mut download = Download::new(self.worker, self.request, to, out);
        let end = {
            let (mut from_task, to_task) = task.split();
            let (from_client, mut to_client) = self.client.split();
            let (key, account) = (self.key.as_ref(), &mut self.account);
            let receive = async {
                let head = match download.head(&mut from_task, &complete).await {
                    Ok(head) => head,
                    Err(kind) => return Received::Failed(kind),
                };
                let Some(at) = call.head(to.attempt, head.status, head.withdraws) else {
                    // Core has given the call up just now, and its word ends this.
                    return std::future::pending().await;
                };
                let (task, client, complete) = (&mut from_task, &mut to_client, &complete);
                let ends = Ends { at, task, client, complete };
                download.pass(head, ends, call, key, account).await
            };
            tokio::select! {
                biased;
                cut = self.upload.send(from_client, to_task, &complete) => Err(cut),
                received = receive => Ok(received),
            }
        };
        match end {
            Err(Cut::Fault(fault)) => Tried::Fault(fault, download.has_begun()),
            Err(Cut::Gone) => Tried::Gone,
            Ok(Received::Failed(kind)) => {
                let failure = self.upload.failure(kind, download.has_come(), reused);
                self.account.sent = download.sent();
                *self.out = download.into_out();
                Tried::Failed(to.attempt, failure)
            }
            Ok(Received::Upgraded) => self.tunnel(download, task).await,
            Ok(received) => self.received(received, download, task, complete.into_inner()),
        }
    }

    /// The connections go on with another protocol, until one of them ends.
    async fn tunnel(&mut self, mut download: Download<'_>, mut task: TcpStream) -> Tried {
        let (attempt, rest) = (download.to.attempt, download.rest());
        *self.out = download.into_out();
        let ahead = Ahead { to_task: self.upload.rest(), to_client: &rest };
        let idle = self.worker.service.config.http.tunnel_timeout;
        tunnel::run(self.worker, self.client, &mut task, ahead, idle).await;
        Tried::Done(attempt, After::Close)
    }

    /// What is left to do when an answer was the client's.
    fn received(
        &mut self,
        received: Received,
        mut download: Download<'_>,
        task: TcpStream,
        request_sent: bool,
    ) -> Tried {
        let to = download.to;
        self.account.sent = download.sent();
        match received {
            // Only a request that is not safe changes its protocol.
            Received::ClientGone | Received::Failed(_) | Received::Upgraded => Tried::Gone,
            Received::Replaced(stale) => Tried::Replaced(to.attempt, stale),
            Received::Whole { task_stays, keeps, client_stays } => {
                if let (Some(answer), Some(key)) = (download.copy(), &self.key) {
                    let route = self.request.route;
                    self.worker.service.stale.keep(route, key.clone(), answer);
                }
                *self.out = download.into_out();
                if task_stays && request_sent {
                    self.spare = Some(Spare { task: to.task, keeps, connection: task });
                }
                let after = match (client_stays, request_sent) {
                    (true, true) => After::Next,
                    (false, true) => After::Close,
                    (_, false) => After::Linger,
                };
                Tried::Done(to.attempt, after)
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
        answer::write(why, Some(self.request), stays, self.out);
        self.account.ours(why.status(), why.cause());
        self.send(stays).await
    }

    async fn answer_stale(&mut self, stale: &Stale, cause: &'static str) -> After {
        let stays = self.stays();
        stale.write(cause, &self.request.id, stays, self.out);
        self.account.ours(200, cause);
        self.send(stays).await
    }

    fn stays(&self) -> bool {
        self.request.keep_alive && self.upload.is_read() && !self.worker.is_parting()
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
