//! A worker: one thread with a runtime of its own, which carries its client connections to the end.

mod handle;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::BytesMut;
use seaworthy_core::call::{FailureKind, RouteId};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::pool::{self, Pool};
use seaworthy_core::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use crate::access::{Access, Line};
use crate::account::Account;
use crate::clock::now;
use crate::door::Door;
use crate::metrics::{Accounts, Ledger};
use crate::service::{Service, Try};

pub(crate) use handle::Handle;

/// So much is read at once, head and body alike.
const BUFFER: usize = 32 << 10;
/// So many buffers wait for the next request.
const BUFFERS_KEPT: usize = 256;
/// Longer ones are not worth their memory.
const LONGEST_OUT: usize = 2 * BUFFER;
/// Kept connections are looked through so often.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);

/// What the requests to one service share on one worker's thread.
pub(crate) struct Worker {
    /// Who decides about them.
    pub(crate) service: Arc<Service>,
    /// The service's, at its door.
    generation: u64,
    seat: Arc<Shared>,
    accounts: Accounts,
    pool: Mutex<Pool<TcpStream>>,
    buffers: Mutex<Vec<BytesMut>>,
    outs: Mutex<Vec<Vec<u8>>>,
}

/// A worker's place at one door. The clients that come in there stay with it, whoever serves.
pub(crate) struct Seat {
    door: Arc<Door>,
    worker: Mutex<Arc<Worker>>,
    shared: Arc<Shared>,
}

/// What all who serve at one seat have in common.
struct Shared {
    /// Each answer is the last one of its connection.
    parting: AtomicBool,
    /// No more requests are waited for.
    closing: AtomicBool,
    /// Wakes those who wait for one.
    closes: Notify,
    ledger: Arc<Ledger>,
    access: Arc<Access>,
}

/// Lets go of kept connections that are too old, and of those to tasks that drain.
async fn tend(worker: Weak<Worker>, mut staying: watch::Receiver<Vec<TaskId>>) {
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    loop {
        let tasks = tokio::select! {
            _ = expire.tick() => None,
            Ok(()) = staying.changed() => Some(staying.borrow_and_update().clone()),
        };
        let Some(worker) = worker.upgrade() else { return };
        match tasks {
            None => worker.pool().expire(now()),
            Some(tasks) => worker.pool().retain(|task| tasks.contains(&task)),
        }
    }
}

// === impl Seat ===

impl Seat {
    fn new(door: Arc<Door>, ledger: Arc<Ledger>, access: Arc<Access>) -> Self {
        let (parting, closing) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Shared { parting, closing, closes: Notify::new(), ledger, access };
        let shared = Arc::new(shared);
        let worker = Mutex::new(Worker::at(&door, &shared));
        Self { door, worker, shared }
    }

    /// Who serves the next request. It is to be given back when that is over.
    pub(crate) fn worker(&self) -> Arc<Worker> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.generation != self.door.generation() {
            *worker = Worker::at(&self.door, &self.shared);
        }
        Arc::clone(&worker)
    }

    /// Whether no more requests are waited for.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }

    /// Waits until no more requests are waited for.
    pub(crate) async fn closes(&self) {
        let closes = self.shared.closes.notified();
        if !self.is_closing() {
            closes.await;
        }
    }

    fn part(&self) {
        self.shared.parting.store(true, Ordering::Relaxed);
    }

    fn close(&self) {
        self.part();
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.closes.notify_waiters();
    }
}

// === impl Worker ===

impl Worker {
    /// Who serves at `door` now. Must be called on the worker's thread.
    fn at(door: &Door, seat: &Arc<Shared>) -> Arc<Self> {
        let (generation, service) = door.latest();
        let staying = service.staying();
        let worker = Arc::new(Self {
            generation,
            accounts: seat.ledger.of(&service),
            seat: Arc::clone(seat),
            service,
            pool: Mutex::new(Pool::new(pool::Config::default())),
            buffers: Mutex::default(),
            outs: Mutex::default(),
        });
        tokio::spawn(tend(Arc::downgrade(&worker), staying));
        worker
    }

    /// Whether an answer is to say that it is the last one.
    pub(crate) fn is_parting(&self) -> bool {
        self.seat.parting.load(Ordering::Relaxed)
    }

    /// Stands for the route of a request whose head was not taken.
    pub(crate) fn no_route(&self) -> RouteId {
        RouteId(self.service.config.call.routes.len())
    }

    /// A request is over: it is counted, and told if it is to be. `head` is as a task gets it.
    pub(crate) fn settle(&self, now: Instant, account: &Account, client: &str, head: &[u8]) {
        self.accounts.settle(now, account);
        if self.seat.access.is_on() {
            let config = &self.service.config;
            let route = config.call.routes.get(account.route.0).map(|route| &*route.name);
            let service = &config.name;
            self.seat.access.write(&Line { account, now, service, route, client, head });
        }
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

    /// An empty buffer for what is written.
    pub(crate) fn out(&self) -> Vec<u8> {
        self.outs.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes back such a buffer.
    pub(crate) fn give_back_out(&self, mut out: Vec<u8>) {
        let mut outs = self.outs.lock().unwrap_or_else(PoisonError::into_inner);
        if outs.len() < BUFFERS_KEPT && out.capacity() <= LONGEST_OUT {
            out.clear();
            outs.push(out);
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
        self.pool().take(to.at, to.task, is_open)
    }

    /// Keeps a connection whose last exchange is complete; the task says it keeps it for `keeps`.
    pub(crate) fn keep(
        &self,
        now: Instant,
        task: TaskId,
        keeps: Option<Duration>,
        stream: TcpStream,
    ) {
        if self.service.stays(task) {
            self.pool().put(now, task, keeps, stream);
        }
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool<TcpStream>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more read.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < BUFFER / 2 {
        buffer.reserve(BUFFER - buffer.len().min(BUFFER / 2));
    }
}
