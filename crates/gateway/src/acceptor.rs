//! Takes clients in and gives each to the worker that has the fewest.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::worker::Handle;

/// More clients than this wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 20_000;
/// After a failure to accept, such as too many open files, this much is waited.
const PAUSE: Duration = Duration::from_millis(20);

/// Accepts for ever.
pub(crate) async fn run(listener: TcpListener, workers: Vec<Handle>) -> Infallible {
    let mut told = false;
    loop {
        let all: usize = workers.iter().map(Handle::connections).sum();
        if all >= MOST_CONNECTIONS {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        match listener.accept().await.and_then(|(client, _)| client.into_std()) {
            Ok(client) => {
                let worker = workers.iter().min_by_key(|worker| worker.connections());
                worker.expect("there is at least one worker").give(client);
            }
            Err(error) => {
                if !std::mem::replace(&mut told, !is_the_client_s(&error)) {
                    eprintln!("gateway: a client cannot be accepted: {error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The client went away before it was accepted: nothing is wrong with us.
fn is_the_client_s(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
