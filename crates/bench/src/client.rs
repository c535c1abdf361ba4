//! The few requests that the bench itself asks, one at a time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Whatever is started is there within this.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);
/// An answer comes within this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// An address that nobody listens at, by the kernel's choice.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The status and the body of an answer to `METHOD path` over a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// Asks until `is_good` says so of a body with status 200.
pub(crate) fn wait_for(
    address: SocketAddr,
    path: &str,
    mut is_good: impl FnMut(&str) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask(address, "GET", path);
        if answer.as_ref().is_ok_and(|(status, body)| *status == 200 && is_good(body)) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "http://{address}{path} was not as it should be within {PATIENCE:?}: {answer:?}"
        );
        std::thread::sleep(PAUSE);
    }
}
