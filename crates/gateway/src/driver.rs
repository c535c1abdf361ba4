//! The gateway's own thread: time, health checks, and the link to the agent.

use std::io::ErrorKind::{ConnectionRefused, WouldBlock};
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::endpoints::{About, Endpoints};
use tokio::net::UnixDatagram;
use tokio::task::JoinSet;

use crate::Error;
use crate::checks;
use crate::service::{Chore, Service};

/// The agent hears of us at least so often. Every decision is told at once; this is for requests in
/// flight, which a task that drains waits for.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Larger than the endpoints of a hundred tasks.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Does what the services want done, and keeps the agent informed.
pub(crate) async fn run(services: Vec<Arc<Service>>, agent: UnixDatagram) -> Result<(), Error> {
    let agent = Arc::new(agent);
    // Dropped, it ends them.
    let mut due = JoinSet::new();
    for service in &services {
        due.spawn(serve(Arc::clone(service), Arc::clone(&agent)));
    }
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut buffer = vec![0; LONGEST_MESSAGE];
    loop {
        tokio::select! {
            received = agent.recv(&mut buffer) => {
                let length = received.map_err(|error| Error::System("link to the agent", error))?;
                match serde_json::from_slice::<About<Endpoints>>(&buffer[..length]) {
                    Ok(about) => take(&services, about, &agent),
                    // Requests go on by what is known.
                    Err(error) => eprintln!("gateway: the agent said no endpoints: {error}"),
                }
            }
            _ = heartbeat.tick() => services.iter().for_each(|service| report(service, &agent)),
        }
    }
}

fn take(services: &[Arc<Service>], about: About<Endpoints>, agent: &UnixDatagram) {
    match services.iter().find(|service| service.config.name == about.service) {
        Some(service) => {
            service.endpoints(about.snapshot);
            report(service, agent);
        }
        None => eprintln!("gateway: the agent speaks of `{}`, which nobody knows", about.service),
    }
}

/// Does what one service wants done, when it is due.
async fn serve(service: Arc<Service>, agent: Arc<UnixDatagram>) {
    loop {
        service.due().await;
        if carry_out(&service) {
            report(&service, &agent);
        }
    }
}

/// Does what is due; true if a decision was taken.
fn carry_out(service: &Arc<Service>) -> bool {
    let mut decided = false;
    for chore in service.tick() {
        match chore {
            Chore::Record(record) => {
                eprintln!("gateway: {}: {record}", service.config.name);
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
