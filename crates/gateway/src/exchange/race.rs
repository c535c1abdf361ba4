//! The tries of a safe request, several of which may be under way: the first answer that core
//! passes is the client's.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use seaworthy_core::call::{Attempt, Failure, FailureKind};
use seaworthy_core::time::Instant;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Exchange, Tried};
use crate::account::Account;
use crate::clock::now;
use crate::download::{Download, Ends, Received};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::service::{Call, Told, Try};
use crate::upload::{self, Upload};
use crate::worker::Worker;

/// A safe request is its head, and is sent as a whole.
static COMPLETE: AtomicBool = AtomicBool::new(true);

/// An answer of which the head has come.
struct Answer<'a> {
    head: Response,
    task: TcpStream,
    download: Download<'a>,
    reused: bool,
}

/// What came of asking a task.
type Asked<'a> = Result<Answer<'a>, (Attempt, Failure)>;

/// A task that is asked beside the first one.
type Beside<'a> = Pin<Box<dyn Future<Output = Asked<'a>> + Send + 'a>>;

/// What happens next in a race.
#[allow(clippy::large_enum_variant, reason = "it is the usual one, and lives for a moment")]
enum Event<'a> {
    Asked(Asked<'a>),
    Told,
    Gone,
}

/// Who runs, and for what.
struct Race<'a, 'b> {
    worker: &'a Worker,
    request: &'a Request,
    /// The head of the request without what a try adds.
    bare_head: &'b [u8],
    account: &'b mut Account,
}

impl Exchange<'_> {
    /// Asks the first task, and others if core wants them asked, and passes on the answer that core
    /// chooses.
    pub(super) async fn race(&mut self, call: &mut Call<'_>, first: Try) -> Tried {
        match self.race_undisturbed(call, first).await {
            Ok((received, Answer { task, download, reused, .. })) => match received {
                Received::Failed(kind) => {
                    Tried::Failed(download.to.attempt, failure(kind, true, true, reused))
                }
                received => self.received(received, download, task, true),
            },
            Err(tried) => tried,
        }
    }

    async fn race_undisturbed<'a>(
        &mut self,
        call: &mut Call<'_>,
        first: Try,
    ) -> Result<(Received, Answer<'a>), Tried>
    where
        Self: 'a,
    {
        self.account.tried(first);
        self.upload.start_over(first.left());
        let out = std::mem::take(self.out);
        let (bare_head, head, input) = self.upload.head_only();
        let (from_client, mut to_client) = self.client.split();
        let half_close = self.worker.service.config.http.half_close;
        let mut watched = pin!(upload::watch(input, from_client, half_close));
        let (worker, request) = (self.worker, self.request);
        let ask = ask(worker, request, first, Cow::Borrowed(head), out);
        let mut race = Race { worker, request, bare_head, account: &mut self.account };
        let (at, mut answer) = race.run(call, ask, watched.as_mut()).await?;
        let (mut from_task, _) = answer.task.split();
        let (task, client, complete) = (&mut from_task, &mut to_client, &COMPLETE);
        let ends = Ends { at, task, client, complete };
        let (key, account) = (self.key.as_ref(), &mut self.account);
        let passed = tokio::select! {
            biased;
            received = answer.download.pass(answer.head, ends, call, key, account) => Ok(received),
            () = watched.as_mut() => Err(Tried::Gone),
            () = call.is_told() => Err(Tried::Told),
        };
        self.account.sent = answer.download.sent();
        let received = passed?;
        Ok((received, answer))
    }
}

impl<'a> Race<'a, '_> {
    /// The answer that is the client's; or why there is none.
    async fn run(
        &mut self,
        call: &mut Call<'_>,
        first: impl Future<Output = Asked<'a>>,
        mut watched: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Instant, Answer<'a>), Tried> {
        let mut first = pin!(Some(first));
        let mut beside: Vec<Beside<'a>> = Vec::new();
        let mut kept: Option<Answer<'a>> = None;
        loop {
            let next = |context: &mut Context<'_>| {
                if let Poll::Ready(asked) = poll_asked(&mut first, &mut beside, context) {
                    return Poll::Ready(Event::Asked(asked));
                }
                if call.poll_told(context).is_ready() {
                    return Poll::Ready(Event::Told);
                }
                watched.as_mut().poll(context).map(|()| Event::Gone)
            };
            match poll_fn(next).await {
                Event::Gone => return Err(Tried::Gone),
                Event::Asked(Err((attempt, failure))) => {
                    call.failed(attempt, failure);
                    // It may have to wait for a task, and whoever waits and has stopped sending counts as gone.
                    if first.is_none() && beside.is_empty() && kept.is_none() {
                        return Err(Tried::Told);
                    }
                }
                Event::Asked(Ok(answer)) => {
                    let Response { status, withdraws, .. } = answer.head;
                    let attempt = answer.download.to.attempt;
                    if let Some(now) = call.head(attempt, status, withdraws) {
                        return Ok((now, answer));
                    }
                    kept = Some(answer);
                }
                Event::Told => match call.told_if(|told| matches!(told, Told::Try(_) | Told::Pass))
                {
                    Some(Told::Try(to)) => beside.push(self.ask_another(to)),
                    // It is said only of an answer that is kept.
                    Some(Told::Pass) => {
                        return Ok((now(), kept.ok_or(Tried::Gone)?));
                    }
                    // The exchange takes it up.
                    _ => return Err(Tried::Told),
                },
            }
        }
    }

    fn ask_another(&mut self, to: Try) -> Beside<'a> {
        self.account.tried(to);
        let head = Upload::another_head(self.bare_head, to.left());
        Box::pin(ask(self.worker, self.request, to, Cow::Owned(head), Vec::new()))
    }
}

/// The first of those asked of whom something has come.
fn poll_asked<'a>(
    first: &mut Pin<&mut Option<impl Future<Output = Asked<'a>>>>,
    beside: &mut Vec<Beside<'a>>,
    context: &mut Context<'_>,
) -> Poll<Asked<'a>> {
    if let Some(asking) = first.as_mut().as_pin_mut()
        && let Poll::Ready(asked) = asking.poll(context)
    {
        first.set(None);
        return Poll::Ready(asked);
    }
    for at in 0..beside.len() {
        if let Poll::Ready(asked) = beside[at].as_mut().poll(context) {
            drop(beside.remove(at));
            return Poll::Ready(asked);
        }
    }
    Poll::Pending
}

/// Asks one task, up to the head of its answer.
async fn ask<'a>(
    worker: &'a Worker,
    request: &'a Request,
    to: Try,
    head: Cow<'_, [u8]>,
    out: Vec<u8>,
) -> Asked<'a> {
    let (mut task, reused) = match worker.connect(to).await {
        Ok(connection) => connection,
        Err(kind) => return Err((to.attempt, failure(kind, false, false, false))),
    };
    let mut download = Download::new(worker, request, to, out);
    let (mut from_task, mut to_task) = task.split();
    // A task that takes no more may still have answered.
    let sent = to_task.write_all(&head).await.is_ok();
    match download.head(&mut from_task, &COMPLETE).await {
        Ok(head) => Ok(Answer { head, task, download, reused }),
        Err(kind) => {
            let sent = sent || download.has_come();
            Err((to.attempt, failure(kind, sent, download.has_come(), reused)))
        }
    }
}

fn failure(kind: FailureKind, sent: bool, answered: bool, reused: bool) -> Failure {
    Failure { sent, answered, reused, replayable: true, kind }
}
