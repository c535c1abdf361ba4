//! An answer's head: read, judged, and rewritten for the client.

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::Status;
use seaworthy_core::endpoints::TaskId;

use super::body::Framing;
use super::fields::{self, Kind, Options, REQUEST_ID, TASK};
use super::request::Request;
use super::{Fault, LONGEST_RESPONSE_HEAD, MOST_RESPONSE_FIELDS};

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
    /// Both connections go on with another protocol.
    pub(crate) upgraded: bool,
    /// The task takes more requests on this connection,
    pub(crate) keep_alive: bool,
    /// and for so long when none comes, if it says so.
    pub(crate) idle_timeout: Option<Duration>,
    /// The client can send more on its connection after this answer.
    pub(crate) client_keep_alive: bool,
    /// The client does not know chunks: only the data is for it.
    pub(crate) unwrap_chunks: bool,
    /// Its task wants no more requests.
    pub(crate) withdraws: bool,
    /// It is good for everybody who asks the same, and may be given when it is stale.
    pub(crate) storable: bool,
}

/// Whose answer it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    /// The task.
    pub(crate) task: TaskId,
    /// The cookie by which the client comes back to it.
    pub(crate) sticky_cookie: Option<&'a str>,
    /// The client's connection may go on, if the answer lets it.
    pub(crate) client_stays: bool,
}

/// What the fields of an answer say, found in one pass.
#[derive(Debug, Default)]
struct Said<'a> {
    options: Options,
    /// Where the body ends, if it is said.
    framing: Option<Framing>,
    /// `Keep-Alive`
    keep_alive: Option<&'a [u8]>,
    /// `X-Seaworthy-Withdraw: true`, as Envoy's `x-envoy-immediate-health-check-fail`.
    withdraws: bool,
    upgrades: usize,
}

/// Reads a head at the beginning of `input` and writes what the client is to get to `out`; none if
/// it has not come whole.
pub(crate) fn read(
    input: &[u8],
    request: &Request,
    from: From<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<Response>, Fault> {
    let mut fields = [MaybeUninit::uninit(); MOST_RESPONSE_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut head,
        input,
        &mut fields,
    );
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= LONGEST_RESPONSE_HEAD => length,
        Ok(Status::Partial) if input.len() < LONGEST_RESPONSE_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Fault::HeadTooLarge(LONGEST_RESPONSE_HEAD, MOST_RESPONSE_FIELDS));
        }
        Err(_) => return Err(Fault::Malformed("the head of the answer is malformed")),
    };
    let said = Said::of(head.headers)?;
    let response = judge(&head, &said, length, request, from.client_stays)?;
    out.clear();
    rewrite(&head, said.options, &response, request, from, out);
    Ok(Some(response))
}

impl<'a> Said<'a> {
    fn of(fields: &'a [httparse::Header<'a>]) -> Result<Self, Fault> {
        let mut said = Self::default();
        let mut connected = false;
        for field in fields {
            match Kind::of(field.name) {
                Kind::Connection => connected = true,
                Kind::KeepAlive => said.keep_alive = said.keep_alive.or(Some(field.value)),
                Kind::Withdraw => said.withdraws |= field.value.eq_ignore_ascii_case(b"true"),
                Kind::Upgrade => said.upgrades += 1,
                kind => fields::frame(&mut said.framing, kind, field.value)?,
            }
        }
        if connected {
            said.options = Options::of(fields)?;
        }
        Ok(said)
    }
}

