//! A worker: one thread with a runtime of its own, which carries its client connections to the end.

use std::net::TcpStream as StdStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use bytes::BytesMut;
use seaworthy_core::call::FailureKind;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::pool::{self, Pool};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Error;
use crate::clock::now;
use crate::connection;
use crate::service::{Service, Try};

/// So much is read at once, head and body alike.
const BUFFER: usize = 32 << 10;
/// So many buffers wait for the next request.
const BUFFERS_KEPT: usize = 256;
/// Kept connections are looked through so often.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);

/// What the connections to one service share on one worker's thread.
pub(crate) struct Worker {
    /// Who decides about their requests.
    pub(crate) service: Arc<Service>,
    pool: Mutex<Pool<TcpStream>>,
    buffers: Mutex<Vec<BytesMut>>,
}

/// The acceptor's end of a worker.
pub(crate) struct Handle {
    clients: mpsc::UnboundedSender<Arrival>,
    connections: Arc<AtomicUsize>,
}

/// A client, and the place of the service it came to.
struct Arrival {
    client: StdStream,
    service: usize,
}

/// Counts a client connection as long as it lives.
struct Counted(Arc<AtomicUsize>);

// === impl Handle ===

impl Handle {
    /// Starts a worker for these services.
    pub(crate) fn start(number: usize, services: Vec<Arc<Service>>) -> Result<Self, Error> {
        let system = |error| Error::System("worker", error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let (clients, inbox) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let run = move || runtime.block_on(run(services, inbox, count));
        thread::Builder::new().name(format!("worker-{number}")).spawn(run).map_err(system)?;
        Ok(Self { clients, connections })
    }

    /// Client connections it has.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// One more client for it, which came to the service at this place.
    pub(crate) fn give(&self, client: StdStream, service: usize) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        // A worker lives as long as the process.
        let _ = self.clients.send(Arrival { client, service });
    }
}

async fn run(
    services: Vec<Arc<Service>>,
    mut inbox: mpsc::UnboundedReceiver<Arrival>,
    connections: Arc<AtomicUsize>,
) {
    let workers: Vec<_> = services.into_iter().map(Worker::new).map(Arc::new).collect();
    for worker in &workers {
        tokio::spawn(tend(Arc::clone(worker)));
    }
    while let Some(Arrival { client, service }) = inbox.recv().await {
        let counted = Counted(Arc::clone(&connections));
        let worker = Arc::clone(&workers[service]);
        // Whatever goes wrong in there, a panic too, ends this connection only.
        tokio::spawn(async move {
            let _counted = counted;
            if let Err(error) = connection::serve(&worker, client).await {
                eprintln!("gateway: a connection could not be served: {error}");
            }
        });
    }
}

/// Lets go of kept connections that are too old, and of those to tasks that drain.
async fn tend(worker: Arc<Worker>) {
    let mut staying = worker.service.staying();
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    loop {
        tokio::select! {
            _ = expire.tick() => worker.pool().expire(now()),
            Ok(()) = staying.changed() => {
                let tasks = staying.borrow_and_update().clone();
                worker.pool().retain(|task| tasks.contains(&task));
            }
        }
    }
}

// === impl Worker ===

impl Worker {
    fn new(service: Arc<Service>) -> Self {
        let pool = Mutex::new(Pool::new(pool::Config::default()));
        Self { service, pool, buffers: Mutex::default() }
    }

    /// An empty buffer.
    pub(crate) fn buffer(&self) -> BytesMut {
        let kept = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| BytesMut::with_capacity(BUFFER))
    }

    /// Takes back a buffer that is not needed now.
    pub(crate) fn give_back(&self, mut buffer: BytesMut) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < BUFFERS_KEPT && buffer.capacity() > 0 {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    /// A connection for a try, and whether it was used before.
    pub(crate) async fn connect(&self, to: Try) -> Result<(TcpStream, bool), FailureKind> {
        if let Some(kept) = self.kept(to) {
            return Ok((kept, true));
        }
        let limit = self.service.config.call.connect_timeout;
        match tokio::time::timeout(limit, TcpStream::connect(to.address)).await {
            Ok(Ok(stream)) => {
                // Without it a request would wait for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|_| FailureKind::Refused)?;
                Ok((stream, false))
            }
            Ok(Err(_)) => Err(FailureKind::Refused),
            Err(_) => Err(FailureKind::ConnectTimeout),
        }
    }

    fn kept(&self, to: Try) -> Option<TcpStream> {
        if to.fresh {
            return None;
        }
        // Nothing may have come since its last answer, not even its end. Asks the kernel only if
        // something has.
        let is_open = |stream: &TcpStream| {
            let read = stream.try_read(&mut [0]);
            matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        };
        self.pool().take(now(), to.task, is_open)
    }

    /// Keeps a connection whose last exchange is complete; the task says it keeps it for `keeps`.
    pub(crate) fn keep(&self, task: TaskId, keeps: Option<Duration>, stream: TcpStream) {
        if self.service.stays(task) {
            self.pool().put(now(), task, keeps, stream);
        }
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool<TcpStream>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes room for one more read.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < BUFFER / 2 {
        buffer.reserve(BUFFER - buffer.len().min(BUFFER / 2));
    }
}
