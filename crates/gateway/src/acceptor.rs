//! Takes clients in by a door and gives each to the worker that has the fewest.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::door::Door;
use crate::gateway::Gateway;
use crate::say::say;

/// More clients than this wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 20_000;
/// Open files that are not for clients and their requests: kept connections, checks.
const RESERVED_FILES: u64 = 500;
/// After a failure to accept, such as too many open files, this much is waited.
const PAUSE: Duration = Duration::from_millis(20);

/// What becomes of the clients that wait to be accepted when nobody is any more. One that the kernel
/// has let in is never turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// They are taken in: there is nobody else.
    TakenIn,
    /// They are left to the others who accept from the same socket.
    Left,
}

/// Accepts until `stop`.
pub(crate) async fn run(
    listener: TcpListener,
    door: Arc<Door>,
    gateway: Arc<Gateway>,
    stop: oneshot::Receiver<Waiting>,
) {
    let waiting = tokio::select! {
        () = accept(&listener, &door, &gateway) => Waiting::TakenIn,
        // Nobody who could say it is as good as said.
        waiting = stop => waiting.unwrap_or(Waiting::TakenIn),
    };
    if waiting == Waiting::Left {
        return;
    }
    // Not through the runtime: it may not know yet that somebody waits.
    if let Ok(listener) = listener.into_std() {
        while let Ok((client, _)) = listener.accept() {
            give(client, &door, &gateway);
        }
    }
}

async fn accept(listener: &TcpListener, door: &Arc<Door>, gateway: &Gateway) {
    let most = most_connections(getrlimit(Resource::Nofile).current);
    let mut told = false;
    loop {
        if gateway.connections() >= most {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        match listener.accept().await.and_then(|(client, _)| client.into_std()) {
            Ok(client) => {
                give(client, door, gateway);
                told = false;
            }
            Err(error) if is_the_client_s(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    say!("a client cannot be accepted: {error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn give(client: TcpStream, door: &Arc<Door>, gateway: &Gateway) {
    door.count();
    let worker = gateway.workers().iter().min_by_key(|worker| worker.connections());
    worker.expect("there is at least one worker").give(client, door);
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
