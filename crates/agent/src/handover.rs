//! How the listening sockets of a gateway whose keeper is no more come to the next keeper.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::descriptors::receive_line;
use crate::directory::Directory;

/// Where a gateway hands them over, in the state directory.
pub(crate) const SOCKET: &str = "gateway.sock";

/// What a gateway says beside its sockets.
#[derive(Deserialize)]
struct Said {
    /// Whose they are, in their order.
    services: Vec<String>,
}

/// The sockets of the gateway that serves the fleet of `directory`, by service.
pub fn take(directory: &Path, patience: Duration) -> io::Result<Vec<(String, TcpListener)>> {
    let directory = Directory::at(directory).map_err(io::Error::other)?;
    let (_open, path) = directory.socket(SOCKET)?;
    let gateway = UnixStream::connect(path)?;
    gateway.set_read_timeout(Some(patience))?;
    let (line, sockets) = receive_line(&gateway)?;
    let Said { services } = serde_json::from_slice(&line)?;
    if services.len() != sockets.len() {
        let (names, sockets) = (services.len(), sockets.len());
        return Err(io::Error::other(format!("it named {names} sockets and sent {sockets}")));
    }
    Ok(services.into_iter().zip(sockets.into_iter().map(TcpListener::from)).collect())
}
