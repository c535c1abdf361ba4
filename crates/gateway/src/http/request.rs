//! A request's head: read, judged, and rewritten for a task.

mod rewrite;
mod said;
mod target;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::{Header, Status};
use seaworthy_core::balance::Affinity;
use seaworthy_core::call::{self, RouteId, is_idempotent, is_safe};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::http::Config;

use super::body::Framing;
use super::desync::{Finding, Reason};
use super::fields::{self, Options};
use super::id::{Id, Ids};
use super::{Fault, MOST_FIELDS};
use rewrite::Meant;
use said::Said;
use target::Target;

/// What matters of a request to those who carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Bytes of its head.
    pub(crate) length: usize,
    /// Where its body ends.
    pub(crate) framing: Framing,
    /// Its answer has no body, whatever it says.
    pub(crate) head_only: bool,
    /// Sending it twice does what sending it once does.
    pub(crate) repeatable: bool,
    /// Nothing changes by it, and its head is all of it.
    pub(crate) safe: bool,
    /// The client takes HTTP/1.1.
    pub(crate) http_11: bool,
    /// Requests for the same thing have the same one.
    pub(crate) fingerprint: u64,
    /// The client wants to send more on this connection, and may.
    pub(crate) keep_alive: bool,
    /// The client waits for a word before it sends the body.
    pub(crate) expects: bool,
    /// The client wants to go on with another protocol, if the task does.
    pub(crate) upgrade: bool,
    /// How far it is from what it should be.
    pub(crate) desync: Reason,
    /// The policies it goes by.
    pub(crate) route: RouteId,
    /// Its sender waits for so long.
    pub(crate) timeout: Option<Duration>,
    /// The task its client is used to.
    pub(crate) preferred: Option<TaskId>,
    /// For a consistent hash: requests that belong together have the same one.
    pub(crate) affinity: u64,
    /// Its answer may be kept, and another one's given: its route has a fallback, and nothing in it
    /// is about its client.
    pub(crate) impersonal: bool,
    /// Its name.
    pub(crate) id: Id,
}

/// What a service says about its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// With the routes.
    pub(crate) call: &'a call::Config,
    /// How it takes HTTP.
    pub(crate) http: &'a Config,
    /// The cookie that names the task a client is used to.
    pub(crate) sticky_cookie: Option<&'a str>,
    /// What requests to the same task have in common, if that matters.
    pub(crate) affinity: Option<&'a Affinity>,
}

/// What is said of a client to the task.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    /// The client's address.
    pub(crate) address: String,
    /// The port it came to.
    pub(crate) port: String,
}

/// A parsed head.
struct Head<'a> {
    method: &'a str,
    target: &'a str,
    http_11: bool,
    options: Options,
    fields: &'a [Header<'a>],
}

/// Reads a head at the beginning of `input` and writes what a task is to get to `out`; none if it
/// has not come whole.
pub(crate) fn read(
    input: &[u8],
    forwarded: &Forwarded,
    terms: Terms<'_>,
    ids: &mut Ids,
    out: &mut Vec<u8>,
) -> Result<Option<Request>, Fault> {
    let Config { longest_line, longest_head, most_fields, .. } = *terms.http;
    let mut fields = [MaybeUninit::uninit(); MOST_FIELDS];
    let fields = &mut fields[..most_fields.min(MOST_FIELDS)];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(input, fields) {
        Ok(Status::Complete(length)) if length <= longest_head => length,
        Ok(Status::Partial) => return unfinished(input, terms.http).map(|()| None),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Fault::HeadTooLarge(longest_head, most_fields));
        }
        Err(error) => return Err(unreadable(error, head.method.is_some())),
    };
    refuse_bare_line_feed(&input[..length])?;
    let head = Head {
        method: head.method.expect("it was parsed"),
        target: head.path.expect("it was parsed"),
        http_11: head.version == Some(1),
        options: Options::of(head.headers)?,
        fields: head.headers,
    };
    if head.method.len() + head.target.len() > longest_line {
        return Err(Fault::LineTooLong(longest_line));
    }
    let target = Target::of(head.method, head.target)?;
    let mut finding = Finding::NONE;
    if !input[..length].is_ascii() {
        finding.add(Reason::NonCompliantHeader)?;
    }
    let said = Said::of(&head, terms, &mut finding)?;
    let desync = finding.judge(terms.http.desync)?;
    let id = said.id(terms.http.request_id, ids);
    let mut request = head.judge(length, target, &said, (desync, id), terms);
    if let Some(affinity) = terms.affinity {
        let field = |name: &str| head.named(name).next().map(|field| field.value);
        request.affinity = affinity.of(target.path, &forwarded.address, field);
    }
    let trace = (!said.is_traced()).then(|| ids.begin_trace());
    out.clear();
    let meant = Meant { request: &request, target, said: &said, trace };
    head.rewrite(&meant, forwarded, terms.http.forwarded, out);
    Ok(Some(request))
}

