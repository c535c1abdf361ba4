//! The shared pool: slots that all dependencies have in common, and a queue for those who find
//! none.
//!
//! It is what a pool of threads does, and the failure that bulkheads are for: when one dependency
//! hangs, the calls to it take slot after slot, and then the calls to the others wait, too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use seaworthy_core::policy::Rejection;
use seaworthy_layers::Error;
use tokio::sync::Semaphore;
use tower::util::Oneshot;
use tower::{Layer, Service};

use super::count::Count;

/// Nobody is served who waits behind so many; they only fill the memory.
const LONGEST_QUEUE: u32 = 10_000;

/// Slots and those who wait for one. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    slots: Arc<Semaphore>,
    size: u32,
    waiting: Count,
}

/// A service whose calls need a slot.
#[derive(Clone, Debug)]
pub(super) struct Pooled<S> {
    pool: Pool,
    inner: S,
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(size: u32) -> Self {
        let slots = Arc::new(Semaphore::new(size as usize));
        Self { slots, size, waiting: Count::default() }
    }

    /// How many slots there are.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// How many of them are taken.
    pub(super) fn taken(&self) -> u32 {
        self.size - self.slots.available_permits() as u32
    }

    /// How many calls wait for one.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// Waits for a slot and runs `work` in it. The first to come is the first to have one.
    async fn run<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.waiting() >= LONGEST_QUEUE {
            let (limit, running) = (self.size, self.taken());
            return Err(Error::Rejected(Rejection::Full { limit, running, abandoned: 0 }));
        }
        let waiting = self.waiting.one_more();
        let _slot = self.slots.acquire().await.expect("the pool is never closed");
        drop(waiting);
        work.await
    }
}

impl<S> Layer<S> for Pool {
    type Service = Pooled<S>;

    fn layer(&self, inner: S) -> Pooled<S> {
        Pooled { pool: self.clone(), inner }
    }
}

// === impl Pooled ===

impl<S, R> Service<R> for Pooled<S>
where
    S: Service<R, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Waiting is part of the call, under its deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        Box::pin(self.pool.clone().run(Oneshot::new(self.inner.clone(), request)))
    }
}
