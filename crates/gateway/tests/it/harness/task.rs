//! A task that passes its checks and otherwise does exactly what a script says.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, socket};
use seaworthy_core::endpoints::TaskId;

use super::{Message, PATIENCE};

/// A task that ends when dropped.
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
    /// Keeps the port of a task that was stopped, so that nobody else listens there.
    port: Option<OwnedFd>,
}

/// What a script has in its hands: one connection.
pub(crate) struct Wire<'a> {
    pub(crate) stream: BufReader<TcpStream>,
    /// Counts the connections over which requests came: 1, 2, …; 0 before the first request.
    pub(crate) connection: usize,
    /// For a script that counts what it has answered on this connection.
    pub(crate) served: usize,
    over: bool,
    state: &'a State,
}

type Script = dyn Fn(&Message, &mut Wire<'_>) + Send + Sync;

struct State {
    script: Box<Script>,
    /// Whether the script gets a request before its body was read.
    early: bool,
    /// The status that checks get.
    health: AtomicU16,
    checks: AtomicUsize,
    connections: AtomicUsize,
    log: Mutex<Log>,
    changed: Condvar,
    ended: AtomicBool,
}

#[derive(Default)]
struct Log {
    requests: Vec<Message>,
    /// Connections over which requests came and that have ended.
    closed: usize,
    /// By the order in which they came.
    open: BTreeMap<usize, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

// === impl Task ===

impl Task {
    /// A task that runs `script` for every request that came whole.
    pub(crate) fn new(
        number: u32,
        script: impl Fn(&Message, &mut Wire<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::start(number, false, Box::new(script))
    }

    /// A task that runs `script` for every head.
    pub(crate) fn early(
        number: u32,
        script: impl Fn(&Message, &mut Wire<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::start(number, true, Box::new(script))
    }

    /// A task that says which one it is.
    pub(crate) fn good(number: u32) -> Self {
        Self::new(number, move |_, wire| wire.ok(&format!("task-{number}")))
    }

    fn start(number: u32, early: bool, script: Box<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            script,
            early,
            health: AtomicU16::new(200),
            checks: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            log: Mutex::default(),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        let accept = Arc::clone(&state);
        let acceptor = Some(thread::spawn(move || accept.accept(&listener)));
        Self { id: TaskId(number), address, state, acceptor, port: None }
    }

    /// From now on checks get this status.
    pub(crate) fn health(&self, status: u16) {
        self.state.health.store(status, Ordering::SeqCst);
    }

    /// Checks answered so far.
    pub(crate) fn checks(&self) -> usize {
        self.state.checks.load(Ordering::SeqCst)
    }

    /// Connections over which requests came.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// All requests so far, checks left out.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.state.log.lock().expect("no script panicked").requests.clone()
    }

    /// Targets of all requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.target().to_owned()).collect()
    }

    /// Waits until so many requests have come.
    pub(crate) fn until_requests(&self, count: usize) {
        self.until("so many requests", |log| log.requests.len() >= count);
    }

    /// Waits until so many of the connections over which requests came have ended.
    pub(crate) fn until_closed(&self, count: usize) {
        self.until("so many closed connections", |log| log.closed >= count);
    }

    fn until(&self, what: &str, wanted: impl Fn(&Log) -> bool) {
        let log = self.state.log.lock().expect("no script panicked");
        let outcome = self.state.changed.wait_timeout_while(log, PATIENCE, |log| !wanted(log));
        assert!(!outcome.expect("no script panicked").1.timed_out(), "{}: never {what}", self.id);
    }

    /// From now on it refuses connections; those it has end.
    pub(crate) fn stop(&mut self) {
        self.end();
        let port = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        set_socket_reuseaddr(&port, true).expect("an open socket");
        bind(&port, &self.address).expect("the port is free");
        self.port = Some(port);
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.state.ended.store(true, Ordering::SeqCst);
        // The acceptor waits for one more client.
        let _ = TcpStream::connect(self.address);
        let accepted = acceptor.join();
        let mut log = self.state.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let threads = std::mem::take(&mut log.threads);
        for stream in log.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(log);
        let ended = threads.into_iter().map(JoinHandle::join).chain([accepted]);
        let panicked = ended.filter(Result::is_err).count();
        assert!(thread::panicking() || panicked == 0, "a script of {} panicked", self.id);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl State ===

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for number in 0.. {
            let (stream, _) = listener.accept().expect("a client");
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            stream.set_nodelay(true).expect("an open socket");
            stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
            stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
            let state = Arc::clone(self);
            let mut log = self.log.lock().expect("no script panicked");
            log.open.insert(number, stream.try_clone().expect("a descriptor"));
            log.threads.push(thread::spawn(move || state.serve(number, stream)));
        }
    }

    fn serve(&self, number: usize, stream: TcpStream) {
        let stream = BufReader::new(stream);
        let mut wire = Wire { stream, connection: 0, served: 0, over: false, state: self };
        wire.run();
        let mut log = self.log.lock().expect("no script panicked");
        log.open.remove(&number);
        log.closed += usize::from(wire.connection > 0);
        drop((wire, log));
        self.changed.notify_all();
    }
}

// === impl Wire ===

impl Wire<'_> {
    fn run(&mut self) {
        while !self.over {
            match Message::read_head(&mut self.stream) {
                Ok(Some(check)) if check.target() == "/health" => self.check(),
                Ok(Some(request)) => self.carry_out(request),
                _ => self.over = true,
            }
        }
    }

    fn check(&mut self) {
        let status = self.state.health.load(Ordering::SeqCst);
        self.say(format!("HTTP/1.1 {status} Checked\r\nContent-Length: 0\r\n\r\n"));
        self.state.checks.fetch_add(1, Ordering::SeqCst);
        self.over = true;
    }

    fn carry_out(&mut self, mut request: Message) {
        if self.connection == 0 {
            self.connection = self.state.connections.fetch_add(1, Ordering::SeqCst) + 1;
        }
        if !self.state.early && request.read_body(&mut self.stream).is_err() {
            self.over = true;
            return;
        }
        self.state.log.lock().expect("no script panicked").requests.push(request.clone());
        self.state.changed.notify_all();
        (self.state.script)(&request, self);
    }

    /// Answers with a body.
    pub(crate) fn ok(&mut self, body: &str) {
        self.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    /// Sends bytes as they are. That the gateway has closed is for the test to find.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.over |= self.stream.get_mut().write_all(bytes.as_ref()).is_err();
    }

    /// Closes.
    pub(crate) fn close(&mut self) {
        self.over = true;
    }

    /// Goes away without a word.
    pub(crate) fn reset(&mut self) {
        set_socket_linger(self.stream.get_ref(), Some(Duration::ZERO)).expect("an open socket");
        self.over = true;
    }

    /// Does nothing until the gateway closes.
    pub(crate) fn stall(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new());
        self.over = true;
    }
}
