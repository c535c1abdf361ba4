//! A worker: one thread with a runtime of its own, which carries its client connections to the end.

use std::collections::BTreeMap;
use std::net::TcpStream as StdStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use std::{io, thread};

use bytes::BytesMut;
use seaworthy_core::call::FailureKind;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::pool::{self, Pool};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};

use crate::Error;
use crate::access::{Access, Line};
use crate::account::Account;
use crate::clock::now;
use crate::connection;
use crate::door::Door;
use crate::metrics::{Accounts, Ledger};
use crate::service::{Service, Try};

/// So much is read at once, head and body alike.
const BUFFER: usize = 32 << 10;
/// So many buffers wait for the next request.
const BUFFERS_KEPT: usize = 256;
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
}

/// A worker's place at one door. The clients that come in there stay with it, whoever serves.
pub(crate) struct Seat {
    door: Arc<Door>,
    worker: Mutex<Arc<Worker>>,
    shared: Arc<Shared>,
}

/// What all who serve at one seat have in common.
struct Shared {
    /// No more requests are taken.
    closing: AtomicBool,
    /// Wakes those who wait for one.
    closes: Notify,
    ledger: Arc<Ledger>,
    access: Arc<Access>,
}

/// The acceptor's end of a worker.
pub(crate) struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    load: Arc<Load>,
    ledger: Arc<Ledger>,
}

/// Client connections of a worker.
#[derive(Default)]
struct Load {
    connections: AtomicUsize,
    /// Told when the last one has ended.
    none: Notify,
}

enum Order {
    /// A client, and the door by which it came.
    Serve(StdStream, Arc<Door>),
    /// The door with this number is shut: whoever came in by it is to leave.
    Close(u32),
}

/// Counts a client connection as long as it lives.
struct Counted(Arc<Load>);

// === impl Handle ===

impl Handle {
    /// Starts a worker.
    pub(crate) fn start(number: usize, access: Arc<Access>) -> Result<Self, Error> {
        let system = |error| Error::System("worker", error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (load, ledger) = (Arc::<Load>::default(), Arc::<Ledger>::default());
        let (count, sets) = (Arc::clone(&load), Arc::clone(&ledger));
        let run = move || runtime.block_on(run(inbox, count, sets, access));
        thread::Builder::new().name(format!("worker-{number}")).spawn(run).map_err(system)?;
        Ok(Self { orders, load, ledger })
    }

    /// Client connections it has.
    pub(crate) fn connections(&self) -> usize {
        self.load.connections.load(Ordering::Relaxed)
    }

    /// Waits until it has none.
    pub(crate) async fn idle(&self) {
        loop {
            let none = self.load.none.notified();
            if self.connections() == 0 {
                return;
            }
            none.await;
        }
    }

    /// What it has counted.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// One more client for it, which came in by this door.
    pub(crate) fn give(&self, client: StdStream, door: &Arc<Door>) {
        self.load.connections.fetch_add(1, Ordering::Relaxed);
        // A worker lives as long as the process.
        let _ = self.orders.send(Order::Serve(client, Arc::clone(door)));
    }

    /// The clients that came in by this door are to leave: those that wait for nothing at once, the
    /// others with their next answer.
    pub(crate) fn close(&self, door: u32) {
        let _ = self.orders.send(Order::Close(door));
    }
}

async fn run(
    mut inbox: mpsc::UnboundedReceiver<Order>,
    load: Arc<Load>,
    ledger: Arc<Ledger>,
    access: Arc<Access>,
) {
    let mut seats: BTreeMap<u32, Arc<Seat>> = BTreeMap::new();
    let mut renew = tokio::time::interval(EXPIRE_EVERY);
    loop {
        let order = tokio::select! {
            order = inbox.recv() => order,
            _ = renew.tick() => {
                // Whoever does not serve any more is let go, also where no request comes.
                for seat in seats.values() {
                    seat.worker();
                }
                continue;
            }
        };
        match order {
            Some(Order::Serve(client, door)) => {
                let seat = seats.entry(door.number);
                let new = || Arc::new(Seat::new(door, Arc::clone(&ledger), Arc::clone(&access)));
                serve(client, Arc::clone(seat.or_insert_with(new)), Counted(Arc::clone(&load)));
            }
            Some(Order::Close(door)) => {
                if let Some(seat) = seats.remove(&door) {
                    seat.close();
                }
            }
            None => break,
        }
    }
}

/// Whatever goes wrong in there, a panic too, ends this connection only.
fn serve(client: StdStream, seat: Arc<Seat>, counted: Counted) {
    tokio::spawn(async move {
        let _counted = counted;
        if let Err(error) = connection::serve(&seat, client).await {
            eprintln!("gateway: a connection could not be served: {error}");
        }
    });
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
        let (closing, closes) = (AtomicBool::new(false), Notify::new());
        let shared = Arc::new(Shared { closing, closes, ledger, access });
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

    /// Whether no more requests are taken.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }

    /// Waits until no more requests are taken.
    pub(crate) async fn closes(&self) {
        let closes = self.shared.closes.notified();
        if !self.is_closing() {
            closes.await;
        }
    }

    fn close(&self) {
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
        });
        tokio::spawn(tend(Arc::downgrade(&worker), staying));
        worker
    }

    /// Whether no more requests are taken, so that an answer is to say that it is the last one.
    pub(crate) fn is_closing(&self) -> bool {
        self.seat.closing.load(Ordering::Relaxed)
    }

    /// A request is over: it is counted, and told if it is to be. `head` is as a task gets it.
    pub(crate) fn settle(&self, account: &Account, client: &str, head: &[u8]) {
        let now = now();
        self.accounts.settle(now, account);
        if self.seat.access.is_on() {
            let config = &self.service.config;
            let route = account.route.map(|route| config.call.routes[route.0].name.as_str());
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
        let mut pool = self.pool();
        loop {
            let stream = pool.take(now(), to.task)?;
            // Nothing may have come since its last answer, not even its end. Asks the kernel only
            // if something has.
            match stream.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(stream),
                _ => {}
            }
        }
    }

    /// Keeps a connection whose last exchange is complete.
    pub(crate) fn keep(&self, task: TaskId, stream: TcpStream) {
        if self.service.stays(task) {
            self.pool().put(now(), task, stream);
        }
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool<TcpStream>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

/// Makes room for one more read.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < BUFFER / 2 {
        buffer.reserve(BUFFER - buffer.len().min(BUFFER / 2));
    }
}
