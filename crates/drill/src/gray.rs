//! Makes tasks go on badly, proves it, and mends them when it is over, however that comes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
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

/// By how many faults each process is to stand still.
pub(crate) type Holds = Arc<Mutex<HashMap<Identity, u32>>>;

/// A process that stands still until this is dropped, and as long as another one holds it.
struct Stopped {
    process: Identity,
    holds: Holds,
}

/// Does `fault` to all victims until it is `over`. Says whether it has taken effect on each.
pub(crate) async fn disturb(
    fault: TaskFault,
    victims: Vec<Victim>,
    holds: Holds,
    over: oneshot::Receiver<()>,
) -> Result<(), String> {
    if victims.is_empty() {
        return Err("there was no such task in rotation".to_owned());
    }
    match fault {
        TaskFault::Hang => hang(&victims, &holds, over).await,
        _ => disturb_the_way(fault, &victims, over).await,
    }
}

async fn hang(
    victims: &[Victim],
    holds: &Holds,
    over: oneshot::Receiver<()>,
) -> Result<(), String> {
    let stopped: Option<Vec<Stopped>> =
        victims.iter().map(|victim| Stopped::stop(victim.process, holds)).collect();
    let stopped = stopped.ok_or("a process that it was meant for had ended by itself")?;
    let all_stand_still = async {
        while !stopped.iter().all(|stopped| stopped.process.is_stopped()) {
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
    fn stop(process: Identity, holds: &Holds) -> Option<Self> {
        let mut held = holds.lock().unwrap_or_else(PoisonError::into_inner);
        process.stop().then(|| {
            *held.entry(process).or_default() += 1;
            Self { process, holds: Arc::clone(holds) }
        })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let mut held = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.get_mut(&self.process).expect("it was held");
        *left -= 1;
        if *left == 0 {
            held.remove(&self.process);
            // It may have been killed meanwhile.
            self.process.go_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use super::*;

    /// Ends with the test, however that ends.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_process_goes_on_when_nobody_holds_it_any_more() {
        let running = Running(Command::new("sleep").arg("60").process_group(0).spawn().unwrap());
        let process = Identity::of(running.0.id()).unwrap();
        let holds = Holds::default();
        let stopped_within = |stopped: bool| {
            let until = std::time::Instant::now() + STOP_PATIENCE;
            while process.is_stopped() != stopped && std::time::Instant::now() < until {
                std::thread::yield_now();
            }
            process.is_stopped() == stopped
        };
        let [first, second] = [0; 2].map(|_| Stopped::stop(process, &holds).unwrap());
        assert!(stopped_within(true));
        drop(first);
        assert_eq!(holds.lock().unwrap().get(&process), Some(&1));
        assert!(process.is_stopped());
        drop(second);
        assert!(stopped_within(false) && holds.lock().unwrap().is_empty());
    }
}
