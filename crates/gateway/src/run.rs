//! The gateway of a fleet: its listening sockets come from the keeper, its tasks from the agent.

use std::fs;
use std::future::{Future, pending};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seaworthy_core::fleet::Fleet;
use tokio::net::UnixDatagram;

use crate::running::{Bound, Running};
use crate::{Error, admin, driver};

/// Carries the requests of the fleet in a run directory, until it is killed.
///
/// Runs as the hidden command `seaworthy part gateway`, started by the keeper: over standard input
/// come the listening sockets, standard output is the link to the agent.
pub fn run(directory: &Path) -> Result<(), Error> {
    let fleet = read(&directory.join("fleet.json"))?;
    allow_open_files();
    let listeners = receive_listeners(io::stdin(), fleet.services.len())?;
    let agent = StdDatagram::from(dup(io::stdout())?);
    serve(fleet, listeners, agent, pending())
}

/// Carries the requests that come to `listeners`, one for each service of the fleet, until `stop`.
///
/// `agent` is a datagram each way: the latest `Endpoints` of a service as JSON come in, its
/// `Sightings` as JSON go out.
pub fn serve(
    fleet: Fleet,
    listeners: Vec<StdListener>,
    agent: StdDatagram,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let system = |error| Error::System("runtime", error);
    agent.set_nonblocking(true).map_err(system)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(async {
        let agent = Arc::new(UnixDatagram::from_std(agent).map_err(system)?);
        let mut running = Running::start(&fleet, Some(Arc::clone(&agent)))?;
        let gateway = Arc::clone(&running.gateway);
        if let Some(address) = fleet.gateway.admin {
            let (listener, address) = admin::bind(address)?;
            eprintln!("gateway: admin http://{address}");
            admin::start(listener, Arc::clone(&gateway), None)?;
        }
        for (service, listener) in fleet.services.into_iter().zip(listeners) {
            // The agent says who its tasks are.
            running.open(service, Bound::adopt(listener)?, |_| {});
        }
        tokio::select! {
            ended = driver::link(gateway, agent) => ended,
            () = stop => Ok(()),
        }
    })
}

/// The listening sockets of so many services, in their order, from the keeper.
fn receive_listeners(keeper: impl AsFd, services: usize) -> Result<Vec<StdListener>, Error> {
    let system = |error: Errno| Error::System("listening sockets", error.into());
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(services))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; 1];
    let buffers = &mut [IoSliceMut::new(&mut word)];
    recvmsg(keeper, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC).map_err(system)?;
    let sockets = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => sockets.collect(),
        _ => Vec::new(),
    });
    let listeners: Vec<_> = sockets.map(StdListener::from).collect();
    if listeners.len() == services { Ok(listeners) } else { Err(system(Errno::BADMSG)) }
}

/// Asks for as many open files as there may be: the usual 1024 are for programs that use `select`.
pub(crate) fn allow_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        eprintln!("gateway: there may not be more open files: {error}");
    }
}

fn read(path: &Path) -> Result<Fleet, Error> {
    let json = fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
    serde_json::from_slice(&json).map_err(|source| Error::Fleet { path: path.into(), source })
}

fn dup(stream: impl AsFd) -> Result<OwnedFd, Error> {
    let owned = stream.as_fd().try_clone_to_owned();
    owned.map_err(|error| Error::System("standard stream", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let lower = current.or(maximum).map(|files| files - 1);
        setrlimit(Resource::Nofile, Rlimit { current: lower, maximum }).unwrap();
        allow_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
