//! The way of a request to a task: its head, its body as it comes, and both again for another try.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use seaworthy_core::call::{Failure, FailureKind};
use seaworthy_core::fleet::http::{Config, HalfClose};
use seaworthy_core::policy::timeout::{HEADER, to_millis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::http::Fault;
use crate::http::body::Body;
use crate::http::fields;
use crate::http::request::Request;
use crate::worker::make_room;

/// What ends a head.
const END: &[u8] = b"\r\n";
/// A body up to so long can be sent again.
const REPLAY: usize = 64 << 10;
/// So much is read ahead of the next request while this one is answered.
const READ_AHEAD: usize = 16 << 10;

/// One request on its way.
pub(crate) struct Upload<'a> {
    /// The head, and behind it the body: all that has come of it, so that it can be sent again; or, if
    /// that is too long, what is sent next.
    out: &'a mut Vec<u8>,
    /// Bytes of the head without what this try adds to it,
    bare_head: usize,
    /// and with it.
    head: usize,
    /// What came from the client and was not taken yet.
    input: &'a mut BytesMut,
    body: Body,
    /// After so long without a byte of the body it is given up,
    patience: Duration,
    /// unless the client still waits for the task's word to send it.
    awaits_word: bool,
    half_close: HalfClose,
    /// Some was sent that is not at hand any more.
    lost: bool,
    /// Some of this try may have reached the task.
    begun: bool,
    /// Bytes of the body that have come from the client.
    pub(crate) received: u64,
}

/// What ends the sending before the answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client is not there any more.
    Gone,
    /// Its body is malformed.
    Fault(Fault),
}

impl<'a> Upload<'a> {
    /// A request of which nothing was sent: its head, and a body that begins in `input`.
    pub(crate) fn new(
        head: &'a mut Vec<u8>,
        input: &'a mut BytesMut,
        request: &Request,
        config: &Config,
    ) -> Self {
        Self {
            // The empty line is written behind what a try adds.
            bare_head: head.len() - END.len(),
            head: head.len(),
            out: head,
            input,
            body: Body::new(request.framing),
            patience: config.body_timeout,
            awaits_word: request.expects,
            half_close: config.half_close,
            lost: false,
            begun: false,
            received: 0,
        }
    }

    /// The parts of a request whose head is all of it: the head without what a try adds, the whole
    /// head, and the input behind it.
    pub(crate) fn head_only(&mut self) -> (&[u8], &[u8], &mut BytesMut) {
        (&self.out[..self.bare_head], &self.out[..self.head], self.input)
    }

    /// Watches the client while nothing can be sent. One that has stopped sending by then counts as
    /// gone: nothing was done for it yet, and most have just closed.
    pub(crate) async fn watch(&mut self, client: ReadHalf<'_>) {
        watch(self.input, client, HalfClose::Gone).await;
    }

