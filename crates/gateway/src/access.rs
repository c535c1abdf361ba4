//! The access log: every request as a line of JSON, written by a thread of its own.
//!
//! A worker never waits for it. What cannot be written fast enough is dropped, counted, and said
//! once it goes on.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use seaworthy_core::fleet::AccessLog;

use crate::Error;
use crate::say::say;

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

/// The other end, on a thread of its own.
struct Writer {
    sink: Option<Sink>,
    counts: Arc<Counts>,
    /// The last write has failed.
    failing: bool,
    /// So many dropped lines were told.
    told: u64,
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
        let writer = Writer::new(Arc::clone(&counts));
        let run = move || writer.run(&inbox);
        let spawned = thread::Builder::new().name("access-log".to_owned()).spawn(run);
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

// === impl Writer ===

impl Writer {
    fn new(counts: Arc<Counts>) -> Self {
        Self { sink: None, counts, failing: false, told: 0 }
    }

    /// Carries out orders until there can be no more.
    fn run(mut self, inbox: &mpsc::Receiver<Order>) {
        let (mut batch, mut lines) = (Vec::new(), 0);
        while let Ok(order) = inbox.recv() {
            let mut next = Some(order);
            // All that waits, as one write.
            while let Some(Order::Line(line)) = next {
                batch.extend_from_slice(&line);
                lines += 1;
                next = inbox.try_recv().ok();
            }
            self.write(&batch, std::mem::take(&mut lines));
            batch.clear();
            if let Some(Order::Open(sink)) = next {
                self.sink = sink;
            }
        }
    }

    fn write(&mut self, batch: &[u8], lines: u64) {
        let failed = self.sink.as_mut().and_then(|sink| sink.write(batch).err());
        let fails_already = std::mem::replace(&mut self.failing, failed.is_some());
        self.counts.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        if let Some(error) = failed {
            self.counts.dropped.fetch_add(lines, Ordering::Relaxed);
            if !fails_already {
                say!("the access log cannot be written: {error}");
            }
            return;
        }
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        let new = dropped - std::mem::replace(&mut self.told, dropped);
        if new > 0 {
            say!("the access log goes on; {new} lines were dropped");
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::fd::AsRawFd;

    use seaworthy_core::call::RouteId;
    use seaworthy_core::time::Instant;

    use super::*;
    use crate::account::Account;

    /// More lines than can wait, of ten thousand bytes and more each.
    const LINES: usize = 1000;

    #[test]
    fn a_log_that_takes_nothing_holds_nobody_up_and_every_line_is_written_or_counted() {
        let (reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let access = Access::start(&AccessLog::File(path.into())).unwrap();
        drop(writer);
        let head = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(10_000)).into_bytes();
        let account = Account::new(RouteId(0), Instant::EPOCH);
        let (now, client) = (Instant::EPOCH, "127.0.0.1");
        for _ in 0..LINES {
            let head = &head[..];
            access.write(&Line { account: &account, now, service: "s", route: None, client, head });
        }
        let dropped = access.dropped() as usize;
        assert!(dropped > LINES / 4, "{dropped} were dropped");
        // Ends the writer once it has written what waits, and with it the pipe.
        drop(access);
        assert_eq!(BufReader::new(reader).lines().count() + dropped, LINES);
    }

    #[test]
    fn a_log_that_cannot_be_opened_leaves_the_other_as_it_is() {
        let access = Access::start(&AccessLog::Stdout).unwrap();
        let error = access.reopen(&AccessLog::File("/no/such/place".into())).unwrap_err();
        assert_eq!(error.to_string(), "gateway.access_log: /no/such/place: cannot be opened");
        assert!(access.is_on());
        access.reopen(&AccessLog::Off).unwrap();
        assert!(!access.is_on());
    }
}
