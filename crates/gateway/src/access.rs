//! The access log: every request as a line of JSON, written by a thread of its own.
//!
//! A worker never waits for it. What cannot be written fast enough is dropped, counted, and said
//! once it goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use seaworthy_core::fleet::AccessLog;

use crate::Error;

mod line;

pub(crate) use line::Line;

/// So many bytes wait at most: some ten thousand lines.
const MOST_BYTES: usize = 4 << 20;

/// The workers' end of the access log.
pub(crate) struct Access {
    on: AtomicBool,
    orders: Mutex<mpsc::Sender<Order>>,
    counts: Arc<Counts>,
}

/// What both ends count.
#[derive(Default)]
struct Counts {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Lines that were dropped, ever.
    dropped: AtomicU64,
}

enum Order {
    /// Write it.
    Line(Vec<u8>),
    /// From now on write there; nowhere if none.
    Open(Option<Sink>),
}

/// Where lines go.
enum Sink {
    Stdout(io::Stdout),
    File(File),
}

// === impl Access ===

impl Access {
    /// Begins as `wanted`.
    pub(crate) fn start(wanted: &AccessLog) -> Result<Self, Error> {
        let (orders, inbox) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let theirs = Arc::clone(&counts);
        let write = move || write(&inbox, &theirs);
        let spawned = thread::Builder::new().name("access-log".to_owned()).spawn(write);
        spawned.map_err(|error| Error::System("access log", error))?;
        let access = Self { on: AtomicBool::new(false), orders: Mutex::new(orders), counts };
        access.open(Sink::open(wanted)?);
        Ok(access)
    }

    /// Opens it anew, as `wanted`: whoever rotates logs has moved the file away. If that fails, it
    /// stays as it is.
    pub(crate) fn reopen(&self, wanted: &AccessLog) -> Result<(), Error> {
        self.open(Sink::open(wanted)?);
        Ok(())
    }

    /// Whether there is anything to write at all.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Has a line written, if that can be done soon.
    pub(crate) fn write(&self, line: &Line<'_>) {
        let line = line.json();
        let waiting = self.counts.waiting.fetch_add(line.len(), Ordering::Relaxed);
        if waiting + line.len() > MOST_BYTES {
            self.counts.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.send(Order::Line(line));
    }

    /// Lines that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    fn open(&self, sink: Option<Sink>) {
        self.on.store(sink.is_some(), Ordering::Relaxed);
        self.send(Order::Open(sink));
    }

    fn send(&self, order: Order) {
        // The writer ends with us.
        let _ = self.orders.lock().unwrap_or_else(PoisonError::into_inner).send(order);
    }
}

/// Carries out orders until there can be no more.
fn write(inbox: &mpsc::Receiver<Order>, counts: &Counts) {
    let mut sink = None;
    let (mut told, mut failing) = (0, false);
    let mut batch = Vec::new();
    while let Ok(order) = inbox.recv() {
        let mut next = Some(order);
        // All that waits, as one write.
        while let Some(Order::Line(line)) = next {
            batch.extend_from_slice(&line);
            next = if batch.len() < MOST_BYTES { inbox.try_recv().ok() } else { None };
        }
        if let Some(sink) = &mut sink {
            let failed = Sink::write(sink, &batch).err();
            if let (Some(error), false) = (&failed, failing) {
                eprintln!("gateway: the access log cannot be written: {error}");
            }
            failing = failed.is_some();
            let lines = batch.iter().filter(|byte| **byte == b'\n').count();
            let lost = if failing { lines as u64 } else { 0 };
            counts.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        counts.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        batch.clear();
        if let Some(Order::Open(new)) = next {
            sink = new;
        }
        let dropped = counts.dropped.load(Ordering::Relaxed);
        if dropped > told && !failing {
            eprintln!("gateway: the access log goes on; {} lines were dropped", dropped - told);
            told = dropped;
        }
    }
}

// === impl Sink ===

impl Sink {
    fn open(wanted: &AccessLog) -> Result<Option<Self>, Error> {
        Ok(match wanted {
            AccessLog::Off => None,
            AccessLog::Stdout => Some(Self::Stdout(io::stdout())),
            AccessLog::File(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let error = |source| Error::AccessLog { path: path.clone(), source };
                Some(Self::File(file.map_err(error)?))
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::File(file) => file.write_all(bytes),
        }
    }
}
