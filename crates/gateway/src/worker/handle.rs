//! The thread of a worker, and the acceptor's end of it.

use std::collections::BTreeMap;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{Notify, mpsc};

use super::{EXPIRE_EVERY, Seat};
use crate::access::Access;
use crate::door::Door;
use crate::metrics::Ledger;
use crate::say::say;
use crate::{Error, connection};

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
    /// Whoever came in by the door with this number is to leave with the next answer.
    Part(u32),
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

    /// The clients that came in by this door are to leave with their next answer, whether they wait for
    /// it already or not.
    pub(crate) fn part(&self, door: u32) {
        let _ = self.orders.send(Order::Part(door));
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
            Some(Order::Part(door)) => {
                if let Some(seat) = seats.get(&door) {
                    seat.part();
                }
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
            say!("a connection could not be served: {error}");
        }
    });
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
