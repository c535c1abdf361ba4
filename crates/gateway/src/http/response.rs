//! An answer's head: read, judged, and rewritten for the client.

use std::mem::MaybeUninit;

use httparse::Status;
use seaworthy_core::endpoints::TaskId;

use super::body::Framing;
use super::fields::{self, Kind, Options, TASK};
use super::request::Request;
use super::{Fault, LONGEST_RESPONSE_HEAD, MOST_FIELDS};

/// What matters of an answer to those who carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Bytes of its head.
    pub(crate) length: usize,
    /// Its status.
    pub(crate) status: u16,
    /// Where its body ends.
    pub(crate) framing: Framing,
    /// Another answer comes after it.
    pub(crate) interim: bool,
    /// The task takes more requests on this connection.
    pub(crate) keep_alive: bool,
    /// The client can send more on its connection after this answer.
    pub(crate) client_keep_alive: bool,
    /// The client does not know chunks: only the data is for it.
    pub(crate) unwrap_chunks: bool,
}

/// Reads a head at the beginning of `input` and writes what the client is to get to `out`; none if
/// it has not come whole.
pub(crate) fn read(
    input: &[u8],
    request: &Request,
    task: TaskId,
    out: &mut Vec<u8>,
) -> Result<Option<Response>, Fault> {
    let mut fields = [MaybeUninit::uninit(); MOST_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut head,
        input,
        &mut fields,
    );
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= LONGEST_RESPONSE_HEAD => length,
        Ok(Status::Partial) if input.len() < LONGEST_RESPONSE_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Fault::HeadTooLarge),
        Err(_) => return Err(Fault::Malformed("the head of the answer is malformed")),
    };
    let response = judge(&head, length, request)?;
    out.clear();
    rewrite(&head, &response, request, task, out);
    Ok(Some(response))
}

fn judge(
    head: &httparse::Response<'_, '_>,
    length: usize,
    request: &Request,
) -> Result<Response, Fault> {
    let status = head.code.expect("it was parsed");
    let declared = fields::framing(head.headers)?;
    let interim = (100..200).contains(&status);
    if status == 101 {
        return Err(Fault::Malformed("the task changes to a protocol nobody asked for"));
    }
    let no_body = request.head_only || interim || matches!(status, 204 | 304);
    let framing = if no_body { Framing::None } else { declared.unwrap_or(Framing::UntilClose) };
    let options = Options::of(head.headers);
    let http_11 = head.version == Some(1);
    let unwrap_chunks = framing == Framing::Chunked && !request.http_11;
    let until_close = framing == Framing::UntilClose;
    Ok(Response {
        length,
        status,
        framing,
        interim,
        keep_alive: !until_close && !options.close && (http_11 || options.keep_alive),
        client_keep_alive: request.keep_alive && !until_close && !unwrap_chunks,
        unwrap_chunks,
    })
}

fn rewrite(
    head: &httparse::Response<'_, '_>,
    response: &Response,
    request: &Request,
    task: TaskId,
    out: &mut Vec<u8>,
) {
    let options = Options::of(head.headers);
    let (mut names_task, mut declared) = (false, None);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(response.status.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.reason.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for field in head.headers.iter() {
        let kind = Kind::of(field.name);
        match kind {
            Kind::Connection | Kind::HopByHop => {}
            Kind::ContentLength | Kind::TransferEncoding => declared = Some(field),
            _ if options.name(head.headers, field.name) => {}
            _ => {
                names_task |= kind == Kind::Task;
                fields::write(out, field.name, field.value);
            }
        }
    }
    // An answer without a body may still say how long it would be.
    let says_length = !response.interim && response.status != 204 && !response.unwrap_chunks;
    if let Some(field) = declared.filter(|_| says_length) {
        fields::write(out, field.name, field.value);
    }
    if !response.interim {
        if !names_task {
            fields::write(out, TASK, task.to_string().as_bytes());
        }
        write_connection(out, response.client_keep_alive, request);
    }
    out.extend_from_slice(b"\r\n");
}

/// Says whether the connection goes on, where the version does not say it already.
pub(super) fn write_connection(out: &mut Vec<u8>, keep_alive: bool, request: &Request) {
    match (keep_alive, request.http_11) {
        (true, true) => {}
        (true, false) => fields::write(out, "Connection", b"keep-alive"),
        (false, _) => fields::write(out, "Connection", b"close"),
    }
}