fn judge(
    head: &httparse::Response<'_, '_>,
    said: &Said<'_>,
    length: usize,
    request: &Request,
    client_stays: bool,
) -> Result<Response, Fault> {
    let status = head.code.expect("it was parsed");
    if status < 100 {
        return Err(Fault::Malformed("the status is below 100"));
    }
    let Said { options, framing: declared, .. } = *said;
    let upgraded = status == 101;
    if upgraded && !(request.upgrade && options.upgrade && said.upgrades == 1) {
        return Err(Fault::Malformed("the task changes to a protocol nobody asked for"));
    }
    let interim = (100..200).contains(&status) && !upgraded;
    let no_body = request.head_only || interim || matches!(status, 101 | 204 | 304);
    let framing = if no_body { Framing::None } else { declared.unwrap_or(Framing::UntilClose) };
    let http_11 = head.version == Some(1);
    let unwrap_chunks = framing == Framing::CHUNKED && !request.http_11;
    let until_close = framing == Framing::UntilClose;
    // HTTP/1.0 has no chunks: where such a body ends is not to be relied on.
    let certain = !until_close && (http_11 || declared != Some(Framing::CHUNKED));
    Ok(Response {
        length,
        status,
        framing,
        interim,
        upgraded,
        keep_alive: certain
            && !upgraded
            && !request.desync.ends_task_connection()
            && !options.close
            && (http_11 || options.keep_alive),
        idle_timeout: said.keep_alive.and_then(fields::idle_timeout),
        client_keep_alive: client_stays && !until_close && !unwrap_chunks && !upgraded,
        unwrap_chunks,
        withdraws: said.withdraws,
        storable: request.impersonal
            && status == 200
            && !until_close
            && client_stays
            && is_for_everybody(head.headers),
    })
}

/// Source: RFC 9111, sections 3 and 4.2.4.
fn is_for_everybody(fields: &[httparse::Header<'_>]) -> bool {
    const PROHIBIT: [&str; 6] =
        ["no-store", "private", "no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"];
    let control = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case("cache-control");
    let prohibits = |field: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(field.value).to_ascii_lowercase();
        PROHIBIT.iter().any(|directive| value.contains(directive))
    };
    fields::have_none_of(fields, &["Set-Cookie", "Vary"])
        && !fields.iter().filter(control).any(prohibits)
}

