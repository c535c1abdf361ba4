//! The fault link: a relay between the callers of a service and the service, which does to the
//! connections over it what the drill says, without help from either side.
//!
//! It has a thread and a runtime of its own, as the load has. Without a fault it passes on every
//! byte, the end of each direction and resets as they come. A **request** is a turn of the
//! conversation: bytes from the caller at the beginning or after some of an answer. Callers are not
//! to pipeline, and a body that still comes when its answer has begun counts as another request.
//!
//! What it does is true of a relay, and named so:
//!
//! - It accepts for the service. That nobody listens there a caller sees as a reset of its first
//!   request, not as a refused connection.
//! - The connection to the service is opened for the first bytes that are passed on. Requests that
//!   the link answers or resets, and stalled ones, do not reach it at all.
//! - After a stall everything is passed on, also for a caller that has given up meanwhile: closing
//!   looks like the half-close of one that still waits. Such connections keep their place, in a
//!   stall as under latency.

mod acceptor;
mod answers;
mod control;
mod conversation;
mod refusal;
mod requests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use seaworthy_core::experiment::LinkFault;
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use control::Control;

pub(crate) use control::FaultId;

/// A link at work. Dropping it ends all its connections.
pub(crate) struct Link {
    address: SocketAddr,
    control: Arc<Control>,
    /// The thread ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Link ===

impl Link {
    /// Listens on a port of loopback; 0 asks the kernel for one. Which requests a fault meets is
    /// drawn with `seed`.
    pub(crate) fn start(port: u16, seed: u64) -> io::Result<Self> {
        let most = acceptor::most_connections()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _within = runtime.enter();
            acceptor::listen(port)?
        };
        let address = listener.local_addr()?;
        let control = Arc::new(Control::new(seed));
        let (stop, stopped) = oneshot::channel::<()>();
        let theirs = control.clone();
        let thread = std::thread::Builder::new().name("link".to_owned()).spawn(move || {
            let work = async {
                tokio::select! {
                    never = acceptor::run(listener, most, theirs) => match never {},
                    _ = stopped => {}
                }
            };
            LocalSet::new().block_on(&runtime, work);
        })?;
        Ok(Self { address, control, stop: Some(stop), thread: Some(thread) })
    }

    /// What callers are told.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections lead from now on. Until the first call they wait.
    pub(crate) fn forward_to(&self, service: SocketAddr) {
        self.control.forward_to(service);
    }

    /// From now on, until it is healed. If a request could be met by several faults, the earliest
    /// has it; latencies add up.
    pub(crate) fn inflict(&self, fault: LinkFault) -> FaultId {
        self.control.inflict(fault)
    }

    /// From now on it meets no request. Stalled ones go on; pieces of answers that are held stay
    /// so for as long as they were meant to.
    pub(crate) fn heal(&self, id: FaultId) {
        self.control.heal(id);
    }

    /// Requests that have met the fault so far, on or healed: the proof that it took effect. One
    /// meets latency when some of its answer, or the end of the connection instead, is held.
    pub(crate) fn met(&self, id: FaultId) -> u64 {
        self.control.met(id)
    }

    /// When each request arrived, whatever became of it. The first ten million.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.control.arrivals()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
