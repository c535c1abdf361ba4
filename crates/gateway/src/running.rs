//! A gateway at work, for its own thread: what listens, what is driven, and how it ends.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::fleet::{self, Fleet};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::acceptor::Waiting;
use crate::door::Door;
use crate::gateway::Gateway;
use crate::link::Link;
use crate::service::Service;
use crate::worker::Handle;
use crate::{Error, acceptor, driver};

/// The standard library's queue of 128 is soon full when many clients come at once.
const BACKLOG: i32 = 4096;
/// A client that is told with an answer that it is the last one never sends a request in vain. A
/// gateway that retires gives every client so long for one more: all who are in use, and those who
/// have just come.
const PARTING: Duration = Duration::from_secs(2);

/// A gateway at work. Everything in it lives in the runtime of the thread that has it.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    seed: u64,
    agent: Option<Arc<Link>>,
    /// By name.
    open: BTreeMap<String, Open>,
    /// Doors so far.
    doors: u32,
}

/// A service that takes requests.
struct Open {
    door: Arc<Door>,
    driver: JoinHandle<()>,
    acceptor: Acceptor,
    /// The same socket as the acceptor's, for another service that is to listen there.
    spare: StdListener,
}

/// A listening socket that nobody accepts from yet.
pub(crate) struct Bound {
    listener: TcpListener,
    spare: StdListener,
    /// Where it really is.
    pub(crate) address: SocketAddr,
}

struct Acceptor {
    stop: oneshot::Sender<Waiting>,
    ended: JoinHandle<()>,
}

// === impl Running ===

impl Running {
    /// A gateway without services.
    pub(crate) fn start(fleet: &Fleet, agent: Option<Arc<Link>>) -> Result<Self, Error> {
        let gateway = Gateway::start(&fleet.gateway)?;
        Ok(Self { gateway, seed: fleet.seed, agent, open: BTreeMap::new(), doors: 0 })
    }

    /// Who serves under this name.
    pub(crate) fn door(&self, name: &str) -> Option<&Arc<Door>> {
        self.open.get(name).map(|open| &open.door)
    }

    /// One more service, whose clients come to `bound`. `ready` is done before it gets a request.
    pub(crate) fn open(
        &mut self,
        config: fleet::Service,
        bound: Bound,
        ready: impl FnOnce(&Service),
    ) {
        let service = Arc::new(Service::new(config, self.seed));
        ready(&service);
        let driver = self.drive(&service);
        self.doors += 1;
        let door = Arc::new(Door::new(self.doors, service));
        self.gateway.open(Arc::clone(&door));
        let acceptor = self.accept(&door, bound.listener);
        let open = Open { door, driver, acceptor, spare: bound.spare };
        self.open.insert(open.door.name.clone(), open);
    }

    /// The service begins anew with these settings. `ready` is done before it gets a request.
    pub(crate) fn replace(&mut self, config: fleet::Service, ready: impl FnOnce(&Service)) {
        let service = Arc::new(Service::new(config, self.seed));
        ready(&service);
        let driver = self.drive(&service);
        let Some(open) = self.open.get_mut(&service.config.name) else { return };
        let (earlier, its_driver) =
            (open.door.service(), std::mem::replace(&mut open.driver, driver));
        open.door.replace(service);
        let door = Some(Arc::clone(&open.door));
        tokio::spawn(driver::retire(earlier, its_driver, door));
    }

    /// From now on the clients of a service come to `bound`.
    pub(crate) fn move_to(&mut self, name: &str, bound: Bound) {
        let Some(door) = self.door(name).cloned() else { return };
        let acceptor = self.accept(&door, bound.listener);
        if let Some(open) = self.open.get_mut(name) {
            open.spare = bound.spare;
            // It takes in those who wait and ends by itself.
            let _ = std::mem::replace(&mut open.acceptor, acceptor).stop.send(Waiting::TakenIn);
        }
    }

    /// A service takes no more requests; those it has may finish.
    pub(crate) fn close(&mut self, name: &str) {
        let Some(Open { door, driver, acceptor, spare: _ }) = self.open.remove(name) else {
            return;
        };
        let gateway = Arc::clone(&self.gateway);
        tokio::spawn(async move {
            acceptor.end(Waiting::TakenIn).await;
            gateway.close(door.number);
            let service = door.service();
            drop(door);
            driver::retire(service, driver, None).await;
        });
    }

    /// Takes no more clients in, lets those who wait for nothing go, and gives the others so long.
    /// Returns how many were left.
    pub(crate) async fn stop(&mut self, timeout: Duration) -> usize {
        let doors = self.shut(Waiting::TakenIn).await;
        self.leave(&doors, timeout).await
    }

    /// The same for one whose sockets are others' as well: who waits to be let in is left to them, and
    /// whoever is in has a moment for one more request.
    pub(crate) async fn retire(&mut self, timeout: Duration) -> usize {
        let doors = self.shut(Waiting::Left).await;
        self.tell(&doors, Handle::part);
        let parting = PARTING.min(timeout);
        match self.all_gone(parting).await {
            0 => 0,
            _ => self.leave(&doors, timeout.saturating_sub(parting)).await,
        }
    }