fn rewrite(
    head: &httparse::Response<'_, '_>,
    options: Options,
    response: &Response,
    request: &Request,
    from: From<'_>,
    out: &mut Vec<u8>,
) {
    let (mut names_task, mut declared) = (false, None);
    out.extend_from_slice(b"HTTP/1.1 ");
    let digit = |unit| b'0' + (response.status / unit % 10) as u8;
    out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
    out.extend_from_slice(head.reason.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for field in head.headers.iter() {
        let kind = Kind::of(field.name);
        match kind {
            Kind::Upgrade if response.upgraded => fields::write(out, field.name, field.value),
            Kind::Connection
            | Kind::HopByHop
            | Kind::Upgrade
            | Kind::KeepAlive
            | Kind::Withdraw => {}
            // The client gets the one that the task was told.
            Kind::RequestId if !response.interim => {}
            Kind::ContentLength | Kind::TransferEncoding => declared = Some(field),
            _ if options.name(head.headers, field.name) => {}
            _ => {
                names_task |= kind == Kind::Task;
                fields::write(out, field.name, field.value);
            }
        }
    }
    // An answer without a body may still say how long it would be.
    let has_length = !response.interim && !matches!(response.status, 101 | 204);
    let known = |name| request.http_11 || Kind::of(name) == Kind::ContentLength;
    if let Some(field) = declared.filter(|field| has_length && known(field.name)) {
        fields::write(out, field.name, field.value);
    }
    if !response.interim {
        if !names_task {
            fields::write_numbered(out, TASK, "task-", from.task.0.into());
        }
        fields::write(out, REQUEST_ID, request.id.as_bytes());
        if let Some(name) = from.sticky_cookie.filter(|_| request.preferred != Some(from.task)) {
            let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax", from.task);
            fields::write(out, "Set-Cookie", cookie.as_bytes());
        }
        if response.upgraded {
            fields::write(out, "Connection", b"Upgrade");
        } else {
            write_connection(out, response.client_keep_alive, request);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Request = Request { impersonal: true, ..Request::PLAIN };
    const OLD: Request = Request { http_11: false, keep_alive: false, ..NEW };
    const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const NOTHING: &str = "HTTP/1.1 200 OK\r\n\r\n";

    fn rewrite(input: &str, request: &Request) -> Result<Option<(Response, String)>, Fault> {
        let mut out = Vec::new();
        let client_stays = request.keep_alive;
        let from = From { task: TaskId(1), sticky_cookie: Some("task"), client_stays };
        let read = read(input.as_bytes(), request, from, &mut out)?;
        Ok(read.map(|response| (response, String::from_utf8(out).unwrap())))
    }

    #[test]
    fn what_is_good_for_everybody_may_be_kept() {
        let storable = |fields: &str| {
            let input = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
            rewrite(&input, &NEW).unwrap().unwrap().0.storable
        };
        assert!(storable(""));
        assert!(storable("Cache-Control: max-age=5\r\n"));
        for fields in ["Set-Cookie: a=b", "Vary: Accept", "cache-control: max-age=5, Private"] {
            assert!(!storable(&format!("{fields}\r\n")), "{fields}");
        }
        let not_found = LENGTH.replace("200", "404");
        assert!(!rewrite(&not_found, &NEW).unwrap().unwrap().0.storable);
        assert!(!rewrite(NOTHING, &NEW).unwrap().unwrap().0.storable, "perhaps it is not all");
    }

    #[test]
    fn where_a_body_ends_depends_on_the_request_as_well() {
        let head = Request { head_only: true, ..NEW };
        let interim = LENGTH.replace("200", "103");
        let (none, known) = (LENGTH.replace("200", "204"), LENGTH.replace("200", "304"));
        let rows = [
            (LENGTH, &NEW, Framing::Length(5)),
            (CHUNKED, &NEW, Framing::CHUNKED),
            (NOTHING, &NEW, Framing::UntilClose),
            (LENGTH, &head, Framing::None),
            (CHUNKED, &head, Framing::None),
            (NOTHING, &head, Framing::None),
            (&interim, &NEW, Framing::None),
            (&none, &NEW, Framing::None),
            (&known, &NEW, Framing::None),
        ];
        for (input, request, framing) in rows {
            let (response, _) = rewrite(input, request).unwrap().unwrap();
            assert_eq!((response.framing, response.length), (framing, input.len()), "{input}");
            for length in 0..input.len() {
                assert_eq!(rewrite(&input[..length], request), Ok(None), "{length} of {input}");
            }
        }
    }

    #[test]
    fn a_connection_stays_only_if_both_sides_know_where_the_answer_ends() {
        let closing = LENGTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let old = |head: &str| {
            head.replace("1.1", "1.0").replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n")
        };
        let persistent = Request { keep_alive: true, ..OLD };
        // The answer, to whom, whether the task's connection stays, and the client's.
        let rows = [
            (LENGTH, &NEW, true, true),
            (CHUNKED, &NEW, true, true),
            (NOTHING, &NEW, false, false),
            (&closing, &NEW, false, true),
            (&LENGTH.replace("1.1", "1.0"), &NEW, false, true),
            (&old(LENGTH), &NEW, true, true),
            (&old(CHUNKED), &NEW, false, true),
            (&old(NOTHING), &NEW, false, false),
            (LENGTH, &OLD, true, false),
            (LENGTH, &persistent, true, true),
            (CHUNKED, &persistent, true, false),
        ];
        for (input, request, task, client) in rows {
            let (response, out) = rewrite(input, request).unwrap().unwrap();
            let stays = (response.keep_alive, response.client_keep_alive);
            assert_eq!(stays, (task, client), "{input} for {request:?}");
            assert_eq!(out.contains("Connection: close\r\n"), !client, "{out}");
            let chunks = response.framing == Framing::CHUNKED && request.http_11;
            assert_eq!(out.contains("Transfer-Encoding"), chunks, "{out}");
        }
    }
}
