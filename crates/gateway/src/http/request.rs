//! A request's head: read, judged, and rewritten for a task.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

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
    /// The client takes HTTP/1.1.
    pub(crate) http_11: bool,
    /// The client wants to send more on this connection.
    pub(crate) keep_alive: bool,
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
    let request = head.judge(length)?;
    out.clear();
    head.rewrite(&request, forwarded, out)?;
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
    fn judge(&self, length: usize) -> Result<Request, Fault> {
        let framing = fields::framing(self.fields)?.unwrap_or(Framing::None);
        if framing == Framing::Chunked && !self.http_11 {
            return Err(Fault::Malformed("a request of HTTP/1.0 cannot be chunked"));
        }
        let count = |kind| self.fields.iter().filter(|f| Kind::of(f.name) == kind).count();
        let mut hosts = self.fields.iter().filter(|f| Kind::of(f.name) == Kind::Host);
        let host = hosts.next().map(|field| is_host(field.value));
        if hosts.next().is_some() || !host.unwrap_or(!self.http_11) {
            return Err(Fault::Malformed("a request has just one Host field, with a host in it"));
        }
        // Source: RFC 9110, section 9.2.2.
        let idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
        Ok(Request {
            length,
            framing,
            head_only: self.method == "HEAD",
            repeatable: idempotent.contains(&self.method) || count(Kind::IdempotencyKey) > 0,
            http_11: self.http_11,
            keep_alive: !self.options.close && (self.http_11 || self.options.keep_alive),
        })
    }

    fn rewrite(
        &self,
        request: &Request,
        forwarded: &Forwarded,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let (authority, target) = self.split_target()?;
        for part in [self.method, " ", target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        // A request of HTTP/1.0 need not have a host, one of HTTP/1.1 must.
        let has_host = self.fields.iter().any(|field| Kind::of(field.name) == Kind::Host);
        if let Some(host) = authority.or((!has_host).then_some("")) {
            fields::write(out, "Host", host.as_bytes());
        }
        for field in self.fields {
            let passes = match Kind::of(field.name) {
                Kind::Host => authority.is_none(),
                Kind::EndToEnd | Kind::IdempotencyKey | Kind::Task => {
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
        Ok(())
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
        for field in self.fields.iter().filter(|f| Kind::of(f.name) == Kind::ForwardedFor) {
            out.extend_from_slice(field.value);
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(forwarded.address.as_bytes());
        out.extend_from_slice(b"\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: ");
        out.extend_from_slice(forwarded.port.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
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
        let mut out = Vec::new();
        Ok(read(input, &forwarded, &mut out)?.map(|request| (request, out)))
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
        let request = |head| rewrite(head).unwrap().unwrap().0;
        let got = request(b"GET / HTTP/1.1\r\nHost:\r\n\r\n");
        let expected = Request {
            length: 25,
            framing: Framing::None,
            head_only: false,
            repeatable: true,
            http_11: true,
            keep_alive: true,
        };
        assert_eq!(got, expected);
        let close = request(b"GET / HTTP/1.1\r\nHost:\r\nConnection: Close\r\n\r\n");
        assert_eq!(close, Request { length: 44, keep_alive: false, ..expected });
        let old = request(b"HEAD / HTTP/1.0\r\n\r\n");
        let expected = Request { length: 19, http_11: false, keep_alive: false, ..expected };
        assert_eq!(old, Request { head_only: true, ..expected });
        let posted = request(b"POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n");
        let framing = Framing::Length(7);
        assert_eq!(posted, Request { length: 38, framing, repeatable: false, ..expected });
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
                let expected = Request { length: out.len(), http_11: true, keep_alive: true, ..request };
                prop_assert_eq!(again, expected);
            }
        }
    }
}
