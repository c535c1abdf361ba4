//! A request's head: read, judged, and rewritten for a task.

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::{Header, Status};
use seaworthy_core::balance::Affinity;
use seaworthy_core::call::{self, RouteId};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::policy::timeout;

use super::body::Framing;
use super::fields::{self, Kind, Options};
use super::{Fault, LONGEST_LINE, LONGEST_REQUEST_HEAD, MOST_FIELDS};

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
    /// The client wants to send more on this connection.
    pub(crate) keep_alive: bool,
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
}

/// What a service says about its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// With the routes.
    pub(crate) call: &'a call::Config,
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

/// Reads a head at the beginning of `input` and writes what a task is to get to `out`; none if it
/// has not come whole.
pub(crate) fn read(
    input: &[u8],
    forwarded: &Forwarded,
    terms: Terms<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<Request>, Fault> {
    let mut fields = [MaybeUninit::uninit(); MOST_FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(input, &mut fields) {
        Ok(Status::Complete(length)) if length <= LONGEST_REQUEST_HEAD => length,
        Ok(Status::Partial) => return unfinished(input).map(|()| None),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Fault::HeadTooLarge);
        }
        Err(httparse::Error::Version) => return Err(Fault::Version),
        Err(_) => return Err(Fault::Malformed("the head of the request is malformed")),
    };
    refuse_bare_line_feed(&input[..length])?;
    let head = Head {
        method: head.method.expect("it was parsed"),
        target: head.path.expect("it was parsed"),
        http_11: head.version == Some(1),
        options: Options::of(head.headers)?,
        fields: head.headers,
    };
    if head.method.len() + head.target.len() > LONGEST_LINE {
        return Err(Fault::LineTooLong);
    }
    let target = head.split_target()?;
    let mut request = head.judge(length, target, terms)?;
    if let Some(affinity) = terms.affinity {
        let field = |name: &str| head.named(name).next().map(|field| field.value);
        request.affinity = affinity.of(target.1, &forwarded.address, field);
    }
    out.clear();
    head.rewrite(&request, target, forwarded, out);
    Ok(Some(request))
}

fn unfinished(input: &[u8]) -> Result<(), Fault> {
    if input.len() > LONGEST_LINE && memchr::memchr(b'\n', &input[..LONGEST_LINE]).is_none() {
        Err(Fault::LineTooLong)
    } else if input.len() >= LONGEST_REQUEST_HEAD {
        Err(Fault::HeadTooLarge)
    } else {
        Ok(())
    }
}

/// `httparse` takes a bare LF for the end of a line, and others do not.
fn refuse_bare_line_feed(head: &[u8]) -> Result<(), Fault> {
    let bare = |at: usize| at == 0 || head[at - 1] != b'\r';
    if memchr::memchr_iter(b'\n', head).any(bare) {
        return Err(Fault::Malformed("a line of the head ends without a carriage return"));
    }
    Ok(())
}

/// A parsed head.
struct Head<'a> {
    method: &'a str,
    target: &'a str,
    http_11: bool,
    options: Options,
    fields: &'a [Header<'a>],
}

