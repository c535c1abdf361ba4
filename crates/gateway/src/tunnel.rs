//! After a change of protocol: bytes pass both ways, and nobody here knows what they mean.
//!
//! Each way reads no more before what it has read is taken, so whoever is slow slows the other side
//! down. Each way ends by itself, so that one side may still speak when the other has said all.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::worker::{Worker, make_room};

/// What came with the change of protocol, before the tunnel was there.
pub(crate) struct Ahead<'a> {
    /// From the client.
    pub(crate) to_task: &'a [u8],
    /// From the task.
    pub(crate) to_client: &'a [u8],
}

/// Carries bytes until both sides have ended, one is broken, or none has come either way for `idle`
/// (looked at so often, so it may be up to twice as long).
pub(crate) async fn run(
    worker: &Worker,
    client: &mut TcpStream,
    task: &mut TcpStream,
    ahead: Ahead<'_>,
    idle: Duration,
) {
    let active = AtomicBool::new(true);
    let (from_client, to_client) = client.split();
    let (from_task, to_task) = task.split();
    let up = pass(worker, from_client, to_task, ahead.to_task, &active);
    let down = pass(worker, from_task, to_client, ahead.to_client, &active);
    tokio::select! {
        // However it ends, it is over.
        _ = async { tokio::try_join!(up, down) } => {}
        () = silence(&active, idle) => {}
    }
}

async fn pass(
    worker: &Worker,
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    ahead: &[u8],
    active: &AtomicBool,
) -> io::Result<()> {
    to.write_all(ahead).await?;
    loop {
        // Who is silent needs no memory meanwhile.
        from.readable().await?;
        let mut buffer = worker.buffer();
        let read = hand_over(&from, &mut to, &mut buffer, active).await;
        worker.give_back(buffer);
        if !read? {
            return to.shutdown().await;
        }
    }
}

/// Hands over what has come; false if that was all.
async fn hand_over(
    from: &ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    buffer: &mut BytesMut,
    active: &AtomicBool,
) -> io::Result<bool> {
    make_room(buffer);
    match from.try_read_buf(buffer) {
        Ok(0) => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
        Err(error) => return Err(error),
    }
    active.store(true, Ordering::Relaxed);
    to.write_all(buffer).await?;
    active.store(true, Ordering::Relaxed);
    Ok(true)
}

async fn silence(active: &AtomicBool, idle: Duration) {
    while active.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(idle).await;
    }
}
