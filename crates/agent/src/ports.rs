//! Ports for tasks, asked from the kernel.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt};

/// Ports that are held until their task starts.
///
/// A bound socket that does not listen keeps the kernel from giving the port to anybody else. It is
/// let go just before the task's process starts.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    held: BTreeMap<u16, OwnedFd>,
}

impl Ports {
    /// Reserves one more port.
    pub(crate) fn reserve(&mut self) -> io::Result<u16> {
        let held = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        sockopt::set_socket_reuseaddr(&held, true)?;
        bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = SocketAddr::try_from(getsockname(&held)?)?;
        self.held.insert(address.port(), held);
        Ok(address.port())
    }

    /// Lets go of a port, so that its task can have it.
    pub(crate) fn release(&mut self, port: u16) {
        self.held.remove(&port);
    }
}
