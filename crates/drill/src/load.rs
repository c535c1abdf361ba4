//! The load generator: sends every request when it is meant to be sent, whatever became of those
//! before it.
//!
//! It has a thread and a runtime of its own, so that nothing the drill does makes it late. It
//! tries again only where the load says so: what it sees is what a user would have seen.

pub(crate) mod pace;
pub(crate) mod pool;
pub(crate) mod progress;
mod sender;
mod users;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::setpriority_process;
use seaworthy_core::experiment::Objective;
use seaworthy_core::experiment::load::{Flow, Planned};
use seaworthy_core::experiment::numbers::Sample;
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;

use sender::Sender;

pub use progress::Progress;

/// The priority of the generator's thread: the lower the sooner.
const NICE: i32 = -10;

/// What a generator is to do.
pub struct Order {
    /// Where each flow of the load goes, and what it asks for.
    pub flows: Vec<Destination>,
    /// When, and of which flow.
    pub planned: Vec<Planned>,
    /// There are never more connections than this; a request beyond it fails.
    pub connections: usize,
    /// So long before the first request everybody is told when that will be; nothing happens meanwhile.
    pub notice: Duration,
    /// What counts as a success.
    pub objective: Objective,
    /// Told of every outcome.
    pub progress: Arc<Progress>,
}

/// Where a flow goes, and what it asks for.
pub struct Destination {
    /// Where to send.
    pub address: SocketAddr,
    /// Who is asked.
    pub host: String,
    /// What is asked for.
    pub flow: Flow,
}

/// A generator at work. Dropping it ends the load.
pub struct Generator {
    begin: Option<oneshot::Receiver<Instant>>,
    samples: oneshot::Receiver<io::Result<Vec<Sample>>>,
    /// The thread ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Generator ===

impl Generator {
    /// Opens connections, and begins soon after.
    pub fn start(order: Order) -> io::Result<Self> {
        let (tell, begin) = oneshot::channel();
        let (done, samples) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let work = async move {
            let sent = async { Sender::new(order)?.send_all(tell).await };
            tokio::select! {
                samples = sent => drop(done.send(samples)),
                _ = stopped => {}
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            // On a busy machine it is more often in time if it goes first. Not everybody may.
            let _ = setpriority_process(None, NICE);
            runtime.block_on(work);
        })?;
        Ok(Self { begin: Some(begin), samples, stop: Some(stop), thread: Some(thread) })
    }

    /// The first moment of the load; told shortly before it comes.
    pub async fn begin(&mut self) -> io::Result<Instant> {
        let begin = self.begin.take().expect("it is asked for once");
        match begin.await {
            Ok(begin) => Ok(begin),
            // It could not even begin; the samples are an error that says why.
            Err(_) => self.samples().await.map(|_| Instant::EPOCH),
        }
    }

    /// All samples, in the order of their intended sends, when the last one is known. Cancel safe.
    pub async fn samples(&mut self) -> io::Result<Vec<Sample>> {
        if let Ok(samples) = (&mut self.samples).await {
            return samples;
        }
        let thread = self.thread.take().expect("only this takes it, and does not return");
        let panic = thread.join().expect_err("without samples it has panicked");
        std::panic::resume_unwind(panic)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
