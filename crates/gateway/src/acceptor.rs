//! Takes clients in and gives each to the worker that has the fewest.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;

use crate::worker::Handle;

/// More clients than this wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 20_000;
/// Open files that are not for clients and their requests: kept connections, checks.
const RESERVED_FILES: u64 = 500;
/// After a failure to accept, such as too many open files, this much is waited.
const PAUSE: Duration = Duration::from_millis(20);

/// Accepts for ever, for the service at this place.
pub(crate) async fn run(
    listener: TcpListener,
    service: usize,
    workers: Arc<[Handle]>,
) -> Infallible {
    let most = most_connections(getrlimit(Resource::Nofile).current);
    let mut told = false;
    loop {
        let all: usize = workers.iter().map(Handle::connections).sum();
        if all >= most {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        match listener.accept().await.and_then(|(client, _)| client.into_std()) {
            Ok(client) => {
                let worker = workers.iter().min_by_key(|worker| worker.connections());
                worker.expect("there is at least one worker").give(client, service);
                told = false;
            }
            Err(error) if is_the_client_s(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("gateway: a client cannot be accepted: {error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Each client may need a connection to a task, too: if it could not be opened for want of a file,
/// that would look like the task's fault.
fn most_connections(open_files: Option<u64>) -> usize {
    let allowed = open_files.map_or(u64::MAX, |files| files.saturating_sub(RESERVED_FILES) / 2);
    usize::try_from(allowed).map_or(MOST_CONNECTIONS, |allowed| allowed.clamp(1, MOST_CONNECTIONS))
}

/// The client went away before it was accepted: nothing is wrong with us.
fn is_the_client_s(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_may_need_two_files() {
        let most = [None, Some(1 << 20), Some(20_000), Some(1024), Some(64)].map(most_connections);
        assert_eq!(most, [20_000, 20_000, 9_750, 262, 1]);
    }
}
