//! A server on a port of the kernel's choice, and a client that takes nothing for granted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::HeaderValue;
use seaworthy_store::index::Index;
use seaworthy_store::product::{Catalogue, Product};
use seaworthy_store::service;
use serde_json::Value;
use tokio::sync::oneshot;

/// The name of the task under test.
pub(crate) const TASK: &str = "task-3";
/// Nothing takes so long, whatever else the machine does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    /// Whether it ended well.
    ended: Receiver<bool>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

// === impl Server ===

impl Server {
    /// Serves these products.
    pub(crate) fn of(products: Vec<Product>) -> Self {
        let index = Index::build(Catalogue::new(products)).unwrap();
        Self::with(service::products::router(index, None, HeaderValue::from_static(TASK)), DEADLINE)
    }

    /// Serves whatever `router` answers; requests in flight at the end have this `grace`.
    pub(crate) fn with(router: Router, grace: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let localhost = (Ipv4Addr::LOCALHOST, 0);
        let listener = runtime.block_on(tokio::net::TcpListener::bind(localhost)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let served = runtime.block_on(service::serve(listener, router, stopped, grace));
            // Whoever started it may have stopped waiting.
            let _ = end.send(served.is_ok());
        });
        Self { address, stop: Some(stop), ended }
    }

    /// Tells it to stop, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for its end, which it must have been told.
    pub(crate) fn join(&self) {
        assert_eq!(self.ended.recv_timeout(DEADLINE), Ok(true), "the server ends, and well");
    }

    /// A connection of our own.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// The answer to a GET of `target`, as written, on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target)
    }

    /// The answer to any request without a body.
    pub(crate) fn request(&self, method: &str, target: &str) -> Answer {
        Answer::receive(self.send(method, target))
    }

    /// Sends a request without a body. Its answer is for [`Answer::receive`].
    pub(crate) fn send(&self, method: &str, target: &str) -> TcpStream {
        send(self.address, method, target)
    }

    /// The ids that a search finds.
    pub(crate) fn ids(&self, parameters: &str) -> Vec<String> {
        let found = self.get(&format!("/products?{parameters}")).json();
        let id = |product: &Value| product["id"].as_str().unwrap().to_owned();
        found["products"].as_array().unwrap().iter().map(id).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        // Its end is awaited, not judged: the test has judged what it is about.
        let _ = self.ended.recv_timeout(DEADLINE);
    }
}

// === impl Answer ===

impl Answer {
    /// Waits for the answer to what was sent.
    pub(crate) fn receive(mut connection: TcpStream) -> Self {
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        Self::read(&String::from_utf8(answer).unwrap())
    }

    /// Reads one whole answer.
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    /// The value of this header, named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a problem document and returns its detail.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let document = self.json();
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["status"], status);
        assert!(document["title"].is_string());
        document["detail"].as_str().unwrap().to_owned()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

/// Sends a request without a body, on a connection of its own.
pub(crate) fn send(address: SocketAddr, method: &str, target: &str) -> TcpStream {
    let mut connection = connect(address);
    let head = format!("{method} {target} HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    connection
}

/// Waits until `done` is true, which takes events that nobody announces.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A product of which only these matter.
pub(crate) fn product(id: &str, title: &str, brand: &str, category: &str, price: u32) -> Product {
    Product {
        id: id.to_owned(),
        title: title.to_owned(),
        brand: brand.to_owned(),
        category: category.to_owned(),
        description: String::new(),
        price,
    }
}
