//! The link to the agent: a datagram each way.
//!
//! The agent may be gone for as long as it likes, and another one may take its place: whatever cannot
//! be said or heard now ends nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

use seaworthy_core::endpoints::{About, Endpoints, HEARTBEAT, Sightings};
use tokio::net::UnixDatagram;

use crate::clock::now;
use crate::gateway::Gateway;
use crate::say::say;
use crate::service::Service;

/// With every so many heartbeats the agent hears of us without news as well: it looks at the load once a
/// second, and silence is no load.
const SIGN_OF_LIFE: u32 = 5;
/// Larger than the endpoints of a hundred tasks.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Our end of the link.
pub(crate) struct Link {
    socket: UnixDatagram,
    /// Another gateway speaks now.
    silent: AtomicBool,
    /// Something was wrong, and was said.
    troubled: AtomicBool,
}

// === impl Link ===

impl Link {
    /// Our end is `socket`.
    pub(crate) fn new(socket: StdDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UnixDatagram::from_std(socket)?,
            silent: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
        })
    }

    /// From now on nothing is said any more.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Says what is seen of a service's tasks. What cannot be told now is told with the next
    /// heartbeat: a snapshot is always whole.
    pub(crate) fn report(&self, service: &Service) {
        self.tell(service, &service.sightings());
    }

    /// Whether that could be told.
    fn tell(&self, service: &Service, snapshot: &Sightings) -> bool {
        if self.silent.load(Ordering::Relaxed) {
            return false;
        }
        let snapshot = Sightings { at: Some(now()), ..snapshot.clone() };
        let about = About { service: service.config.name.clone(), snapshot };
        let bytes = serde_json::to_vec(&about).expect("sightings are plain data");
        self.note("cannot be told", self.socket.try_send(&bytes)).is_some()
    }

    /// Takes the agent's word, and keeps it informed.
    pub(crate) async fn follow(&self, gateway: &Gateway) -> Infallible {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        // By door, what was told since the last sign of life.
        let (mut told, mut beats) = (BTreeMap::new(), 0_u32);
        let mut buffer = vec![0; LONGEST_MESSAGE];
        // After a failure to listen the next heartbeat comes first, so that none is too much.
        let mut listens = true;
        loop {
            tokio::select! {
                received = self.socket.recv(&mut buffer), if listens => {
                    match self.note("cannot be heard", received) {
                        Some(length) => self.take(gateway, &buffer[..length]),
                        None => listens = false,
                    }
                }
                _ = heartbeat.tick() => {
                    listens = true;
                    beats = (beats + 1) % SIGN_OF_LIFE;
                    if beats == 0 {
                        told.clear();
                    }
                    for door in gateway.doors() {
                        let (service, number) = (door.service(), door.number);
                        let seen = service.sightings();
                        if told.get(&number) != Some(&seen) && self.tell(&service, &seen) {
                            told.insert(number, seen);
                        }
                    }
                }
            }
        }
    }

    fn take(&self, gateway: &Gateway, message: &[u8]) {
        let about: About<Endpoints> = match serde_json::from_slice(message) {
            Ok(about) => about,
            // Requests go on by what is known.
            Err(error) => return say!("the agent said no endpoints: {error}"),
        };
        match gateway.doors().iter().find(|door| door.name == about.service) {
            Some(door) => {
                door.endpoints(&about.snapshot);
                self.report(&door.service());
            }
            None => say!("the agent speaks of `{}`, which nobody knows", about.service),
        }
    }

    /// What came of it. An agent that is busy or gone is no trouble; what else is wrong is said once.
    fn note<T>(&self, what: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.troubled.store(false, Ordering::Relaxed);
                return Some(value);
            }
            Err(error) if is_absence(&error) => {}
            Err(error) => {
                if !self.troubled.swap(true, Ordering::Relaxed) {
                    say!("the agent {what}: {error}");
                }
            }
        }
        None
    }
}

/// Nobody is there just now, or is too busy.
fn is_absence(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected, WouldBlock};
    let kinds = [WouldBlock, ConnectionRefused, ConnectionReset, NotConnected, BrokenPipe];
    kinds.contains(&error.kind())
}
