//! One caller's connection, from its first byte to its end.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answers::Answers;
use super::control::{Control, FaultId};
use super::refusal;
use super::requests::Requests;

/// A connection waits at most this long for the service to be there.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read at once.
const PIECE: usize = 16 << 10;

/// Where the conversation stands; both directions know it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Bytes from the caller belong to a request that has begun.
    pub(super) asked: Cell<bool>,
    /// That request is a health check of the gateway's: nothing is done to it.
    pub(super) spared: Cell<bool>,
    /// Its answer is cut in half.
    pub(super) halved: Cell<bool>,
    /// The latest latency at which that request was counted.
    pub(super) counted: Cell<Option<FaultId>>,
}

/// What ends the relaying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The connection is reset.
    Reset,
    /// The connection is closed: half of an answer was passed on.
    Halved,
    /// The caller is answered with this status, then the connection is closed.
    Refused(u16),
    /// Nothing is passed on until this is healed; then it goes on.
    Stalled(FaultId),
}

/// Carries the conversation until it ends.
pub(super) async fn run(control: &Control, mut caller: TcpStream) {
    let turn = Turn::default();
    let mut requests = Requests::new(control, &turn);
    match relay(control, &turn, &mut requests, &mut caller).await {
        Ok(()) => {}
        Err(Cut::Refused(status)) => {
            // A caller that does not take it has gone: there is nobody left to tell.
            let _ = refusal::send(&mut caller, requests.into_input(), status).await;
        }
        Err(Cut::Halved) => {
            // So that what was passed on is not taken back by a reset.
            let _ = caller.shutdown().await;
        }
        // (A stall is waited out and ends nothing.)
        Err(Cut::Reset | Cut::Stalled(_)) => {
            // On a socket that is already dead it fails, and changes nothing.
            let _ = caller.set_zero_linger();
        }
    }
}

/// Passes on both directions until both have ended. Waits stalls out.
async fn relay(
    control: &Control,
    turn: &Turn,
    requests: &mut Requests<'_>,
    caller: &mut TcpStream,
) -> Result<(), Cut> {
    caller.set_nodelay(true)?;
    let (mut from_caller, mut to_caller) = caller.split();
    if !requests.first(&mut from_caller).await? {
        return Ok(());
    }
    let mut service = connect(control).await?;
    let (mut from_service, mut to_service) = service.split();
    let mut answers = Answers::new(control, turn);
    loop {
        let both = tokio::try_join!(
            requests.pass(&mut from_caller, &mut to_service),
            answers.pass(&mut from_service, &mut to_caller),
        );
        match both {
            Ok(_) => return Ok(()),
            Err(Cut::Stalled(id)) => requests.stall(&mut from_caller, id).await?,
            Err(cut) => {
                if cut == Cut::Reset {
                    service.set_zero_linger()?;
                }
                return Err(cut);
            }
        }
    }
}

/// Opens the connection to the service.
async fn connect(control: &Control) -> io::Result<TcpStream> {
    let opened = async { TcpStream::connect(control.service().await).await };
    let service = timeout(PATIENCE, opened).await??;
    service.set_nodelay(true)?;
    Ok(service)
}

/// Makes room for a piece. What was read and passed on leaves its room to the next.
pub(super) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < PIECE / 4 {
        buffer.reserve(PIECE);
    }
}

// === impl Cut ===

/// Whatever is wrong with one side, the other sees a reset.
impl From<io::Error> for Cut {
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}
