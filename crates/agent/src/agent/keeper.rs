//! The keeper, from the agent's side.

use std::collections::VecDeque;
use std::io;

use rustix::process::{Pid, getppid};
use tokio::net::UnixDatagram;

use crate::messages::ToKeeper;

/// The way to the keeper that started us. The next keeper has an agent of its own.
pub(super) struct Keeper {
    channel: UnixDatagram,
    /// For it, as long as it does not take them.
    outbox: VecDeque<ToKeeper>,
    /// It is our parent, until it ends and somebody else is.
    parent: Option<Pid>,
}

// === impl Keeper ===

impl Keeper {
    /// The one at the other end of `channel`.
    pub(super) fn new(channel: UnixDatagram) -> Self {
        Self { channel, outbox: VecDeque::new(), parent: getppid() }
    }

    /// Whether there is somebody who starts and ends processes.
    pub(super) fn lives(&self) -> bool {
        getppid() == self.parent
    }

    /// To be sent with the next [`flush`](Self::flush).
    pub(super) fn tell(&mut self, message: ToKeeper) {
        self.outbox.push_back(message);
    }

    /// Sends what there is to send, as far as it is taken; the rest goes next time.
    pub(super) fn flush(&mut self) {
        if !self.lives() {
            self.outbox.clear();
        }
        while let Some(message) = self.outbox.front() {
            let bytes = serde_json::to_vec(message).expect("a message is plain data");
            if self.channel.try_send(&bytes).is_err() {
                return;
            }
            self.outbox.pop_front();
        }
    }

    /// What it says next. Cancel safe.
    pub(super) async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.channel.recv(buffer).await
    }
}
