//! The rules for header fields, written once for requests and answers.

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
    /// `X-Forwarded-Proto`, `X-Forwarded-Port`: ours to say.
    Forwarded,
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
    /// Other fields are named.
    names_fields: bool,
}

/// Each field of a head is looked for among the options of `Connection`, so these must not be many.
const MOST_OPTIONS: usize = 32;

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        const KINDS: [(&str, Kind); 17] = [
            ("te", Kind::HopByHop),
            ("host", Kind::Host),
            ("cookie", Kind::Cookie),
            ("trailer", Kind::EndToEnd),
            ("upgrade", Kind::HopByHop),
            ("connection", Kind::Connection),
            ("keep-alive", Kind::HopByHop),
            ("content-length", Kind::ContentLength),
            ("idempotency-key", Kind::IdempotencyKey),
            ("x-forwarded-for", Kind::ForwardedFor),
            ("proxy-connection", Kind::HopByHop),
            ("x-forwarded-port", Kind::Forwarded),
            ("x-seaworthy-task", Kind::Task),
            ("x-forwarded-proto", Kind::Forwarded),
            (timeout::HEADER, Kind::Timeout),
            ("transfer-encoding", Kind::TransferEncoding),
            ("x-seaworthy-withdraw", Kind::Withdraw),
        ];
        // Comparing lengths first leaves at most three names to look at.
        let same = |other: &str| other.len() == name.len() && other.eq_ignore_ascii_case(name);
        KINDS.iter().find(|(other, _)| same(other)).map_or(Self::EndToEnd, |(_, kind)| *kind)
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
    let connection = |field: &&Header<'_>| Kind::of(field.name) == Kind::Connection;
    let values = fields.iter().filter(connection).map(|field| field.value);
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// How a message's fields frame its body; none if they do not say.
///
/// There is one `Content-Length` or one `Transfer-Encoding: chunked` and never both: anything else
/// could be read in two ways.
pub(crate) fn framing(fields: &[Header<'_>]) -> Result<Option<Framing>, Fault> {
    let mut framing = None;
    for field in fields {
        let says = match Kind::of(field.name) {
            Kind::ContentLength => Framing::Length(length(field.value)?),
            Kind::TransferEncoding if field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Framing::Chunked
            }
            Kind::TransferEncoding => return Err(Fault::Coding),
            _ => continue,
        };
        if framing.replace(says).is_some() {
            let problem = "the length of the body is given more than once";
            return Err(Fault::Malformed(problem));
        }
    }
    Ok(framing)
}

fn length(value: &[u8]) -> Result<u64, Fault> {
    let digits = value.trim_ascii();
    let proper = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number = proper.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten();
    number.ok_or(Fault::Malformed("the content length is not a number of up to 18 digits"))
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
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes the field that says where the body ends.
pub(crate) fn write_framing(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::None | Framing::UntilClose => {}
        Framing::Length(length) => write(out, "Content-Length", length.to_string().as_bytes()),
        Framing::Chunked => write(out, "Transfer-Encoding", b"chunked"),
    }
}
