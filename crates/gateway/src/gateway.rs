//! What the whole gateway shares with whoever watches it: its doors, its workers, its counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use seaworthy_core::fleet;

use crate::Error;
use crate::access::Access;
use crate::door::Door;
use crate::metrics::Decisions;
use crate::worker::Handle;

/// More workers than this would wait for the lock they share.
const MOST_WORKERS: usize = 8;

/// The whole gateway.
pub(crate) struct Gateway {
    workers: Box<[Handle]>,
    /// In the order of their names.
    doors: Mutex<Vec<Arc<Door>>>,
    /// What was decided.
    pub(crate) decisions: Decisions,
    /// Where requests are told.
    pub(crate) access: Arc<Access>,
    stopping: AtomicBool,
    reloads: (AtomicU64, AtomicU64),
}

// === impl Gateway ===

impl Gateway {
    /// Starts the workers. There is no door yet.
    pub(crate) fn start(config: &fleet::Gateway) -> Result<Arc<Self>, Error> {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let count = config.workers.map_or_else(|| processors().min(MOST_WORKERS), |n| n as usize);
        let access = Arc::new(Access::start(&config.access_log)?);
        let start = |number| Handle::start(number, Arc::clone(&access));
        Ok(Arc::new(Self {
            workers: (1..=count).map(start).collect::<Result<_, _>>()?,
            doors: Mutex::default(),
            decisions: Decisions::default(),
            access,
            stopping: AtomicBool::new(false),
            reloads: (AtomicU64::new(0), AtomicU64::new(0)),
        }))
    }

    /// All of them.
    pub(crate) fn workers(&self) -> &[Handle] {
        &self.workers
    }

    /// Client connections of all workers.
    pub(crate) fn connections(&self) -> usize {
        self.workers.iter().map(Handle::connections).sum()
    }

    /// All doors, in the order of their names.
    pub(crate) fn doors(&self) -> Vec<Arc<Door>> {
        self.lock().clone()
    }

    /// One more.
    pub(crate) fn open(&self, door: Arc<Door>) {
        let mut doors = self.lock();
        doors.push(door);
        doors.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// One less. Its requests may finish, and its clients are told that no more are taken.
    pub(crate) fn close(&self, number: u32) {
        self.lock().retain(|door| door.number != number);
        for worker in &self.workers {
            worker.close(number);
        }
    }

    /// From now on it is not ready.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// What keeps it from being ready, one reason a line; nothing if it is.
    pub(crate) fn why_not_ready(&self) -> Vec<String> {
        if self.stopping.load(Ordering::Relaxed) {
            return vec!["the gateway is stopping".to_owned()];
        }
        let doors = self.doors();
        let without = doors.iter().filter_map(|door| {
            let registered = door.sightings().tasks.len();
            let none = !door.service().is_carried();
            none.then(|| format!("{}: none of {registered} tasks is in rotation", door.name))
        });
        without.collect()
    }

    /// The file was read again; whether that went well.
    pub(crate) fn reloaded(&self, well: bool) {
        let count = if well { &self.reloads.0 } else { &self.reloads.1 };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that went well, and how often not.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloads.0.load(Ordering::Relaxed), self.reloads.1.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
