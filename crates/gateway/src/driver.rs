//! The gateway's own thread: time, health checks, and the link to the agent.

use std::io::ErrorKind::{ConnectionRefused, WouldBlock};
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::endpoints::{About, Endpoints};
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;

use crate::Error;
use crate::checks;
use crate::gateway::Gateway;
use crate::metrics::Decisions;
use crate::service::{Chore, Service};

/// The agent hears of us at least so often. Every decision is told at once; this is for requests in
/// flight, which a task that drains waits for.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Larger than the endpoints of a hundred tasks.
const LONGEST_MESSAGE: usize = 64 << 10;

/// The link to the agent.
pub(crate) type Agent = Arc<UnixDatagram>;

/// Takes the agent's word, and keeps it informed.
pub(crate) async fn link(gateway: Arc<Gateway>, agent: Agent) -> Result<(), Error> {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut buffer = vec![0; LONGEST_MESSAGE];
    loop {
        tokio::select! {
            received = agent.recv(&mut buffer) => {
                let length = received.map_err(|error| Error::System("link to the agent", error))?;
                match serde_json::from_slice::<About<Endpoints>>(&buffer[..length]) {
                    Ok(about) => take(&gateway, &about, &agent),
                    // Requests go on by what is known.
                    Err(error) => eprintln!("gateway: the agent said no endpoints: {error}"),
                }
            }
            _ = heartbeat.tick() => {
                gateway.doors().iter().for_each(|door| report(&door.service(), &agent));
            }
        }
    }
}

fn take(gateway: &Gateway, about: &About<Endpoints>, agent: &UnixDatagram) {
    match gateway.doors().iter().find(|door| door.name == about.service) {
        Some(door) => {
            door.endpoints(&about.snapshot);
            report(&door.service(), agent);
        }
        None => eprintln!("gateway: the agent speaks of `{}`, which nobody knows", about.service),
    }
}

/// Does what one service wants done, when it is due.
pub(crate) async fn serve(service: Arc<Service>, gateway: Arc<Gateway>, agent: Option<Agent>) {
    loop {
        service.due().await;
        let decided = carry_out(&service, &gateway.decisions);
        if let (true, Some(agent)) = (decided, &agent) {
            report(&service, agent);
        }
    }
}

/// Has `driver` go on with a service that serves no new requests until its last one is over.
pub(crate) async fn retire(service: Arc<Service>, driver: JoinHandle<()>) {
    let waited_for = Arc::downgrade(&service);
    drop(service);
    // The driver's own is left.
    while waited_for.strong_count() > 1 {
        tokio::time::sleep(HEARTBEAT).await;
    }
    driver.abort();
}

/// Does what is due; true if a decision was taken.
fn carry_out(service: &Arc<Service>, decisions: &Decisions) -> bool {
    let mut decided = false;
    for chore in service.tick() {
        match chore {
            Chore::Record(record) => {
                let name = &service.config.name;
                eprintln!("gateway: {name}: {record}");
                decisions.add(name, &record);
                decided = true;
            }
            Chore::Probe { probe, address, deadline } => {
                let service = Arc::clone(service);
                tokio::spawn(async move {
                    let check = &service.config.health.check;
                    let result = checks::probe(address, check, deadline).await;
                    service.probed(probe, result);
                });
            }
        }
    }
    decided
}

/// What cannot be told now is told with the next heartbeat: a snapshot is always whole.
fn report(service: &Service, agent: &UnixDatagram) {
    let about = About { service: service.config.name.clone(), snapshot: service.sightings() };
    let bytes = serde_json::to_vec(&about).expect("sightings are plain data");
    match agent.try_send(&bytes) {
        Ok(_) => {}
        // It is busy, or it is not there: it may come back.
        Err(error) if matches!(error.kind(), WouldBlock | ConnectionRefused) => {}
        Err(error) => eprintln!("gateway: the agent cannot be told: {error}"),
    }
}