    /// Bytes that a request holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        self.out.len() + self.input.len()
    }

    /// All of the request has come from the client.
    pub(crate) fn is_read(&self) -> bool {
        self.body.is_over()
    }

    /// A failure of this try. What cannot be sent again counts as sent.
    pub(crate) fn failure(&self, kind: FailureKind, answered: bool, reused: bool) -> Failure {
        let sent = self.begun || self.lost;
        Failure { sent, answered, reused, replayable: !self.lost, kind }
    }

    /// Prepares another try, of which nothing was sent yet. The task is told how much time is left.
    pub(crate) fn start_over(&mut self, left: Option<Duration>) {
        self.begun = false;
        let body = self.out.split_off(self.head);
        self.out.truncate(self.bare_head);
        end_head(self.out, left);
        self.head = self.out.len();
        self.out.extend_from_slice(&body);
    }

    /// A copy of the head for a try beside the one under way.
    pub(crate) fn another_head(bare_head: &[u8], left: Option<Duration>) -> Vec<u8> {
        let mut head = bare_head.to_vec();
        end_head(&mut head, left);
        head
    }

    /// Sends all of it, says so in `complete`, then watches the client. Returns only if there is no
    /// point in going on: a task that takes no more may still have answered.
    pub(crate) async fn send(
        &mut self,
        mut client: ReadHalf<'_>,
        mut task: WriteHalf<'_>,
        complete: &AtomicBool,
    ) -> Cut {
        let mut from = 0;
        loop {
            if let Err(fault) = self.take() {
                return Cut::Fault(fault);
            }
            if self.write(&mut task, from).await.is_err() {
                break;
            }
            // The head goes with the first piece of the body.
            from = self.out.len();
            if self.body.is_over() {
                complete.store(true, Ordering::Relaxed);
                break;
            }
            if let Err(cut) = self.read(&mut client).await {
                return cut;
            }
        }
        watch(self.input, client, self.half_close).await;
        Cut::Gone
    }

    /// Reads more of the body.
    async fn read(&mut self, client: &mut ReadHalf<'_>) -> Result<(), Cut> {
        make_room(self.input);
        let waits = std::mem::take(&mut self.awaits_word) && self.input.is_empty();
        let read = client.read_buf(self.input);
        let read = if waits { Ok(read.await) } else { timeout(self.patience, read).await };
        match read {
            Ok(Ok(1..)) => Ok(()),
            Ok(_) => Err(Cut::Gone),
            Err(_) => Err(Cut::Fault(Fault::SlowBody)),
        }
    }

    /// What came from the client after the request.
    pub(crate) fn rest(&self) -> &[u8] {
        self.input
    }

    /// Moves what has come of the body from the input to what is written next.
    fn take(&mut self) -> Result<(), Fault> {
        let length = self.body.take(self.input, |_| {})?;
        let piece = &self.input[..length];
        self.received += length as u64;
        self.out.extend_from_slice(piece);
        self.lost |= self.out.len() - self.head > REPLAY;
        self.input.advance(length);
        Ok(())
    }

    async fn write(&mut self, task: &mut WriteHalf<'_>, from: usize) -> io::Result<()> {
        let mut rest = &self.out[from..];
        while !rest.is_empty() {
            let written = task.write(rest).await?;
            self.begun = true;
            rest = &rest[written..];
        }
        if self.lost {
            self.out.truncate(self.head);
        }
        Ok(())
    }
}

/// Waits for the client to go away, and reads ahead.
pub(crate) async fn watch(input: &mut BytesMut, client: ReadHalf<'_>, half_close: HalfClose) {
    let is_readable = || poll_fn(|context| client.as_ref().poll_read_ready(context));
    while input.len() < READ_AHEAD && is_readable().await.is_ok() {
        make_room(input);
        match client.try_read_buf(input) {
            Ok(0) if half_close == HalfClose::Gone => return,
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
    std::future::pending::<()>().await;
}

/// Ends a head with how much time is left.
fn end_head(head: &mut Vec<u8>, left: Option<Duration>) {
    if let Some(left) = left {
        fields::write_number(head, HEADER, to_millis(left));
    }
    head.extend_from_slice(END);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::Framing;

    /// Otherwise core would have it sent again, without its beginning.
    #[test]
    fn a_body_that_is_not_at_hand_any_more_counts_as_sent() {
        for (length, lost) in [(REPLAY, false), (REPLAY + 1, true)] {
            let (mut head, mut input) =
                (b"head\r\n\r\n".to_vec(), BytesMut::from(&*vec![b'x'; length]));
            let framing = Framing::Length(length as u64);
            let request = Request { framing, ..Request::PLAIN };
            let config = Config::default();
            let mut upload = Upload::new(&mut head, &mut input, &request, &config);
            upload.take().unwrap();
            let failure = upload.failure(FailureKind::Closed, false, true);
            assert_eq!((failure.sent, failure.replayable), (lost, !lost));
        }
    }
}
