//! Descriptors that go from one process to another: a line of text, and sockets beside it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Resource, getrlimit};

const ROOM: u64 = 65_536;

/// So many go with one line; Linux allows 253.
const MOST: usize = 250;

/// Has the kernel make room for as many open files as this process may have, up to 65,536, as the gateway does: whoever
/// opens one when there is none left waits for 10 to 20 ms. If that cannot be, it waits.
pub fn make_room() {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(ROOM).min(ROOM);
    let _ = fcntl_dupfd_cloexec(io::stderr(), files.saturating_sub(1) as i32);
}

/// Sends all of `text`, and `descriptors` with its first bytes.
pub(crate) fn send(to: impl AsFd, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other(format!("more than {MOST} descriptors cannot be sent")));
    }
    let mut sent = sendmsg(&to, &[IoSlice::new(text)], &mut ancillary, SendFlags::NOSIGNAL)?;
    while sent < text.len() {
        sent += rustix::net::send(&to, &text[sent..], SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// A line, without its end, and what came with it. The line is empty if the other end is gone.
pub(crate) fn receive_line(from: impl AsFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut line, mut descriptors) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 << 10];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    while line.last() != Some(&b'\n') {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let received = recvmsg(&from, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                descriptors.extend(sockets);
            }
        }
        if received.bytes == 0 {
            break;
        }
        line.extend_from_slice(&buffer[..received.bytes]);
    }
    line.truncate(line.len() - usize::from(line.last() == Some(&b'\n')));
    Ok((line, descriptors))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_long_line_and_its_sockets_arrive() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut text = vec![b'x'; 300_000];
        text.push(b'\n');
        let sender = std::thread::spawn(move || send(&ours, &text, &[listener.as_fd()]).unwrap());
        let (line, descriptors) = receive_line(&theirs).unwrap();
        sender.join().unwrap();
        assert_eq!((line.len(), descriptors.len()), (300_000, 1));
        let listener = TcpListener::from(descriptors.into_iter().next().unwrap());
        assert!(listener.local_addr().is_ok());
        assert!(receive_line(&theirs).unwrap().0.is_empty(), "nobody is there any more");
    }
}
