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
use std::time::Duration;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seaworthy_core::fleet::Fleet;
use tokio::runtime::Runtime;

use crate::gateway::Gateway;
use crate::handover::Handover;
use crate::link::Link;
use crate::running::{Bound, Running};
use crate::say::say;
use crate::signals::Stop;
use crate::{Error, admin};

/// Whether every service can be carried is looked at so often, until it is so.
const PAUSE: Duration = Duration::from_millis(20);

/// There is room for so many open files from the beginning: half a megabyte in the kernel.
const ROOM: u64 = 65_536;

/// The gateway of a fleet at work.
struct OfFleet {
    running: Running,
    agent: Arc<Link>,
    fleet: Fleet,
}

/// Carries the requests of the fleet in a run directory until SIGTERM. Then a successor accepts from
/// the same sockets, and speaks to the agent; what is under way here is finished, for as long as the
/// fleet's `gateway.stop_timeout`. Told again, it goes on with that.
///
/// Runs as the hidden command `seaworthy part gateway`, started by the keeper: over standard input
/// come the listening sockets, and over it the keeper is told `ready`; standard output is the link to
/// the agent. Whoever asks at `gateway.sock` in the run directory is sent the listening sockets.
pub fn run(directory: &Path) -> Result<(), Error> {
    let fleet = read(&directory.join("fleet.json"))?;
    allow_open_files();
    let keeper = StdDatagram::from(dup(io::stdin())?);
    let listeners = receive_listeners(&keeper, fleet.services.len())?;
    let agent = StdDatagram::from(dup(io::stdout())?);
    runtime()?.block_on(async {
        let mut stop = Stop::watch()?;
        let mut of_fleet = OfFleet::start(fleet, listeners, agent)?;
        let gateway = Arc::clone(&of_fleet.running.gateway);
        let ready = async {
            until_ready(&gateway).await;
            // Nobody may be there who wants to know.
            let _ = send(&keeper, b"ready", SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            pending::<()>().await;
        };
        tokio::select! {
            error = of_fleet.carry() => return Err(error),
            () = of_fleet.hand_over(directory) => {}
            () = ready => {}
            _ = stop.said() => {}
        }
        // A new keeper cannot know whether the one before has said so.
        of_fleet.retire().await;
        Ok(())
    })
}

/// Carries the requests that come to `listeners`, one for each service of the fleet, until `stop`.
/// What is under way then is cut.
///
/// `agent` is a datagram each way: the latest `Endpoints` of a service as JSON come in, its
/// `Sightings` as JSON go out.
pub fn serve(
    fleet: Fleet,
    listeners: Vec<StdListener>,
    agent: StdDatagram,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    runtime()?.block_on(async {
        let of_fleet = OfFleet::start(fleet, listeners, agent)?;
        tokio::select! {
            error = of_fleet.carry() => Err(error),
            () = stop => Ok(()),
        }
    })
}

// === impl OfFleet ===

impl OfFleet {
    /// Listens at `listeners`, one for each service. The agent says who their tasks are.
    fn start(fleet: Fleet, listeners: Vec<StdListener>, agent: StdDatagram) -> Result<Self, Error> {
        let agent = Link::new(agent).map_err(|error| Error::System("link to the agent", error))?;
        let agent = Arc::new(agent);
        let mut running = Running::start(&fleet, Some(Arc::clone(&agent)))?;
        for (service, listener) in fleet.services.iter().zip(listeners) {
            running.open(service.clone(), Bound::adopt(listener)?, |_| {});
        }
        Ok(Self { running, agent, fleet })
    }

    /// Does so as long as it can; returns why it cannot.
    async fn carry(&self) -> Error {
        let gateway = &self.running.gateway;
        let admin = async {
            match self.fleet.gateway.admin {
                Some(address) => admin::serve(address, Arc::clone(gateway)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            never = self.agent.follow(gateway) => match never {},
            error = admin => error,
        }
    }

    /// Hands the listening sockets over. Requests are carried where that cannot be, too.
    async fn hand_over(&self, directory: &Path) {
        match self.running.sockets().and_then(|sockets| Handover::at(directory, sockets)) {
            Ok(handover) => match handover.serve().await {},
            Err(error) => {
                let directory = directory.display();
                say!("{directory}: nobody can take over the listening sockets here: {error}");
                pending::<()>().await;
            }
        }
    }

    /// Finishes what is under way.
    async fn retire(&mut self) {
        self.agent.fall_silent();
        let timeout = self.fleet.gateway.stop_timeout;
        say!("retires, and has {} connections", self.running.gateway.connections());
        match self.running.retire(timeout).await {
            0 => say!("has retired"),
            left => say!("the stop timeout is over, {left} connections were cut"),
        }
    }
}

/// Waits until every service can be carried.
async fn until_ready(gateway: &Gateway) {
    while !gateway.doors().iter().all(|door| door.service().is_carried()) {
        tokio::time::sleep(PAUSE).await;
    }
}

fn runtime() -> Result<Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::System("runtime", error))
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

/// Asks for as many open files as there may be: the usual 1024 are for programs that use `select`. The kernel gets room
/// for many of them at once, which it keeps: whenever it needs more, whoever opens a file next waits until no thread can
/// still see the old table (`expand_fdtable` of Linux), and for that time nobody is served. That was 10 to 20 ms at 64, 256,
/// 512, ... connections.
pub(crate) fn allow_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        say!("there may not be more open files: {error}");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(ROOM).min(ROOM);
    if let Err(error) = fcntl_dupfd_cloexec(io::stderr(), files.saturating_sub(1) as i32) {
        say!("there is no room for {files} open files yet: {error}");
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
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let room = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        let room: u64 = room.trim().parse().unwrap();
        assert!(room >= maximum.unwrap_or(ROOM).min(ROOM), "{room}");
    }
}
