//! Clients of all sorts. Each holds every answer against its request.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use super::PATIENCE;
use super::echo::{Message, chunked};

/// Clients under way, until [`end`](Self::end).
pub(crate) struct Traffic {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

/// One connection that stays open.
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

// === impl Traffic ===

impl Traffic {
    /// So many clients of the service at `address`: a quarter of them each with plain requests, with
    /// several at once, with bodies, and with bodies in chunks.
    ///
    /// If tasks are `killed`, an answer may be cut short, and its client comes back.
    pub(crate) fn start(address: &str, count: usize, killed: bool) -> Self {
        let (over, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |n: usize| {
            let (over, answers) = (Arc::clone(&over), Arc::clone(&answers));
            let address = address.to_owned();
            let mut client = Client::connect(&address);
            thread::spawn(move || {
                let mut turn = 0;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    let id = format!("{n}-{turn}");
                    let whole = match n % 4 {
                        0 => client.ask(&[&id]),
                        1 => client.ask(&[&id, &format!("{id}-b"), &format!("{id}-c")]),
                        2 => client.send(&id, turn * 977 % 40_000, false),
                        _ => client.send(&id, turn * 977 % 40_000, true),
                    };
                    match whole {
                        Ok(count) => drop(answers.fetch_add(count, Ordering::Relaxed)),
                        Err(error) => {
                            assert!(killed, "{id}: {error}");
                            client = Client::connect(&address);
                        }
                    }
                }
            })
        };
        let clients = (0..count).map(client).collect();
        Self { over, answers, clients }
    }

    /// Answers so far, each of which was the right one.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Ends it; panics if any request failed.
    pub(crate) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        let failed = self.clients.into_iter().filter_map(|client| client.join().err()).count();
        assert_eq!(failed, 0, "so many clients had a request that failed");
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next answer; none if the connection has ended.
    pub(crate) fn read(&mut self) -> Option<Message> {
        Message::read(&mut self.reader, true).unwrap()
    }

    /// All at once; returns how many.
    fn ask(&mut self, ids: &[&str]) -> io::Result<u64> {
        let get = |id: &&str| format!("GET /{id} HTTP/1.1\r\nHost: s\r\nX-Id: {id}\r\n\r\n");
        self.stream.write_all(ids.iter().map(get).collect::<String>().as_bytes())?;
        for id in ids {
            self.check(id, b"")?;
        }
        Ok(ids.len() as u64)
    }

    fn send(&mut self, id: &str, length: usize, chunks: bool) -> io::Result<u64> {
        let body: Vec<u8> = id.bytes().cycle().take(length).collect();
        let (framing, sent) = if chunks {
            ("Transfer-Encoding: chunked".to_owned(), chunked(&body))
        } else {
            (format!("Content-Length: {length}"), body.clone())
        };
        // With a key it may be sent again when its task is killed.
        let key = format!("Idempotency-Key: {id}\r\n{framing}");
        let head = format!("POST /{id} HTTP/1.1\r\nHost: s\r\nX-Id: {id}\r\n{key}\r\n\r\n");
        self.stream.write_all(&[head.as_bytes(), &sent].concat())?;
        self.check(id, &body)?;
        Ok(1)
    }

    /// The next answer is the one to this request, and another one may follow.
    fn check(&mut self, id: &str, body: &[u8]) -> io::Result<()> {
        let answer = Message::read(&mut self.reader, true)?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        // What two tasks have died of is not sent to a third.
        if answer.field("x-seaworthy-cause") == Some("task_closed") {
            return Err(io::Error::other(answer.line));
        }
        assert_eq!(answer.line, "HTTP/1.1 200 OK", "{answer:?}");
        assert_eq!(answer.field("x-id"), Some(id));
        assert!(answer.body == body, "another body than that of {id}");
        assert_eq!(answer.field("connection"), None, "{answer:?}");
        Ok(())
    }
}