fn unfinished(input: &[u8], limits: &Config) -> Result<(), Fault> {
    let Config { longest_line: line, longest_head, most_fields, .. } = *limits;
    if input.len() > line && memchr::memchr(b'\n', &input[..line]).is_none() {
        Err(Fault::LineTooLong(line))
    } else if input.len() >= longest_head {
        Err(Fault::HeadTooLarge(longest_head, most_fields))
    } else {
        Ok(())
    }
}

/// What is wrong with a head that is none.
fn unreadable(error: httparse::Error, has_method: bool) -> Fault {
    Fault::Desync(match error {
        httparse::Error::Version => return Fault::Version,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Reason::BadHeader,
        httparse::Error::Token if has_method => Reason::BadUri,
        httparse::Error::Token => Reason::BadMethod,
        _ => Reason::BadLine,
    })
}

/// `httparse` takes a bare LF for the end of a line, and others do not.
fn refuse_bare_line_feed(head: &[u8]) -> Result<(), Fault> {
    let bare = |at: usize| at == 0 || head[at - 1] != b'\r';
    if memchr::memchr_iter(b'\n', head).any(bare) {
        return Err(Fault::Desync(Reason::NonCrLfLineTermination));
    }
    Ok(())
}

/// Tells apart what is asked for; quick, and not to be relied on for more.
fn fingerprint(parts: &[&str]) -> u64 {
    // The mixing step of rustc's hash.
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let words = parts.iter().flat_map(|part| part.as_bytes().chunks(8));
    words.fold(0, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}

// === impl Request ===

#[cfg(test)]
impl Request {
    /// A GET with nothing special about it.
    pub(crate) const PLAIN: Self = Self {
        length: 0,
        framing: Framing::None,
        head_only: false,
        repeatable: true,
        safe: true,
        http_11: true,
        fingerprint: 0,
        keep_alive: true,
        expects: false,
        upgrade: false,
        desync: Reason::Compliant,
        route: RouteId(0),
        timeout: None,
        preferred: None,
        affinity: 0,
        impersonal: false,
        id: Id::NONE,
    };
}

// === impl Head ===

impl Head<'_> {
    fn judge(
        &self,
        length: usize,
        target: Target<'_>,
        said: &Said<'_>,
        (desync, id): (Reason, Id),
        terms: Terms<'_>,
    ) -> Request {
        let framing = said.framing;
        let host = target.authority.or(said.host.and_then(|host| str::from_utf8(host).ok()));
        let has = |name: &str, value: Option<&str>| {
            self.named(name).any(|f| value.is_none_or(|value| f.value == value.as_bytes()))
        };
        let route = terms.call.route(self.method, target.path, host.unwrap_or(""), has);
        let keeps = terms.call.routes[route.0].fallback.is_some();
        let upgrade = said.upgrade.is_some();
        let persistent = !self.options.close && (self.http_11 || self.options.keep_alive);
        Request {
            length,
            framing,
            head_only: self.method == "HEAD",
            // What has begun in another protocol cannot begin again.
            repeatable: !upgrade && (is_idempotent(self.method) || said.idempotency_key),
            safe: !upgrade && is_safe(self.method) && framing == Framing::None,
            http_11: self.http_11,
            fingerprint: fingerprint(&[self.method, target.path]),
            keep_alive: persistent && !desync.ends_client_connection(terms.http.desync),
            expects: said.expects,
            upgrade,
            desync,
            route,
            timeout: said.timeout,
            preferred: said.preferred,
            affinity: 0,
            impersonal: keeps && !upgrade && framing == Framing::None && self.is_impersonal(),
            id,
        }
    }

    /// Source: RFC 9111, sections 3.5 and 3.3. A cookie is as personal as a password.
    fn is_impersonal(&self) -> bool {
        let personal = ["Authorization", "Cookie", "Range"];
        self.method == "GET" && self.http_11 && fields::have_none_of(self.fields, &personal)
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Header<'_>> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }
}
