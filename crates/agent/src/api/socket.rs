//! The agent's Unix sockets: in the state directory, for its owner alone.
//!
//! A socket's whole path may not be longer than 107 bytes, and a state directory's own may well be. So
//! the directory is opened, and the socket is named by that: `/proc/self/fd/N/agent.sock`.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::net::{UnixListener, UnixStream};

/// What the API's is called. It is removed at the end of a fleet, so that whoever waits for that sees it.
pub const NAME: &str = "agent.sock";
/// Connections that are not yet taken.
const WAITING: i32 = 128;

/// Listens in `directory` as `name`, in the place of whoever listened there before: that only one does
/// is up to whoever calls.
pub fn listen_in(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let (directory, new) = within(directory, &format!("{name}.new"))?;
    let _ = fs::remove_file(&new);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(&new)?)?;
    // Before anybody can connect; and under its name it is only ever as it should be.
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    listen(&socket, WAITING)?;
    fs::rename(&new, place(&directory, name))?;
    UnixListener::from_std(StdListener::from(socket))
}

/// Connects to whoever listens in `directory` as `name`.
pub(crate) async fn connect_in(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let (_directory, path) = within(directory, name)?;
    UnixStream::connect(path).await
}

fn within(directory: &Path, name: &str) -> io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty())?;
    let path = place(&directory, name);
    Ok((directory, path))
}

fn place(directory: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}