impl Head<'_> {
    fn judge(
        &self,
        length: usize,
        (authority, target): (Option<&str>, &str),
        terms: Terms<'_>,
    ) -> Result<Request, Fault> {
        let framing = fields::framing(self.fields)?.unwrap_or(Framing::None);
        if framing == Framing::Chunked && !self.http_11 {
            return Err(Fault::Malformed("a request of HTTP/1.0 cannot be chunked"));
        }
        let mut hosts = self.of(Kind::Host);
        let host = hosts.next().map(|field| field.value);
        if hosts.next().is_some() || !host.map_or(!self.http_11, is_host) {
            return Err(Fault::Malformed("a request has just one Host field, with a host in it"));
        }
        // Source: RFC 9110, section 9.2.2.
        let idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
        // Source: RFC 9110, section 9.2.1.
        let safe = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&self.method);
        let host = authority.or(host.and_then(|host| str::from_utf8(host).ok())).unwrap_or("");
        let has = |name: &str, value: Option<&str>| {
            self.named(name).any(|f| value.is_none_or(|value| f.value == value.as_bytes()))
        };
        let route = terms.call.route(self.method, target, host, has);
        let keeps = terms.call.routes[route.0].fallback.is_some();
        Ok(Request {
            impersonal: keeps && framing == Framing::None && self.is_impersonal(),
            length,
            framing,
            head_only: self.method == "HEAD",
            repeatable: idempotent.contains(&self.method)
                || self.of(Kind::IdempotencyKey).next().is_some(),
            safe: safe && framing == Framing::None,
            http_11: self.http_11,
            fingerprint: fingerprint(&[self.method, target]),
            keep_alive: !self.options.close && (self.http_11 || self.options.keep_alive),
            route,
            timeout: self.of(Kind::Timeout).find_map(|field| timeout::from_header(field.value)),
            preferred: terms.sticky_cookie.and_then(|name| self.preferred(name)),
            affinity: 0,
        })
    }

    /// Source: RFC 9111, sections 3.5 and 3.3. A cookie is as personal as a password.
    fn is_impersonal(&self) -> bool {
        let personal = ["Authorization", "Cookie", "Range"];
        self.method == "GET" && self.http_11 && fields::have_none_of(self.fields, &personal)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Header<'_>> {
        self.fields.iter().filter(move |field| Kind::of(field.name) == kind)
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Header<'_>> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The task named by the cookie of this name.
    fn preferred(&self, name: &str) -> Option<TaskId> {
        let cookies = self.of(Kind::Cookie).filter_map(|field| str::from_utf8(field.value).ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|c| c.split_once('='));
        let (_, task) = pairs.find(|(other, _)| other.trim() == name)?;
        task.trim().parse().ok()
    }

    fn rewrite(
        &self,
        request: &Request,
        (authority, target): (Option<&str>, &str),
        forwarded: &Forwarded,
        out: &mut Vec<u8>,
    ) {
        for part in [self.method, " ", target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        // A request of HTTP/1.0 need not have a host, one of HTTP/1.1 must.
        let has_host = self.of(Kind::Host).next().is_some();
        if let Some(host) = authority.or((!has_host).then_some("")) {
            fields::write(out, "Host", host.as_bytes());
        }
        for field in self.fields {
            let passes = match Kind::of(field.name) {
                Kind::Host => authority.is_none(),
                Kind::EndToEnd | Kind::IdempotencyKey | Kind::Task | Kind::Cookie => {
                    !self.options.name(self.fields, field.name)
                }
                _ => false,
            };
            if passes {
                fields::write(out, field.name, field.value);
            }
        }
        self.write_forwarded(forwarded, out);
        fields::write_framing(out, request.framing);
        out.extend_from_slice(b"\r\n");
    }

    /// The host of an absolute target, which counts more than a `Host` field, and the target as a
    /// task gets it. Source: RFC 9112, section 3.2.
    fn split_target(&self) -> Result<(Option<&str>, &str), Fault> {
        if self.method == "CONNECT" {
            return Err(Fault::Tunnel);
        }
        if !self.target.is_ascii() || self.target.contains('#') {
            return Err(Fault::Malformed("the target has a character that no target has"));
        }
        if self.target.starts_with('/') || (self.target == "*" && self.method == "OPTIONS") {
            return Ok((None, self.target));
        }
        let scheme = self.target.get(..7).filter(|s| s.eq_ignore_ascii_case("http://"));
        let rest = scheme.map(|scheme| &self.target[scheme.len()..]);
        let end = rest.map(|rest| rest.find(['/', '?']).unwrap_or(rest.len()));
        match (rest, end) {
            (Some(rest), Some(end @ 1..))
                if !rest[end..].starts_with('?') && is_host(&rest.as_bytes()[..end]) =>
            {
                let path = if rest[end..].is_empty() { "/" } else { &rest[end..] };
                Ok((Some(&rest[..end]), path))
            }
            _ => Err(Fault::Malformed("the target is neither a path nor an http address")),
        }
    }

    fn write_forwarded(&self, forwarded: &Forwarded, out: &mut Vec<u8>) {
        out.extend_from_slice(b"X-Forwarded-For: ");
        for field in self.of(Kind::ForwardedFor) {
            out.extend_from_slice(field.value);
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(forwarded.address.as_bytes());
        out.extend_from_slice(b"\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: ");
        out.extend_from_slice(forwarded.port.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
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

/// Whether it is a host, or a host and a port, or nothing. Source: RFC 3986, section 3.2.
fn is_host(host: &[u8]) -> bool {
    let proper = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    host.iter().all(proper)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADS: [&str; 4] = [
        "GET /a?b HTTP/1.1\r\nHost: test\r\nX: y\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nConnection: X\r\nX: y\r\n\r\n",
        "PUT http://a/ HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nExpect: y\r\n\r\n",
        "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\nX-Forwarded-For: y\r\n\r\n",
    ];

    fn rewrite(input: &[u8]) -> Result<Option<(Request, Vec<u8>)>, Fault> {
        let forwarded = Forwarded { address: "10.0.0.1".into(), port: "80".into() };
        let call = call::Config::plain(Duration::from_secs(1), 1);
        let terms = Terms { call: &call, sticky_cookie: Some("task"), affinity: None };
        let mut out = Vec::new();
        Ok(read(input, &forwarded, terms, &mut out)?.map(|request| (request, out)))
    }

    #[test]
    fn a_head_is_read_when_it_has_come_whole_and_not_before() {
        for head in HEADS {
            for length in 0..head.len() {
                assert_eq!(rewrite(&head.as_bytes()[..length]), Ok(None), "{length} of {head}");
            }
            for more in ["", "GET / HTTP/1.1", "\n"] {
                let read = rewrite(&[head, more].concat().into_bytes()).unwrap();
                assert_eq!(read.unwrap().0.length, head.len(), "{head}");
            }
        }
    }

    #[test]
    fn what_matters_of_a_request_is_read_as_it_was_meant() {
        let request = |head| Request { fingerprint: 0, ..rewrite(head).unwrap().unwrap().0 };
        let got = request(b"GET / HTTP/1.1\r\nHost:\r\n\r\n");
        let expected = Request {
            length: 25,
            framing: Framing::None,
            head_only: false,
            repeatable: true,
            safe: true,
            http_11: true,
            fingerprint: 0,
            keep_alive: true,
            route: RouteId(0),
            timeout: None,
            preferred: None,
            affinity: 0,
            impersonal: false,
        };
        assert_eq!(got, expected);
        let close = request(b"GET / HTTP/1.1\r\nHost:\r\nConnection: Close\r\n\r\n");
        assert_eq!(close, Request { length: 44, keep_alive: false, ..expected });
        let old = request(b"HEAD / HTTP/1.0\r\n\r\n");
        let expected = Request { length: 19, http_11: false, keep_alive: false, ..expected };
        assert_eq!(old, Request { head_only: true, ..expected });
        let posted = request(b"POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n");
        let framing = Framing::Length(7);
        assert_eq!(
            posted,
            Request { length: 38, framing, repeatable: false, safe: false, ..expected }
        );
    }

    #[test]
    fn a_client_says_how_long_it_waits_and_whom_it_is_used_to() {
        let says = |fields: &str| {
            let head = format!("GET / HTTP/1.1\r\nHost:\r\n{fields}\r\n\r\n");
            let (request, out) = rewrite(head.as_bytes()).unwrap().unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(
                out.contains("Cookie"),
                fields.contains("Cookie"),
                "it is the task's as well"
            );
            assert!(!out.to_lowercase().contains("timeout"), "another one is written: {out}");
            (
                request.timeout.map(|timeout| timeout.as_millis()),
                request.preferred.map(|task| task.0),
            )
        };
        assert_eq!(says("X-Request-Timeout-Ms: 1500"), (Some(1500), None));
        assert_eq!(says("X-Request-Timeout-Ms: 1.5"), (None, None));
        assert_eq!(says("Cookie: a=b; task=task-7; c=d"), (None, Some(7)));
        assert_eq!(says("Cookie: a=b\r\nCookie: task=task-8"), (None, Some(8)));
        assert_eq!(says("Cookie: tasks=task-7; task=seven"), (None, None));
    }

    proptest! {
        /// A task cannot read it in another way than we did: what it gets is read by the same rules.
        #[test]
        fn what_a_task_gets_is_a_proper_head_of_the_same_meaning(
            head in prop::sample::select(&HEADS),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut head = head.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(head.len());
                head[at] = byte;
            }
            if let Ok(Some((request, out))) = rewrite(&head) {
                let (again, _) = rewrite(&out).unwrap().unwrap();
                let length = out.len();
                // What is left of the time is written when it is sent.
                let expected =
                    Request { length, http_11: true, keep_alive: true, timeout: None, ..request };
                prop_assert_eq!(again, expected);
            }
        }
    }
}
