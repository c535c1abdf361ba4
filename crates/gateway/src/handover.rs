//! Our listening sockets, for a keeper that has none because the last one was killed.
//!
//! Whoever connects to `gateway.sock` in the run directory is sent all of them at once, with a line
//! of JSON that says to which services they belong: `{"services":["a","b"]}`.

use std::convert::Infallible;
use std::fs;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdStream};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, fchmod, renameat};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, bind, listen, sendmsg, socket_with,
};
use serde_json::json;
use tokio::net::UnixListener;

use crate::say::say;

/// In the run directory. Whoever bound it last has it: nobody removes it, so that no gateway that
/// ends takes away the one of its successor.
const NAME: &str = "gateway.sock";
/// So many may wait for their answer.
const BACKLOG: i32 = 16;
/// After a failure to accept, such as too many open files, this much is waited.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets, and where they are handed over.
pub(crate) struct Handover {
    listener: UnixListener,
    sockets: Vec<StdListener>,
    line: Vec<u8>,
}

// === impl Handover ===

impl Handover {
    /// Hands over these sockets of services in this directory.
    pub(crate) fn at(directory: &Path, sockets: Vec<(String, StdListener)>) -> io::Result<Self> {
        let (services, sockets): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        let mut line = serde_json::to_vec(&json!({ "services": services }))?;
        line.push(b'\n');
        let listener = UnixListener::from_std(StdUnixListener::from(listen_in(directory)?))?;
        Ok(Self { listener, sockets, line })
    }

    /// Does so for everyone who comes.
    pub(crate) async fn serve(&self) -> Infallible {
        loop {
            let taken = self.listener.accept().await.and_then(|(client, _)| client.into_std());
            if let Err(error) = taken.and_then(|client| self.give(&client)) {
                say!("the listening sockets cannot be handed over: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// All at once: there is room for it, or it is not meant to be waited for.
    fn give(&self, client: &StdStream) -> io::Result<()> {
        let sockets: Vec<_> = self.sockets.iter().map(AsFd::as_fd).collect();
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(sockets.len()))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = sendmsg(client, &[IoSlice::new(&self.line)], &mut ancillary, flags)?;
        if sent == self.line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// A listening socket in `directory` that nobody but our own user can reach. It takes the name of the
/// last one at once, so that there is no moment without any.
fn listen_in(directory: &Path) -> io::Result<OwnedFd> {
    let directory = fs::File::open(directory)?;
    let new = format!("{NAME}.{}", std::process::id());
    // The way to it may be longer than an address may be.
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{new}", directory.as_raw_fd()))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // What the socket may, its file may from the beginning.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    // Of an earlier process of this number.
    let _ = rustix::fs::unlinkat(&directory, &new, rustix::fs::AtFlags::empty());
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    renameat(&directory, &new, &directory, NAME)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    use super::*;

    /// Nobody else is to see who asks for what, and a path may be long.
    #[tokio::test]
    async fn its_file_is_ours_alone_and_takes_the_place_of_an_older_one() {
        let top = tempfile::tempdir().unwrap();
        let directory = top.path().join("long".repeat(40));
        fs::create_dir(&directory).unwrap();
        let path = directory.join(NAME);
        fs::write(&path, "stale").unwrap();
        let mut inodes = Vec::new();
        let both: Vec<_> = (0..2)
            .map(|_| {
                let handover = Handover::at(&directory, Vec::new()).unwrap();
                let file = fs::metadata(&path).unwrap();
                assert!(file.file_type().is_socket());
                assert_eq!(file.mode() & 0o777, 0o600);
                inodes.push(file.ino());
                handover
            })
            .collect();
        assert_ne!(inodes[0], inodes[1]);
        drop(both);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inodes[1]);
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            1,
            "nothing is left of the way there"
        );
    }
}
