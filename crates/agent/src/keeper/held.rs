//! What a keeper holds for its fleet: the right to keep it, and its listening sockets.

use std::fs::{self, Metadata};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seaworthy_core::fleet::{Fleet, Service};

use super::children::Children;
use crate::agent::could_take_up;
use crate::directory::{self, Directory, Lock};
use crate::messages::{Child, Setup};
use crate::processes::{Identity, Marked, of_fleet};
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
            Some(lock) => lock,
            None => lock_alone(directory)?,
        };
        let mut sockets: Vec<(String, TcpListener)> =
            setup.sockets.into_iter().zip(descriptors.map(TcpListener::from)).collect();
        let fleet = match setup.fleet {
            Some(fleet) => fleet,
            None => directory::read(&directory.fleet())?
                .ok_or_else(|| Error::Nothing { path: directory.path().to_owned() })?,
        };
        if resumed || setup.tied {
            return Ok((Self::listen(directory, lock, fleet, sockets)?, children));
        }
        // Whoever decides goes last, when it is certain that another one can follow.
        could_take_up(directory)?;
        let parts = of_fleet(directory.path());
        if !parts.is_empty() {
            directory::write(&directory.fleet(), &fleet)?;
        }
        sockets.extend(handed_over(directory, &of_part(&parts, "gateway"), &mut children));
        let held = Self::listen(directory, lock, fleet, sockets)?;
        of_part(&parts, "agent").into_iter().for_each(end);
        Ok((held, children))
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

/// The right to keep the fleet of `directory`, which nobody else has, not even in a directory that was
/// there before this one.
fn lock_alone(directory: &Directory) -> Result<Lock, Error> {
    let path = directory.path().to_owned();
    let keepers = || of_part(&of_fleet(directory.path()), "keeper");
    let Some(lock) = directory.lock("lock")? else {
        let keeper = keepers().first().map(|keeper| keeper.pid);
        return Err(Error::Kept { path, keeper });
    };
    match keepers().into_iter().find(|keeper| has_another_lock(*keeper, &lock)) {
        Some(keeper) => Err(Error::Deleted { path, keeper: keeper.pid }),
        None => Ok(lock),
    }
}

/// Whether a keeper has the lock of a directory that was deleted or moved away. One that is only just
/// starting has none, or waits in vain for ours.
fn has_another_lock(keeper: Identity, ours: &Lock) -> bool {
    let file = |meta: Metadata| (meta.dev(), meta.ino());
    let ours = ours.0.metadata().map(file).ok();
    let is_lock = |path: &Path| {
        let link = fs::read_link(path).unwrap_or_default();
        link.file_name().is_some_and(|name| name == "lock" || name == "lock (deleted)")
    };
    let open = fs::read_dir(format!("/proc/{}/fd", keeper.pid)).into_iter().flatten().flatten();
    let mut locks = open.map(|entry| entry.path()).filter(|path| is_lock(path));
    locks.any(|path| fs::metadata(path).map(file).ok() != ours)
}

fn of_part(parts: &[Marked], name: &str) -> Vec<Identity> {
    let meant = parts.iter().filter(|marked| marked.part.as_deref() == Some(name));
    meant.map(|marked| marked.identity).collect()
}