    /// Takes no more clients in; returns the numbers of the doors.
    async fn shut(&mut self, waiting: Waiting) -> Vec<u32> {
        self.gateway.stop();
        let mut doors = Vec::new();
        for Open { door, acceptor, spare, .. } in std::mem::take(&mut self.open).into_values() {
            drop(spare);
            acceptor.end(waiting).await;
            doors.push(door.number);
        }
        doors
    }

    async fn leave(&self, doors: &[u32], timeout: Duration) -> usize {
        self.tell(doors, Handle::close);
        self.all_gone(timeout).await
    }

    fn tell(&self, doors: &[u32], word: impl Fn(&Handle, u32)) {
        for worker in self.gateway.workers() {
            for door in doors {
                word(worker, *door);
            }
        }
    }

    /// Waits until no client is left, or so long; returns how many are.
    async fn all_gone(&self, timeout: Duration) -> usize {
        let all_idle = async {
            for worker in self.gateway.workers() {
                worker.idle().await;
            }
        };
        // Those who are left are counted.
        let _ = tokio::time::timeout(timeout, all_idle).await;
        self.gateway.connections()
    }

    /// The listening sockets of all services, for somebody else.
    pub(crate) fn sockets(&self) -> io::Result<Vec<(String, StdListener)>> {
        let socket = |(name, open): (&String, &Open)| Ok((name.clone(), open.spare.try_clone()?));
        self.open.iter().map(socket).collect()
    }

    fn drive(&self, service: &Arc<Service>) -> JoinHandle<()> {
        let (gateway, agent) = (Arc::clone(&self.gateway), self.agent.clone());
        tokio::spawn(driver::serve(Arc::clone(service), gateway, agent))
    }

    fn accept(&self, door: &Arc<Door>, listener: TcpListener) -> Acceptor {
        let (stop, stopped) = oneshot::channel();
        let (door, gateway) = (Arc::clone(door), Arc::clone(&self.gateway));
        let ended = tokio::spawn(acceptor::run(listener, door, gateway, stopped));
        Acceptor { stop, ended }
    }
}

// === impl Acceptor ===

impl Acceptor {
    async fn end(self, waiting: Waiting) {
        // One that has ended by itself need not be told.
        let _ = self.stop.send(waiting);
        let _ = self.ended.await;
    }
}

// === impl Bound ===

impl Bound {
    /// Listens for a service. An address at which another one listens is taken over from it.
    pub(crate) fn at(service: &fleet::Service, running: Option<&Running>) -> Result<Self, Error> {
        let address = service.listen;
        let key = format!("service.{}.listen", service.name);
        let error = |source| Error::Listen { key: key.clone(), address, source };
        let spares = running.iter().flat_map(|running| running.open.values()).map(|o| &o.spare);
        let is_there = |spare: &&StdListener| spare.local_addr().is_ok_and(|at| at == address);
        if let Some(spare) = spares.into_iter().find(is_there) {
            return Self::adopt(spare.try_clone().map_err(error)?);
        }
        let listener = StdListener::bind(address).map_err(error)?;
        rustix::net::listen(&listener, BACKLOG).map_err(|errno| error(errno.into()))?;
        Self::adopt(listener)
    }

    /// Takes a socket that listens already.
    pub(crate) fn adopt(listener: StdListener) -> Result<Self, Error> {
        let system = |error| Error::System("listening socket", error);
        listener.set_nonblocking(true).map_err(system)?;
        Ok(Self {
            address: listener.local_addr().map_err(system)?,
            spare: listener.try_clone().map_err(system)?,
            listener: TcpListener::from_std(listener).map_err(system)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::time::Instant;

    use seaworthy_core::fleet::RawFleet;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Otherwise its checks would go on for ever, beside those of the new one.
    #[tokio::test]
    async fn whoever_does_not_serve_any_more_goes_although_clients_stay() {
        let service = json!({ "targets": ["127.0.0.1:1"], "call": { "timeout": "10ms" } });
        let raw = json!({ "service": { "s": service } });
        let raw: RawFleet = serde_json::from_value(raw).unwrap();
        let fleet = Fleet::of_others(raw).unwrap();
        let mut running = Running::start(&fleet, None).unwrap();
        let service = &fleet.services[0];
        let bound = Bound::at(service, None).unwrap();
        let address = bound.address;
        running.open(service.clone(), bound, |_| {});
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut answer = [0; 12];
        client.write_all(b"GET / HTTP/1.1\r\nHost: s\r\n\r\n").await.unwrap();
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 503", "it has waited for a task");

        let earlier = Arc::downgrade(&running.door("s").unwrap().service());
        running.replace(service.clone(), |_| {});
        gone(&earlier).await;
        let latest = Arc::downgrade(&running.door("s").unwrap().service());
        running.close("s");
        client.read_to_end(&mut Vec::new()).await.unwrap();
        gone(&latest).await;
    }

    async fn gone(service: &Weak<Service>) {
        let begin = Instant::now();
        while service.strong_count() > 0 {
            assert!(begin.elapsed() < PATIENCE, "it never goes");
            tokio::task::yield_now().await;
        }
    }
}
