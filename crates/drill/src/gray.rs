//! Makes tasks go on badly, proves it, and mends them when it is over, however that comes.

use std::path::PathBuf;
use std::time::Duration;

use seaworthy_agent::processes::Identity;
use seaworthy_core::experiment::TaskFault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// Who is stopped stands still within this.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A task that is to go on badly.
pub(crate) struct Victim {
    /// Its process.
    pub(crate) process: Identity,
    /// Where the relay before it is told, if there is one.
    pub(crate) relay: PathBuf,
}

/// A process that stands still until this is dropped.
struct Stopped(Identity);

/// Does `fault` to all victims until it is `over`. Says whether it has taken effect on each.
pub(crate) async fn disturb(
    fault: TaskFault,
    victims: Vec<Victim>,
    over: oneshot::Receiver<()>,
) -> Result<(), String> {
    if victims.is_empty() {
        return Err("there was no such task in rotation".to_owned());
    }
    match fault {
        TaskFault::Hang => hang(&victims, over).await,
        _ => disturb_the_way(fault, &victims, over).await,
    }
}

async fn hang(victims: &[Victim], over: oneshot::Receiver<()>) -> Result<(), String> {
    let stopped: Option<Vec<Stopped>> = victims.iter().map(|v| Stopped::stop(v.process)).collect();
    let stopped = stopped.ok_or("a process that it was meant for had ended by itself")?;
    let all_stand_still = async {
        while !stopped.iter().all(|stopped| stopped.0.is_stopped()) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(STOP_PATIENCE, all_stand_still)
        .await
        .map_err(|_| format!("within {STOP_PATIENCE:?} a process did not stand still"))?;
    // An error tells that it is over, too.
    let _ = over.await;
    Ok(())
}

async fn disturb_the_way(
    fault: TaskFault,
    victims: &[Victim],
    mut over: oneshot::Receiver<()>,
) -> Result<(), String> {
    let line = serde_json::to_string(&fault).expect("it is plain data") + "\n";
    let mut told = Vec::new();
    for victim in victims {
        let relay = tell(victim, &line).await;
        told.push(relay.map_err(|error| format!("a relay could not be told: {error}"))?);
    }
    for relay in &mut told {
        tokio::select! {
            biased;
            met = relay.read_u8() => {
                met.map_err(|_| "a task ended before a request met it".to_owned())?;
            }
            _ = &mut over => return Err("no request met it".to_owned()),
        }
    }
    // It lasts as long as the connections to the relays.
    let _ = over.await;
    Ok(())
}

async fn tell(victim: &Victim, line: &str) -> std::io::Result<UnixStream> {
    let mut relay = UnixStream::connect(&victim.relay).await?;
    relay.write_all(line.as_bytes()).await?;
    Ok(relay)
}

// === impl Stopped ===

impl Stopped {
    /// None if it is not there.
    fn stop(process: Identity) -> Option<Self> {
        process.stop().then_some(Self(process))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        self.0.go_on();
    }
}
