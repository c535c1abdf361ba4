//! The listening sockets of a fleet, from a gateway that outlived its keeper.
//!
//! A gateway hands them to everyone who connects to `gateway.sock` in its run directory: all of them at
//! once, with a line of JSON that says to which services they belong: `{"services":["a","b"]}`.

use std::fs::File;
use std::io::{self, Error, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_acceptconn};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg, socket_with,
};
use serde::Deserialize;

/// In the run directory.
const NAME: &str = "gateway.sock";
/// The kernel passes no more at once.
const MOST_SOCKETS: usize = 253;
/// Longer than the names of so many services.
const LONGEST_LINE: usize = 64 << 10;

/// To which services the sockets belong, in their order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Belong {
    services: Vec<String>,
}

/// What has come so far.
struct Received {
    line: Vec<u8>,
    sockets: Vec<OwnedFd>,
}

/// Takes the listening sockets of all services from the gateway that works in `directory`. Waits for
/// it for as long as `patience`.
///
/// If nobody listens there, the error is of the kind `ConnectionRefused` (a gateway was there) or
/// `NotFound` (none ever was).
pub fn take(directory: &Path, patience: Duration) -> io::Result<Vec<(String, TcpListener)>> {
    let until = Instant::now() + patience;
    let gateway = dial(directory, patience)?;
    let mut received = Received { line: Vec::new(), sockets: Vec::new() };
    while !received.line.ends_with(b"\n") {
        // Zero would be for ever.
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        set_socket_timeout(&gateway, Timeout::Recv, Some(left))?;
        received.more(&gateway)?;
    }
    received.sorted()
}

/// A connection to the gateway. The way to it may be longer than an address may be.
fn dial(directory: &Path, patience: Duration) -> io::Result<OwnedFd> {
    let directory = File::open(directory)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()))?;
    let gateway = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&gateway, Timeout::Send, Some(patience.max(Duration::from_millis(1))))?;
    connect(&gateway, &address)?;
    Ok(gateway)
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{NAME}: {}", problem.into()))
}

// === impl Received ===

impl Received {
    /// Waits for what comes next.
    fn more(&mut self, gateway: &OwnedFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4096];
        let buffers = &mut [IoSliceMut::new(&mut bytes)];
        let message = match recvmsg(gateway, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(rustix::io::Errno::AGAIN) => {
                let problem = format!("{NAME}: the gateway did not answer in time");
                return Err(Error::new(ErrorKind::TimedOut, problem));
            }
            received => received?,
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                self.sockets.extend(sockets);
            }
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(wrong("there are more sockets than may be open here"));
        }
        if message.bytes == 0 || self.line.len() + message.bytes > LONGEST_LINE {
            return Err(wrong("what the gateway says is not one line"));
        }
        self.line.extend_from_slice(&bytes[..message.bytes]);
        Ok(())
    }

    /// Each socket with its service.
    fn sorted(self) -> io::Result<Vec<(String, TcpListener)>> {
        let Belong { services } = serde_json::from_slice(&self.line)
            .map_err(|error| wrong(format!("the gateway did not say which services: {error}")))?;
        if services.len() != self.sockets.len() {
            let (named, came) = (services.len(), self.sockets.len());
            return Err(wrong(format!("{named} services are named, and {came} sockets came")));
        }
        let listener = |(service, socket): (String, OwnedFd)| {
            if socket_acceptconn(&socket)? {
                Ok((service, TcpListener::from(socket)))
            } else {
                Err(wrong(format!("what came for `{service}` does not listen")))
            }
        };
        services.into_iter().zip(self.sockets).map(listener).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{IoSlice, Write};
    use std::net::Shutdown;
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What is taken from a gateway that does `answer`.
    fn taken(
        answer: impl FnOnce(&mut UnixStream) + Send,
        patience: Duration,
    ) -> io::Result<Vec<(String, TcpListener)>> {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(NAME)).unwrap();
        thread::scope(|scope| {
            let gateway = scope.spawn(move || {
                let (mut client, _) = listener.accept().unwrap();
                answer(&mut client);
                client
            });
            let taken = take(directory.path(), patience);
            drop(gateway.join());
            taken
        })
    }

    fn send(client: &UnixStream, sockets: &[TcpListener], line: &str) {
        let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(sockets.len()))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&sockets)));
        let line = [IoSlice::new(line.as_bytes())];
        sendmsg(client, &line, &mut ancillary, SendFlags::empty()).unwrap();
    }

    #[test]
    fn each_service_gets_its_own_socket_back() {
        let sockets: Vec<_> = (0..100).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ours: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let names: Vec<_> = (0..100).map(|n| format!("{}{n}", "long".repeat(15))).collect();
        let line = serde_json::json!({ "services": names }).to_string() + "\n";
        let answer = |client: &mut UnixStream| {
            send(client, &sockets, &line[..100]);
            client.write_all(&line.as_bytes()[100..]).unwrap();
        };
        let taken = taken(answer, PATIENCE).unwrap();
        let theirs = taken.iter().map(|(name, socket)| (&**name, socket.local_addr().unwrap()));
        assert!(theirs.eq(names.iter().map(String::as_str).zip(ours)));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let socket = [TcpListener::bind("127.0.0.1:0").unwrap()];
        let too_long = " ".repeat(LONGEST_LINE + 1);
        let cases = [
            ("", "is not one line"),
            ("{\"services\":[", "is not one line"),
            (&too_long, "is not one line"),
            ("[]\n", "did not say which services"),
            ("{\"services\":[\"a\",\"b\"]}\n", "2 services are named, and 1 sockets came"),
        ];
        for (line, expected) in cases {
            let answer = |client: &mut UnixStream| {
                send(client, &socket, &line[..line.len().min(1)]);
                // Nobody may want to hear the rest.
                let _ = client.write_all(line.get(1..).unwrap_or_default().as_bytes());
                client.shutdown(Shutdown::Write).unwrap();
            };
            let problem = taken(answer, PATIENCE).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn whoever_is_not_there_or_silent_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let kind = || take(directory.path(), PATIENCE).unwrap_err().kind();
        assert_eq!(kind(), ErrorKind::NotFound);
        let path = directory.path().join(NAME);
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(kind(), ErrorKind::ConnectionRefused);
        fs::remove_file(&path).unwrap();
        let _silent = UnixListener::bind(&path).unwrap();
        let silent = take(directory.path(), Duration::from_millis(1)).unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::TimedOut);
    }
}
