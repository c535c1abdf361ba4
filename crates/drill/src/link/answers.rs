//! From the service to the caller.

use std::collections::VecDeque;
use std::io;

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
            Ok(1..) => Content::Bytes(self.input.split()),
            Ok(0) => Content::End,
            Err(_) => Content::Reset,
        };
        self.ended = !matches!(content, Content::Bytes(_));
        // The end of a connection on which nothing was asked is nobody's answer.
        let idle = self.ended && !self.turn.asked.get();
        let latency =
            if idle { self.control.latency() } else { self.control.hold(&self.turn.counted) };
        let due = now() + latency;
        self.bytes += read.as_ref().copied().unwrap_or(0);
        self.held.push_back(Piece { due, content });
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
        }
        self.held.pop_front();
        Ok(())
    }
}

/// Returns when the first piece is due. Cancel safe.
async fn due(held: &VecDeque<Piece>) {
    let first = held.front().map(|piece| piece.due);
    // A timer takes a millisecond even for what is past.
    if first.is_none_or(|due| due > now()) {
        sleep_until(first).await;
    }
}