/// The sockets of the gateways of a keeper that is no more; they serve until another one does. If there
/// are several, the keeper before may not have told the older ones to retire: all are told, once the new
/// one is ready.
fn handed_over(
    directory: &Directory,
    gateways: &[Identity],
    children: &mut Children,
) -> Vec<(String, TcpListener)> {
    if gateways.is_empty() {
        return Vec::new();
    }
    match handover::take(directory.path(), PATIENCE) {
        Ok(sockets) => {
            for gateway in gateways {
                children.found(*gateway, Child::Gateway);
            }
            sockets
        }
        Err(error) => {
            say(format_args!(
                "keeper: the gateway that runs does not hand over its sockets ({error}): it is ended, and \
                 its clients with it"
            ));
            gateways.iter().copied().for_each(end);
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::process::CommandExt;
    use std::process::{Child as Process, Command, Stdio};
    use std::time::Instant;

    use seaworthy_core::fleet::RawFleet;
    use serde_json::json;

    use super::*;
    use crate::processes::{PART, RUN};

    /// A process that says of itself that it is a part of the fleet of a directory; it ends with the test.
    struct Part(Process);

    impl Part {
        fn of(directory: &Directory, name: &str) -> Self {
            Self::with(directory, name, Stdio::null())
        }

        fn with(directory: &Directory, name: &str, stdin: Stdio) -> Self {
            let mut command = Command::new("sleep");
            command.stdin(stdin);
            command.arg("600").env(RUN, directory.path()).env(PART, name).process_group(0);
            let part = Self(command.spawn().unwrap());
            // The kernel says that it was started a moment before it knows its environment.
            let deadline = Instant::now() + Duration::from_secs(20);
            while !of_fleet(directory.path()).iter().any(|one| one.identity.pid == part.0.id()) {
                assert!(Instant::now() < deadline, "it is not seen");
                std::thread::yield_now();
            }
            part
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Part {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// What a new keeper says that finds a fleet in the directory.
    fn take(directory: &Directory) -> Result<Held, String> {
        let path = directory.path().to_owned();
        let (sockets, children, fleet) = (Vec::new(), None, None);
        let setup = Setup { directory: path, tied: false, fleet, sockets, children };
        let taken = Held::take(directory, setup, Vec::new());
        taken.map(|(held, _)| held).map_err(|error| crate::error::describe(&error))
    }

    #[tokio::test]
    async fn nobody_takes_over_from_a_keeper_that_lives_although_its_directory_was_deleted() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::at(temporary.path()).unwrap();
        let theirs: File = directory.lock("lock").unwrap().unwrap().0;
        let mut parts =
            [Part::of(&directory, "agent"), Part::with(&directory, "keeper", theirs.into())];
        fs::remove_file(directory.path().join("lock")).unwrap();
        let error = take(&directory).err().unwrap();
        let kill = format!("`kill {}`", parts[1].0.id());
        assert!(error.contains("deleted") && error.contains(&kill), "{error}");
        assert!(parts.iter_mut().all(Part::lives));

        // One that is only just starting is not in the way.
        let starting = Part::of(&directory, "keeper");
        parts[1].0.kill().unwrap();
        parts[1].0.wait().unwrap();
        let error = take(&directory).err().unwrap();
        assert!(error.contains("no fleet"), "{error}");

        let _theirs = directory.lock("lock").unwrap();
        let error = take(&directory).err().unwrap();
        let process = format!("(process {})", starting.0.id());
        assert!(error.contains("another keeper") && error.contains(&process), "{error}");
    }

    #[tokio::test]
    async fn an_agent_decides_until_another_one_can_follow() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::at(temporary.path()).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap();
        let raw = json!({ "service": { "s": { "command": ["x"], "listen": listen } } });
        let raw: RawFleet = serde_json::from_value(raw).unwrap();
        directory::write(&directory.fleet(), &Fleet::try_from(raw).unwrap()).unwrap();
        let mut agent = Part::of(&directory, "agent");
        let mut refused = |why: &str| {
            let error = take(&directory).err().unwrap();
            assert!(error.contains(why) && agent.lives(), "{error}");
        };

        fs::write(directory.state(), "{ by hand").unwrap();
        refused("state.json");
        fs::remove_file(directory.state()).unwrap();
        // Nothing can be written in the place of the new file, as on a full disk.
        let new = directory.path().join("fleet.json.new");
        fs::create_dir(&new).unwrap();
        refused("fleet.json: cannot be written");
        fs::remove_dir(new).unwrap();
        refused(&listen.to_string());
        drop(taken);
        take(&directory).unwrap();
        assert!(!agent.lives());
    }
}
