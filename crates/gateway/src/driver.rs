//! The gateway's own thread: time, health checks, and the link to the agent.

use std::io::ErrorKind::{ConnectionRefused, WouldBlock};
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::endpoints::Endpoints;
use tokio::net::UnixDatagram;

use crate::Error;
use crate::checks;
use crate::service::{Chore, Service};

/// The agent hears of us at least so often. Every decision is told at once; this is for requests in
/// flight, which a task that drains waits for.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Larger than the endpoints of a hundred tasks.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Does what the service wants done, and keeps the agent informed.
pub(crate) async fn run(
    service: Arc<Service>,
    path: Arc<str>,
    agent: UnixDatagram,
) -> Result<(), Error> {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut buffer = vec![0; LONGEST_MESSAGE];
    loop {
        tokio::select! {
            () = service.due() => {
                if carry_out(&service, &path) {
                    report(&service, &agent);
                }
            }
            received = agent.recv(&mut buffer) => {
                let length = received.map_err(|error| Error::System("link to the agent", error))?;
                match serde_json::from_slice::<Endpoints>(&buffer[..length]) {
                    Ok(endpoints) => service.endpoints(endpoints),
                    // Requests go on by what is known.
                    Err(error) => eprintln!("gateway: the agent said no endpoints: {error}"),
                }
                report(&service, &agent);
            }
            _ = heartbeat.tick() => report(&service, &agent),
        }
    }
}

/// Does what is due; true if a decision was taken.
fn carry_out(service: &Arc<Service>, path: &Arc<str>) -> bool {
    let mut decided = false;
    for chore in service.tick() {
        match chore {
            Chore::Record(record) => {
                eprintln!("gateway: {record}");
                decided = true;
            }
            Chore::Probe { probe, address, deadline } => {
                let (service, path) = (Arc::clone(service), Arc::clone(path));
                tokio::spawn(async move {
                    let result = checks::probe(address, &path, deadline).await;
                    service.probed(probe, result);
                });
            }
        }
    }
    decided
}

/// What cannot be told now is told with the next heartbeat: a snapshot is always whole.
fn report(service: &Service, agent: &UnixDatagram) {
    let bytes = serde_json::to_vec(&service.sightings()).expect("sightings are plain data");
    match agent.try_send(&bytes) {
        Ok(_) => {}
        // It is busy, or it is not there: it may come back.
        Err(error) if matches!(error.kind(), WouldBlock | ConnectionRefused) => {}
        Err(error) => eprintln!("gateway: the agent cannot be told: {error}"),
    }
}
