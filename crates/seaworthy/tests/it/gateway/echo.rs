//! A task that says back what it was told, so that an answer can be held against its request.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::PATIENCE;

/// A task in a thread of the test. It ends with the test's process.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    gate: Arc<Gate>,
    connections: Arc<Connections>,
}

/// Those that are open. One that is written to is locked, so that it is not cut in an answer.
type Connections = Mutex<Vec<Arc<Mutex<TcpStream>>>>;

/// Holds up requests for `/held`.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    reached: AtomicBool,
}

/// One message: its first line, its fields, its body.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) line: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

// === impl Echo ===

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::<Gate>::default();
        let connections = Arc::<Connections>::default();
        let (theirs, open) = (Arc::clone(&gate), Arc::clone(&connections));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let gate = Arc::clone(&theirs);
                let Ok(reader) = client.try_clone().map(BufReader::new) else { continue };
                let client = Arc::new(Mutex::new(client));
                open.lock().unwrap().push(Arc::clone(&client));
                // A connection that breaks is the gateway's to tell.
                thread::spawn(move || drop(serve(reader, &client, &gate)));
            }
        });
        Self { address, gate, connections }
    }

    /// Ends every connection, whatever was asked over it, as a kill does; and is there again at once.
    pub(crate) fn kill(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.lock().unwrap().shutdown(Shutdown::Both);
        }
    }

    /// Whether a request for `/held` has come.
    pub(crate) fn is_reached(&self) -> bool {
        self.gate.reached.load(Ordering::Relaxed)
    }

    /// Answers requests for `/held`, from now on.
    pub(crate) fn release(&self) {
        *self.gate.open.lock().unwrap() = true;
        self.gate.opened.notify_all();
    }
}

fn serve(
    mut reader: BufReader<TcpStream>,
    client: &Mutex<TcpStream>,
    gate: &Gate,
) -> io::Result<()> {
    client.lock().unwrap().set_nodelay(true)?;
    while let Some(request) = Message::read(&mut reader, true)? {
        if request.line.contains("/held") {
            gate.reached.store(true, Ordering::Relaxed);
            let open = gate.open.lock().unwrap();
            drop(gate.opened.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap());
        }
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nX-Id: {}\r\n", request.field("x-id").unwrap_or_default())
                .into_bytes();
        if request.field("transfer-encoding").is_some() {
            answer.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            answer.extend(chunked(&request.body));
        } else {
            answer.extend(format!("Content-Length: {}\r\n\r\n", request.body.len()).into_bytes());
            answer.extend(request.body);
        }
        if request.line.contains("/hint") {
            answer.splice(..0, *b"HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        let client = &mut client.lock().unwrap();
        if request.line.contains("/cut") {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")?;
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&answer)?;
    }
    Ok(())
}

/// A body in chunks of a thousand bytes.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    let chunk =
        |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let chunks = body.chunks(1000).flat_map(chunk);
    chunks.chain(*b"0\r\n\r\n").collect()
}

// === impl Message ===

impl Message {
    /// The next one; none if there is none any more and that may be so.
    pub(crate) fn read(reader: &mut impl BufRead, end: bool) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return if end { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let mut message =
            Self { line: line.trim_end().to_owned(), fields: Vec::new(), body: Vec::new() };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            message.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if let Some(length) = message.field("content-length") {
            message.body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut message.body)?;
        } else if message.field("transfer-encoding").is_some() {
            while message.read_chunk(reader)? {}
        }
        Ok(Some(message))
    }

    /// False if it was the last one.
    fn read_chunk(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        let mut piece = vec![0; size + 2];
        reader.read_exact(&mut piece)?;
        self.body.extend_from_slice(&piece[..size]);
        Ok(size > 0)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }
}
