//! What a keeper holds for its fleet: the right to keep it, and its listening sockets.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seaworthy_core::fleet::{Fleet, Service};

use super::children::Children;
use crate::directory::{self, Directory, Lock};
use crate::messages::{Child, Setup};
use crate::processes::{Identity, of_fleet};
use crate::say::say;
use crate::{Error, handover};

/// So many clients may wait to be accepted.
const BACKLOG: i32 = 4096;
/// A gateway that is alive hands its sockets over within this.
const PATIENCE: Duration = Duration::from_secs(5);

/// The fleet as it runs, and what it listens with.
pub(super) struct Held {
    lock: Lock,
    /// Each service says where it really listens.
    pub(super) fleet: Fleet,
    /// One for each service, in their order.
    pub(super) listeners: Vec<TcpListener>,
}

// === impl Held ===

impl Held {
    /// Takes over what there is of the fleet of `directory`: from the same keeper as it was before,
    /// or from the parts of one that is no more.
    pub(super) fn take(
        directory: &Directory,
        setup: Setup,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(Self, Children), Error> {
        let mut children = Children::new()?;
        let mut descriptors = descriptors.into_iter();
        let resumed = setup.children.is_some();
        for (pid, child) in setup.children.into_iter().flatten() {
            children.started(pid, child);
        }
        let lock = if resumed { descriptors.next().map(|lock| Lock(lock.into())) } else { None };
        let lock = match lock {
            Some(lock) => Some(lock),
            None => directory.lock("lock")?,
        };
        let path = directory.path().to_owned();
        let lock = lock.ok_or(Error::Kept { path, who: "keeper" })?;
        let mut sockets: Vec<(String, TcpListener)> =
            setup.sockets.into_iter().zip(descriptors.map(TcpListener::from)).collect();
        if !resumed && !setup.tied {
            sockets.extend(find(directory, &mut children));
        }
        let fleet = match setup.fleet {
            Some(fleet) => fleet,
            None => directory::read(&directory.fleet())?
                .ok_or_else(|| Error::Nothing { path: directory.path().to_owned() })?,
        };
        Ok((Self::listen(directory, lock, fleet, sockets)?, children))
    }

    /// The same for the fleet that is wanted; what cannot be had leaves all as it is.
    pub(super) fn renewed(&self, directory: &Directory) -> Result<Self, Error> {
        let talk = |error| Error::Talk("kernel", error);
        let fleet: Option<Fleet> = directory::read(&directory.wanted())?;
        let nothing = || Error::Nothing { path: directory.path().to_owned() };
        let names = self.fleet.services.iter().map(|service| service.name.clone());
        let sockets = names.zip(&self.listeners);
        let sockets = sockets.map(|(name, socket)| Ok((name, socket.try_clone().map_err(talk)?)));
        let sockets = sockets.collect::<Result<_, _>>()?;
        let lock = Lock(self.lock.0.try_clone().map_err(talk)?);
        Self::listen(directory, lock, fleet.ok_or_else(nothing)?, sockets)
    }

    /// Listens for every service, with a socket that is there already if it is where it should be.
    fn listen(
        directory: &Directory,
        lock: Lock,
        mut fleet: Fleet,
        mut sockets: Vec<(String, TcpListener)>,
    ) -> Result<Self, Error> {
        let mut listeners = Vec::new();
        for service in &mut fleet.services {
            let fits = |(name, socket): &(String, TcpListener)| {
                let wanted = service.listen;
                let free = |is: SocketAddr| wanted.port() == 0 && is.ip() == wanted.ip();
                name == &service.name
                    && socket.local_addr().is_ok_and(|is| is == wanted || free(is))
            };
            let socket = match sockets.iter().position(fits) {
                Some(at) => sockets.swap_remove(at).1,
                None => bind(service)?,
            };
            let error = |source| listen_error(service, source);
            service.listen = socket.local_addr().map_err(error)?;
            listeners.push(socket);
        }
        directory::write(&directory.fleet(), &fleet)?;
        Ok(Self { lock, fleet, listeners })
    }

    /// Whose the sockets are.
    pub(super) fn names(&self) -> Vec<String> {
        self.fleet.services.iter().map(|service| service.name.clone()).collect()
    }

    /// The lock and the sockets.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let sockets = self.listeners.iter().map(AsFd::as_fd);
        std::iter::once(self.lock.0.as_fd()).chain(sockets).collect()
    }
}

/// The parts of a keeper that is no more: its agent goes, its gateway hands over the sockets and
/// serves until another one does. If there are several, the keeper before may not have told the older
/// ones to retire: all are told, once the new one is ready.
fn find(directory: &Directory, children: &mut Children) -> Vec<(String, TcpListener)> {
    let parts = of_fleet(directory.path());
    let part = |name: &'static str| {
        let is = move |part: &Option<String>| part.as_deref() == Some(name);
        parts.iter().filter(move |marked| is(&marked.part)).map(|marked| marked.identity)
    };
    part("agent").for_each(end);
    let gateways: Vec<Identity> = part("gateway").collect();
    if gateways.is_empty() {
        return Vec::new();
    }
    match handover::take(directory.path(), PATIENCE) {
        Ok(sockets) => {
            for gateway in gateways {
                children.found(gateway, Child::Gateway);
            }
            sockets
        }
        Err(error) => {
            say(format_args!(
                "keeper: the gateway that runs does not hand over its sockets ({error}): it is ended, and \
                 its clients with it"
            ));
            gateways.into_iter().for_each(end);
            Vec::new()
        }
    }
}

/// Kills a process and waits until it is no more.
fn end(process: Identity) {
    let Some(watch) = process.watch() else { return };
    process.kill();
    let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
    let _ = poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&patience));
}

fn bind(service: &Service) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(service.listen).map_err(|e| listen_error(service, e))?;
    // The standard library's queue of 128 is soon full when a gateway is started again.
    let longer = rustix::net::listen(&listener, BACKLOG);
    longer.map_err(|errno| listen_error(service, errno.into()))?;
    Ok(listener)
}

fn listen_error(service: &Service, source: std::io::Error) -> Error {
    Error::Listen { service: service.name.clone(), address: service.listen, source }
}
