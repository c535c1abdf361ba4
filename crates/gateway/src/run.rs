//! The gateway as a whole: its workers, its acceptor, its driver.

use std::fs;
use std::future::{Future, pending};
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seaworthy_core::fleet::{self, Fleet};
use tokio::net::{TcpListener, UnixDatagram};

use crate::service::Service;
use crate::worker::Handle;
use crate::{Error, acceptor, driver};

/// Carries the requests of the fleet in a run directory, until it is killed.
///
/// Runs as the hidden command `seaworthy part gateway`, started by the keeper: standard input is the
/// listening socket, standard output the link to the agent.
pub fn run(directory: &Path) -> Result<(), Error> {
    let fleet = read(&directory.join("fleet.json"))?;
    allow_open_files();
    let listener = StdListener::from(dup(io::stdin())?);
    let agent = StdDatagram::from(dup(io::stdout())?);
    serve(&fleet.service, listener, agent, pending())
}

/// Carries the requests that come to `listener`, until `stop`.
///
/// `agent` is a datagram each way: the latest `Endpoints` as JSON come in, `Sightings` as JSON go
/// out.
pub fn serve(
    config: &fleet::Service,
    listener: StdListener,
    agent: StdDatagram,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let service = Arc::new(Service::new(config));
    // One for each processor; beyond a few the lock they share would be what they wait for.
    let count = thread::available_parallelism().map_or(1, usize::from).min(8);
    let start = |number| Handle::start(number, Arc::clone(&service));
    let workers = (1..=count).map(start).collect::<Result<Vec<_>, _>>()?;

    let system = |error| Error::System("runtime", error);
    listener.set_nonblocking(true).map_err(system)?;
    agent.set_nonblocking(true).map_err(system)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).map_err(system)?;
        let agent = UnixDatagram::from_std(agent).map_err(system)?;
        let path = config.health.path.as_str().into();
        tokio::select! {
            never = acceptor::run(listener, workers) => match never {},
            ended = driver::run(service, path, agent) => ended,
            () = stop => Ok(()),
        }
    })
}

/// Asks for as many open files as there may be: the usual 1024 are for programs that use `select`.
fn allow_open_files() {
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
