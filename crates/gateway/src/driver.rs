//! Time and health checks of one service, on the gateway's own thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::checks;
use crate::door::Door;
use crate::gateway::Gateway;
use crate::link::Link;
use crate::metrics::Decisions;
use crate::say::say;
use crate::service::{Chore, Service};

/// Whether a service's last request is over is looked at so often.
const PAUSE: Duration = Duration::from_millis(100);

/// Does what one service wants done, when it is due.
pub(crate) async fn serve(service: Arc<Service>, gateway: Arc<Gateway>, agent: Option<Arc<Link>>) {
    loop {
        service.due().await;
        let decided = carry_out(&service, &gateway.decisions);
        if let (true, Some(agent)) = (decided, &agent) {
            agent.report(&service);
        }
    }
}

/// Has `driver` go on with a service that serves no new requests until its last one is over. What it
/// has counted is then its door's, if that goes on.
pub(crate) async fn retire(service: Arc<Service>, driver: JoinHandle<()>, door: Option<Arc<Door>>) {
    let waited_for = Arc::downgrade(&service);
    drop(service);
    // The driver's own is left.
    while waited_for.strong_count() > 1 {
        tokio::time::sleep(PAUSE).await;
    }
    if let (Some(service), Some(door)) = (waited_for.upgrade(), door) {
        door.keep_counts(&service);
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
                say!("{name}: {record}");
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
