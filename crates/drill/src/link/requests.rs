//! From the caller to the service.

use std::io;
use std::pin::pin;

use bytes::BytesMut;
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::LinkFault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::control::{Control, FaultId};
use super::conversation::{Cut, Turn, make_room};

/// Of a stalled request at most so much is taken.
const MOST_STALLED: usize = 256 << 10;

/// What the gateway's health checks say of themselves.
const CHECK: &[u8] = b"\r\nUser-Agent: seaworthy-health-check\r\n";

/// The direction of the requests.
pub(super) struct Requests<'a> {
    control: &'a Control,
    turn: &'a Turn,
    /// What came and was not passed on yet.
    input: BytesMut,
}

impl<'a> Requests<'a> {
    /// Nothing has come yet.
    pub(super) fn new(control: &'a Control, turn: &'a Turn) -> Self {
        Self { control, turn, input: BytesMut::new() }
    }

    /// What came and was not passed on.
    pub(super) fn into_input(self) -> BytesMut {
        self.input
    }

    /// Waits for the first piece that is to be passed on; false if the caller sends none.
    pub(super) async fn first(&mut self, caller: &mut ReadHalf<'_>) -> Result<bool, Cut> {
        match self.next(caller).await {
            Err(Cut::Stalled(id)) => {
                self.stall(caller, id).await?;
                Ok(true)
            }
            next => next,
        }
    }

    /// Passes on what came and what comes, to the end, which it passes on as well.
    pub(super) async fn pass(
        &mut self,
        caller: &mut ReadHalf<'_>,
        service: &mut WriteHalf<'_>,
    ) -> Result<(), Cut> {
        loop {
            service.write_all_buf(&mut self.input).await?;
            if !self.next(caller).await? {
                return Ok(service.shutdown().await?);
            }
        }
    }

    /// Takes bytes until the fault is healed.
    pub(super) async fn stall(&mut self, caller: &mut ReadHalf<'_>, id: FaultId) -> io::Result<()> {
        let mut healed = pin!(self.control.healed(id));
        let mut ended = false;
        loop {
            make_room(&mut self.input);
            let room = self.input.len() < MOST_STALLED;
            tokio::select! {
                biased;
                () = &mut healed => return Ok(()),
                read = caller.read_buf(&mut self.input), if room && !ended => ended = read? == 0,
            }
        }
    }

    /// Reads the next piece; false at the end.
    async fn next(&mut self, caller: &mut ReadHalf<'_>) -> Result<bool, Cut> {
        make_room(&mut self.input);
        if caller.read_buf(&mut self.input).await? == 0 {
            return Ok(false);
        }
        if !self.turn.asked.replace(true) {
            self.turn.counted.set(None);
            self.turn.halved.set(false);
            self.turn.spared.set(is_check(&self.input));
            if !self.turn.spared.get() {
                self.begin()?;
            }
        }
        Ok(true)
    }

    /// A request begins: whether it may be passed on.
    fn begin(&self) -> Result<(), Cut> {
        match self.control.arrive(now()) {
            Some((_, LinkFault::Errors { status, .. })) => Err(Cut::Refused(status)),
            Some((_, LinkFault::Resets { .. })) => Err(Cut::Reset),
            Some((id, LinkFault::Stalls { .. })) => Err(Cut::Stalled(id)),
            Some((_, LinkFault::HalfAnswers)) => {
                self.turn.halved.set(true);
                Ok(())
            }
            Some((_, LinkFault::Latency(_))) | None => Ok(()),
        }
    }
}

/// Whether a request is a health check of our gateway's, as far as it has come.
fn is_check(input: &[u8]) -> bool {
    input.windows(CHECK.len()).any(|field| field == CHECK)
}
