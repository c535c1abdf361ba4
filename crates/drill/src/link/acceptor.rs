//! Takes callers in, as many at a time as there may be.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seaworthy_agent::descriptors::make_room;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use super::control::Control;
use super::conversation;

/// More callers than this wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 4_000;
/// The length of that queue.
const BACKLOG: u32 = 1_024;
/// Open files of the drill that are not the link's: most are connections of the load.
const RESERVED_FILES: u64 = 1_000;
/// After a failure to accept, such as too many open files, this much is waited.
const PAUSE: Duration = Duration::from_millis(20);

/// How many callers there may be at a time. Asks for as many open files as the system allows: if
/// one were missing, it would look like a fault that nobody inflicted.
pub(super) fn most_connections() -> io::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    make_room();
    Ok(most(maximum))
}

/// Each caller needs a connection to the service, too.
fn most(open_files: Option<u64>) -> usize {
    let allowed = open_files.map_or(u64::MAX, |files| files.saturating_sub(RESERVED_FILES) / 2);
    usize::try_from(allowed).map_or(MOST_CONNECTIONS, |allowed| allowed.clamp(1, MOST_CONNECTIONS))
}

/// On this port; 0 asks the kernel for one. To be called within a runtime.
pub(super) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A task that went may have left connections on it.
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

/// Accepts for ever, at most so many at a time. To be called within a local set.
pub(super) async fn run(listener: TcpListener, most: usize, control: Arc<Control>) -> Infallible {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((caller, _)) => {
                let control = control.clone();
                tokio::task::spawn_local(async move {
                    conversation::run(&control, caller).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_may_need_two_files() {
        let most = [None, Some(1 << 20), Some(4_096), Some(64)].map(most);
        assert_eq!(most, [4_000, 4_000, 1_548, 1]);
    }
}
