//! The rules for header fields, written once for requests and answers.

use std::time::Duration;

use httparse::Header;
use seaworthy_core::policy::timeout;

use super::Fault;
use super::body::Framing;

/// What a field is to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `Connection`: says what is meant for us only.
    Connection,
    /// Meant for one hop, or rewritten for the next.
    HopByHop,
    /// `Content-Length`
    ContentLength,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Host`
    Host,
    /// `X-Forwarded-For`
    ForwardedFor,
    /// `X-Forwarded-Proto`
    ForwardedProto,
    /// `X-Forwarded-Port`
    ForwardedPort,
    /// `X-Request-Id`: ours to say, in the request and in its answer.
    RequestId,
    /// `traceparent`
    Traceparent,
    /// `tracestate`, which means nothing without the former.
    Tracestate,
    /// `Expect`: the client waits for our word before it sends the body.
    Expect,
    /// `Upgrade`: which other protocol this connection is to go on with.
    Upgrade,
    /// `Keep-Alive`: how long the sender keeps an idle connection.
    KeepAlive,
    /// `Idempotency-Key`: sending the request twice does what sending it once does.
    IdempotencyKey,
    /// `X-Seaworthy-Task`: whose answer it is.
    Task,
    /// `X-Seaworthy-Withdraw`: the task wants no more requests. Ours to hear.
    Withdraw,
    /// `X-Request-Timeout-Ms`: how long its sender waits. The next hop is told what is left of it.
    Timeout,
    /// `Cookie`: may name the task that the client is used to.
    Cookie,
    /// Passed on as it is.
    EndToEnd,
}

/// The field that names the task of an answer.
pub(crate) const TASK: &str = "X-Seaworthy-Task";

/// The field that names a request.
pub(crate) const REQUEST_ID: &str = "X-Request-Id";

/// The field that says of an answer what it lacks: it is right, but not what it would be in good
/// times.
pub(crate) const DEGRADED: &str = "X-Seaworthy-Degraded";

/// What `Connection` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The connection ends after this message.
    pub(crate) close: bool,
    /// It goes on, in HTTP/1.0.
    pub(crate) keep_alive: bool,
    /// It goes on with another protocol.
    pub(crate) upgrade: bool,
    /// Other fields are named.
    names_fields: bool,
}

/// Each field of a head is looked for among the options of `Connection`, so these must not be many.
const MOST_OPTIONS: usize = 32;

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
        let same = |(other, _): &&(&str, Kind)| {
            // Most names differ from all known ones in the first letter already.
            other.as_bytes().first().copied() == first && other.eq_ignore_ascii_case(name)
        };
        Self::of_length(name.len()).iter().find(same).map_or(Self::EndToEnd, |(_, kind)| *kind)
    }

    /// All known names of this length: at most three, for every field of every head is looked for.
    fn of_length(length: usize) -> &'static [(&'static str, Kind)] {
        match length {
            2 => &[("te", Kind::HopByHop)],
            4 => &[("host", Kind::Host)],
            6 => &[("cookie", Kind::Cookie), ("expect", Kind::Expect)],
            7 => &[("upgrade", Kind::Upgrade)],
            10 => &[
                ("connection", Kind::Connection),
                ("keep-alive", Kind::KeepAlive),
                ("tracestate", Kind::Tracestate),
            ],
            11 => &[("traceparent", Kind::Traceparent)],
            12 => &[("x-request-id", Kind::RequestId)],
            14 => &[("content-length", Kind::ContentLength), ("http2-settings", Kind::HopByHop)],
            15 => &[
                ("x-forwarded-for", Kind::ForwardedFor),
                ("idempotency-key", Kind::IdempotencyKey),
            ],
            16 => &[
                ("x-forwarded-port", Kind::ForwardedPort),
                ("proxy-connection", Kind::HopByHop),
                ("x-seaworthy-task", Kind::Task),
            ],
            17 => &[
                ("transfer-encoding", Kind::TransferEncoding),
                ("x-forwarded-proto", Kind::ForwardedProto),
            ],
            20 => &[(timeout::HEADER, Kind::Timeout), ("x-seaworthy-withdraw", Kind::Withdraw)],
            _ => &[],
        }
    }
}

impl Options {
    /// What the `Connection` fields of `fields` say.
    pub(crate) fn of(fields: &[Header<'_>]) -> Result<Self, Fault> {
        let mut all = Self::default();
        for (n, option) in options(fields).enumerate() {
            if n >= MOST_OPTIONS {
                return Err(Fault::Malformed("Connection has more than 32 options"));
            }
            if option.eq_ignore_ascii_case(b"close") {
                all.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                all.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                all.upgrade = true;
            } else if !option.is_empty() {
                all.names_fields = true;
            }
        }
        Ok(all)
    }

    /// Whether the field `name` is named by those of `fields`, so that it is meant for us only.
    pub(crate) fn name(self, fields: &[Header<'_>], name: &str) -> bool {
        let named = |option: &[u8]| option.eq_ignore_ascii_case(name.as_bytes());
        self.names_fields && options(fields).any(named)
    }
}

fn options<'a>(fields: &'a [Header<'a>]) -> impl Iterator<Item = &'a [u8]> {
    let connection = |field: &&Header<'_>| field.name.eq_ignore_ascii_case("connection");
    let values = fields.iter().filter(connection).map(|field| field.value);
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// What one field of an answer says of where the body ends, added to what the others have said.
///
/// There is one `Content-Length` or one `Transfer-Encoding: chunked` and never both: anything else
/// could be read in two ways.
pub(crate) fn frame(framing: &mut Option<Framing>, kind: Kind, value: &[u8]) -> Result<(), Fault> {
    let says = match kind {
        Kind::ContentLength => {
            let problem = "the content length is not a number of up to 18 digits";
            Framing::Length(length(value).ok_or(Fault::Malformed(problem))?)
        }
        Kind::TransferEncoding if is_chunked(value) => Framing::CHUNKED,
        Kind::TransferEncoding => return Err(Fault::Coding),
        _ => return Ok(()),
    };
    if framing.replace(says).is_some() {
        return Err(Fault::Malformed("the length of the body is given more than once"));
    }
    Ok(())
}

/// A body's length, if it is a number of up to 18 digits.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let proper = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    proper.then(|| str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Whether it says that the body comes in chunks, and nothing else.
pub(crate) fn is_chunked(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

/// For how long the sender keeps an idle connection, if it says so: `Keep-Alive: timeout=5`.
pub(crate) fn idle_timeout(keep_alive: &[u8]) -> Option<Duration> {
    let mut parameters = keep_alive.split(|byte| *byte == b',').filter_map(|parameter| {
        let (name, value) = str::from_utf8(parameter).ok()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then_some(value.trim())
    });
    parameters.next()?.parse().ok().map(Duration::from_secs)
}

/// Whether the request or answer with these fields is the same for everybody: none of `personal`
/// is there.
pub(crate) fn have_none_of(fields: &[Header<'_>], personal: &[&str]) -> bool {
    let is_personal =
        |field: &Header<'_>| personal.iter().any(|name| name.eq_ignore_ascii_case(field.name));
    !fields.iter().any(is_personal)
}

/// Writes one field.
pub(crate) fn write(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Writes one field whose value is a number.
pub(crate) fn write_number(out: &mut Vec<u8>, name: &str, number: u64) {
    write_numbered(out, name, "", number);
}

/// Writes one field whose value is a word with a number behind it, such as `task-1`.
pub(crate) fn write_numbered(out: &mut Vec<u8>, name: &str, word: &str, number: u64) {
    let (mut digits, mut at, mut left) = ([0; 20], 20, number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.reserve(name.len() + word.len() + digits.len() + 4);
    for part in [name.as_bytes(), b": ", word.as_bytes(), &digits[at..], b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Writes the field that says where the body ends.
pub(crate) fn write_framing(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::None | Framing::UntilClose => {}
        Framing::Length(length) => write_number(out, "Content-Length", length),
        Framing::Chunked { .. } => write(out, "Transfer-Encoding", b"chunked"),
    }
}
