//! The gateway alone: before tasks that somebody else runs, by a file that can be read again.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use seaworthy_core::endpoints::Sightings;
use seaworthy_core::fleet::reload::{Change, Register, What, changes};
use seaworthy_core::fleet::{self, Fleet};
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

use crate::Error;
use crate::admin::{self, Reload, Serving};
use crate::run::allow_open_files;
use crate::running::{Bound, Running};
use crate::say::say;
use crate::signals::{Stop, watch};

/// How a gateway that was told to stop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request was finished.
    Finished,
    /// The stop timeout was over with so many connections left.
    Cut(usize),
    /// A second signal, with this number, ended it at once.
    AtOnce(i32),
}

/// A gateway alone.
struct Alone<Read> {
    fleet: Fleet,
    /// Reads the file again.
    read: Read,
    register: Register,
    running: Running,
    /// Until all is over.
    admin: Option<Serving>,
}

/// Carries the requests of the services of `fleet`, whose tasks somebody else runs, until SIGTERM or
/// SIGINT. At SIGHUP, and when the admin address is asked to, it does as the file that `read` reads
/// says then.
///
/// Where it listens is said on standard output, what is decided on standard error.
pub fn alone(fleet: Fleet, read: impl FnMut() -> Result<Fleet, String>) -> Result<Ended, Error> {
    allow_open_files();
    let system = |error| Error::System("runtime", error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(async {
        let mut stop = Stop::watch()?;
        let mut hangup = watch(SignalKind::hangup())?;
        let (reloads, mut asked) = mpsc::channel(1);
        let mut alone = Alone::start(fleet, read, reloads)?;
        loop {
            tokio::select! {
                _ = hangup.recv() => drop(alone.reload()),
                Some(answer) = asked.recv() => drop(answer.send(alone.reload())),
                _ = stop.said() => break,
            }
        }
        // Who asks from now on is told that nobody listens.
        drop(asked);
        let timeout = alone.fleet.gateway.stop_timeout;
        Ok(tokio::select! {
            left = alone.running.stop(timeout) => match left {
                0 => Ended::Finished,
                left => Ended::Cut(left),
            },
            signal = stop.said() => Ended::AtOnce(signal),
        })
    })
}

// === impl Alone ===

impl<Read: FnMut() -> Result<Fleet, String>> Alone<Read> {
    /// Listens everywhere, or nowhere if that cannot be.
    fn start(fleet: Fleet, read: Read, reloads: mpsc::Sender<Reload>) -> Result<Self, Error> {
        let admin = fleet.gateway.admin.map(admin::bind).transpose()?;
        let bound = fleet.services.iter().map(|service| Bound::at(service, None));
        let bound = bound.collect::<Result<Vec<_>, _>>()?;
        let running = Running::start(&fleet, None)?;
        let mut alone = Self { fleet, read, register: Register::default(), running, admin: None };
        let services = alone.fleet.services.clone();
        for (service, bound) in services.into_iter().zip(bound) {
            alone.open(service, bound);
        }
        if let Some((listener, address)) = admin {
            listens("admin", address);
            let gateway = Arc::clone(&alone.running.gateway);
            alone.admin = Some(admin::start(listener, gateway, Some(reloads))?);
        }
        Ok(alone)
    }

    /// Reads the file again and does as it says. What is wrong with it leaves all as it was.
    fn reload(&mut self) -> Result<Vec<String>, String> {
        let reloaded = self.try_reload();
        self.running.gateway.reloaded(reloaded.is_ok());
        match &reloaded {
            Ok(changes) => {
                for change in changes {
                    say!("reload: {change}");
                }
            }
            Err(problem) => say!("reload: refused, nothing changes: {problem}"),
        }
        reloaded
    }

    fn try_reload(&mut self) -> Result<Vec<String>, String> {
        let new = (self.read)()?;
        let changes = changes(&self.fleet, &new).map_err(|error| error.to_string())?;
        // All that can fail comes first.
        let bound = self.bind(&changes, &new).map_err(|error| words(&error))?;
        let access = &self.running.gateway.access;
        access.reopen(&new.gateway.access_log).map_err(|error| words(&error))?;
        self.fleet = new;
        let mut told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        if told.is_empty() {
            told.push("no service has changed".to_owned());
        }
        for (change, bound) in changes.iter().zip(bound) {
            self.change(change, bound);
        }
        Ok(told)
    }

    /// The listening sockets that are new, in the order of `changes`.
    fn bind(&self, changes: &[Change], new: &Fleet) -> Result<Vec<Option<Bound>>, Error> {
        let bind = |change: &Change| match new.service(&change.service) {
            Some(service) if change.moves => Bound::at(service, Some(&self.running)).map(Some),
            _ => Ok(None),
        };
        changes.iter().map(bind).collect()
    }

    fn change(&mut self, change: &Change, bound: Option<Bound>) {
        let name = &change.service;
        let (service, door) = (self.fleet.service(name).cloned(), self.running.door(name).cloned());
        match (service, door, bound) {
            (Some(service), Some(door), bound) => {
                let endpoints = self.register.endpoints(&service, &door.sightings());
                if matches!(change.what, What::BeginsAnew) {
                    self.running.replace(service, |new| new.endpoints(endpoints.clone()));
                }
                door.endpoints(&endpoints);
                if let Some(bound) = bound {
                    listens(name, bound.address);
                    self.running.move_to(name, bound);
                }
            }
            (Some(service), None, Some(bound)) => self.open(service, bound),
            _ => {
                self.running.close(name);
                self.register.forget(name);
            }
        }
    }

    fn open(&mut self, service: fleet::Service, bound: Bound) {
        listens(&service.name, bound.address);
        let endpoints = self.register.endpoints(&service, &Sightings::default());
        self.running.open(service, bound, |new| new.endpoints(endpoints));
    }
}

/// An error with all its causes.
fn words(error: &Error) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whoever reads it wants it now: it waits until we listen.
fn listens(who: &str, address: SocketAddr) {
    let mut stdout = io::stdout().lock();
    // Nobody may be reading.
    let _ = writeln!(stdout, "{who} http://{address}").and_then(|()| stdout.flush());
}
