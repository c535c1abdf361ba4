//! An answer of the link's own.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::conversation::make_room;

/// A head must come whole within this, and be no longer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_HEAD: usize = 64 << 10;
/// What the caller still sends is read for so long, so that it gets to see the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// Reads the rest of a request's head, of which `input` has come, answers with `status`, and reads
/// what still comes for a moment: closing with unread input would take the answer away.
pub(super) async fn send(
    caller: &mut TcpStream,
    mut input: BytesMut,
    status: u16,
) -> io::Result<()> {
    timeout(HEAD_TIMEOUT, read_head(caller, &mut input)).await??;
    let answer = format!(
        "HTTP/1.1 {status} Fault of the Link\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    caller.write_all(answer.as_bytes()).await?;
    caller.shutdown().await?;
    timeout(LINGER, drain(caller, input)).await?
}

/// Reads until a head is whole, or longer than heads are.
async fn read_head(caller: &mut TcpStream, input: &mut BytesMut) -> io::Result<()> {
    while input.len() < LONGEST_HEAD && !input.windows(4).any(|end| end == b"\r\n\r\n") {
        make_room(input);
        if caller.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

async fn drain(caller: &mut TcpStream, mut input: BytesMut) -> io::Result<()> {
    let mut bytes = 0;
    while bytes < LINGER_BYTES {
        input.clear();
        make_room(&mut input);
        match caller.read_buf(&mut input).await? {
            0 => break,
            read => bytes += read,
        }
    }
    Ok(())
}
