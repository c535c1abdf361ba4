//! What the drill tells the link, and the link the drill.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seaworthy_core::experiment::LinkFault;
use seaworthy_core::experiment::link::MOST_ARRIVALS;
use seaworthy_core::time::Instant;
use tokio::sync::watch;

/// One of a link's faults; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FaultId(usize);

/// Shared between the drill and the link's thread.
pub(super) struct Control {
    seed: u64,
    service: watch::Sender<Option<SocketAddr>>,
    /// All there have been; a fault's id is its place.
    faults: watch::Sender<Vec<Inflicted>>,
    arrivals: Mutex<Arrivals>,
}

struct Inflicted {
    fault: LinkFault,
    on: bool,
    met: AtomicU64,
}

#[derive(Default)]
struct Arrivals {
    moments: Vec<Instant>,
    count: u64,
}

// === impl Control ===

impl Control {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            service: watch::Sender::default(),
            faults: watch::Sender::default(),
            arrivals: Mutex::default(),
        }
    }

    pub(super) fn forward_to(&self, service: SocketAddr) {
        self.service.send_replace(Some(service));
    }

    /// Where to connect to, as soon as that is known.
    pub(super) async fn service(&self) -> SocketAddr {
        let mut service = self.service.subscribe();
        let known = service.wait_for(Option::is_some).await;
        known.expect("the sender is ours").expect("it was waited for")
    }

    pub(super) fn inflict(&self, fault: LinkFault) -> FaultId {
        let mut id = FaultId(0);
        self.faults.send_modify(|faults| {
            id = FaultId(faults.len());
            faults.push(Inflicted { fault, on: true, met: AtomicU64::new(0) });
        });
        id
    }

    pub(super) fn heal(&self, id: FaultId) {
        self.faults.send_modify(|faults| faults[id.0].on = false);
    }

    /// Returns when the fault is no longer on. Cancel safe.
    pub(super) async fn healed(&self, id: FaultId) {
        let mut faults = self.faults.subscribe();
        let healed = faults.wait_for(|faults| !faults[id.0].on).await;
        healed.expect("the sender is ours");
    }

    pub(super) fn met(&self, id: FaultId) -> u64 {
        self.faults.borrow()[id.0].met.load(Ordering::Relaxed)
    }

    pub(super) fn arrivals(&self) -> Vec<Instant> {
        self.lock_arrivals().moments.clone()
    }

    /// A request has arrived. Tells the fault that it meets, and counts it there.
    pub(super) fn arrive(&self, now: Instant) -> Option<(FaultId, LinkFault)> {
        let ordinal = self.lock_arrivals().add(now);
        let faults = self.faults.borrow();
        let met = LinkFault::first_to_meet(on(&faults), self.seed, ordinal);
        if let Some((id, _)) = met {
            faults[id.0].count();
        }
        met
    }

    /// How long a piece that is read now is to be held.
    pub(super) fn latency(&self) -> Duration {
        latency(&self.faults.borrow())
    }

    /// Likewise, for a piece of a request's answer. Counts the request at each fault that holds it,
    /// but for those up to `counted`, at which it had been counted before.
    pub(super) fn hold(&self, counted: &Cell<Option<FaultId>>) -> Duration {
        let faults = self.faults.borrow();
        for (id, fault) in on(&faults) {
            if matches!(fault, LinkFault::Latency(_)) && Some(id) > counted.get() {
                faults[id.0].count();
                counted.set(Some(id));
            }
        }
        latency(&faults)
    }

    fn lock_arrivals(&self) -> MutexGuard<'_, Arrivals> {
        // Nothing in between could be left half done.
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn on(faults: &[Inflicted]) -> impl Iterator<Item = (FaultId, LinkFault)> {
    let all = faults.iter().enumerate();
    all.filter(|(_, inflicted)| inflicted.on).map(|(n, inflicted)| (FaultId(n), inflicted.fault))
}

fn latency(faults: &[Inflicted]) -> Duration {
    LinkFault::latency(on(faults).map(|(_, fault)| fault))
}

// === impl Inflicted ===

impl Inflicted {
    fn count(&self) {
        // Nothing else is read after it, so no order is needed.
        self.met.fetch_add(1, Ordering::Relaxed);
    }
}

// === impl Arrivals ===

impl Arrivals {
    /// Returns the request's ordinal.
    fn add(&mut self, now: Instant) -> u64 {
        if self.moments.len() < MOST_ARRIVALS {
            self.moments.push(now);
        }
        self.count += 1;
        self.count - 1
    }
}
