//! From the service to the caller.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use seaworthy_agent::clock::{now, sleep_until};
use seaworthy_core::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::control::Control;
use super::conversation::{Cut, Turn, make_room};

/// So much of the answers on one connection is held; the service waits with the rest.
const MOST_HELD: usize = 256 << 10;

/// The direction of the answers.
pub(super) struct Answers<'a> {
    control: &'a Control,
    turn: &'a Turn,
    /// Room for what is read next.
    input: BytesMut,
    /// What was read and not passed on yet, in order.
    held: VecDeque<Piece>,
    /// Bytes of it.
    bytes: usize,
    /// The last piece was read.
    ended: bool,
}

struct Piece {
    /// It is not passed on before.
    due: Instant,
    content: Content,
}

enum Content {
    Bytes(BytesMut),
    /// The service has closed.
    End,
    /// It has reset the connection.
    Reset,
    /// The first half of an answer.
    Half(BytesMut),
}

impl<'a> Answers<'a> {
    /// Nothing has come yet.
    pub(super) fn new(control: &'a Control, turn: &'a Turn) -> Self {
        let (input, held) = (BytesMut::new(), VecDeque::new());
        Self { control, turn, input, held, bytes: 0, ended: false }
    }

    /// Passes on what comes, each piece when it is due, to the end. Cancel safe.
    pub(super) async fn pass(
        &mut self,
        service: &mut ReadHalf<'_>,
        caller: &mut WriteHalf<'_>,
    ) -> Result<(), Cut> {
        while !(self.ended && self.held.is_empty()) {
            make_room(&mut self.input);
            tokio::select! {
                biased;
                () = due(&self.held) => self.pass_first(caller).await?,
                read = service.read_buf(&mut self.input), if self.has_room() => self.take(&read),
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        !self.ended && self.bytes < MOST_HELD
    }

    fn take(&mut self, read: &io::Result<usize>) {
        let content = match read {
            Ok(1..) if self.turn.halved.get() => Content::Half(half(self.input.split())),
            Ok(1..) => Content::Bytes(self.input.split()),
            Ok(0) => Content::End,
            Err(_) => Content::Reset,
        };
        self.ended = !matches!(content, Content::Bytes(_));
        let due = now() + self.latency();
        self.bytes += read.as_ref().copied().unwrap_or(0);
        self.held.push_back(Piece { due, content });
    }

    /// How long what was read now is held.
    fn latency(&self) -> Duration {
        if self.turn.spared.get() {
            return Duration::ZERO;
        }
        // The end of a connection on which nothing was asked is nobody's answer.
        let idle = self.ended && !self.turn.asked.get();
        if idle { self.control.latency() } else { self.control.hold(&self.turn.counted) }
    }

    async fn pass_first(&mut self, caller: &mut WriteHalf<'_>) -> Result<(), Cut> {
        let first = self.held.front_mut().expect("it is due");
        match &mut first.content {
            Content::Bytes(bytes) => {
                // Whoever has some of an answer may ask for more.
                self.turn.asked.set(false);
                while bytes.has_remaining() {
                    self.bytes -= caller.write_buf(bytes).await?;
                }
            }
            Content::End => caller.shutdown().await?,
            Content::Reset => return Err(Cut::Reset),
            Content::Half(bytes) => {
                caller.write_all_buf(bytes).await?;
                return Err(Cut::Halved);
            }
        }
        self.held.pop_front();
        Ok(())
    }
}

/// The head of an answer and half of what came with it; less of the head, if not even that is whole.
fn half(mut piece: BytesMut) -> BytesMut {
    let head = piece.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
    piece.truncate(head + (piece.len() - head) / 2);
    piece
}

/// Returns when the first piece is due. Cancel safe.
async fn due(held: &VecDeque<Piece>) {
    let first = held.front().map(|piece| piece.due);
    // A timer takes a millisecond even for what is past.
    if first.is_none_or(|due| due > now()) {
        sleep_until(first).await;
    }
}
