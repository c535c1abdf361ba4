//! Against hyper's own server: what we pass on, hyper takes, with the same meaning and the same end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use seaworthy_core::call;
use seaworthy_core::fleet::http::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::body::Body;
use super::desync::Reason;
use super::id::Ids;
use super::request::{self, Forwarded, Request, Terms};

/// Heads and bodies of every form, most of them proper.
const SEEDS: [&str; 10] = [
    "GET /a?b=c HTTP/1.1\r\nHost: test\r\nX-One: 1\r\nX-two: 2\r\n\r\n",
    "HEAD http://other:80/a HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
    "PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00a\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5, 5\r\nContent-Length: 05\r\n\r\nhello",
    "GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent_Length: 9\r\n\r\nhello",
    "POST / HTTP/1.0\r\nConnection: keep-alive, X\r\nX: y\r\nContent-Length: 3\r\n\r\nabc",
    "DELETE /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nX: \u{e4}\r\n\r\nok",
    "OPTIONS * HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 10.0.0.1\r\nCookie: a=b; c\r\n\r\n",
];
/// What comes next on the connection to a task.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n";

/// A request as hyper has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    target: String,
    /// In order within a name; names in small letters and in order.
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What we take of `input`: the request, what is passed on of it, and the data of its body.
fn pass_on(input: &[u8]) -> Option<(Request, Vec<u8>, Vec<u8>)> {
    let forwarded = Forwarded { address: "10.0.0.9".to_owned(), port: "80".to_owned() };
    let (call, http) = (call::Config::plain(Duration::from_secs(1), 1), Config::default());
    let terms = Terms { call: &call, http: &http, sticky_cookie: None, affinity: None };
    let mut out = Vec::new();
    let request =
        request::read(input, &forwarded, terms, &mut Ids::new([1, 2]), &mut out).ok()??;
    let (mut body, mut data) = (Body::new(request.framing), Vec::new());
    let rest = &input[request.length..];
    let length = body.take(rest, |bytes| data.extend_from_slice(bytes)).ok()?;
    out.extend_from_slice(&rest[..length]);
    body.is_over().then_some((request, out, data))
}

/// All requests that hyper reads in `bytes`.
fn hyper_reads(bytes: &[u8]) -> Vec<Seen> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let log = Arc::clone(&log);
        async move {
            let (head, body) = request.into_parts();
            // A body that is broken is no request.
            if let Ok(body) = body.collect().await {
                log.lock()
                    .expect("nobody panicked")
                    .push(Seen::new(&head, body.to_bytes().to_vec()));
            }
            Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        let serve =
            http1::Builder::new().half_close(true).serve_connection(TokioIo::new(theirs), service);
        let send = async {
            ours.write_all(bytes).await.expect("there is room");
            ours.shutdown().await.expect("it is open");
            ours.read_to_end(&mut Vec::new()).await.expect("it answers");
        };
        // What hyper thinks of it is seen in what it has read.
        let _ = tokio::join!(serve, send);
    });
    Arc::try_unwrap(seen).expect("hyper is done").into_inner().expect("nobody panicked")
}

// === impl Seen ===

impl Seen {
    fn new(head: &hyper::http::request::Parts, body: Vec<u8>) -> Self {
        let field = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_vec())
        };
        let mut fields: Vec<_> = head.headers.iter().map(field).collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Self { method: head.method.to_string(), target: head.uri.to_string(), fields, body }
    }

    /// The same, as it is written in `out`.
    fn written(out: &[u8], body: Vec<u8>) -> Self {
        let head = out.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
        let mut lines = out[..head].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let line = str::from_utf8(lines.next().expect("a line")).expect("ASCII");
        let (method, rest) = line.split_once(' ').expect("a method");
        let (target, _) = rest.split_once(' ').expect("a target");
        let field = |line: &[u8]| {
            let colon = memchr::memchr(b':', line).expect("a colon");
            let name = str::from_utf8(&line[..colon]).expect("ASCII").to_ascii_lowercase();
            (name, line[colon + 1..].trim_ascii().to_vec())
        };
        let mut fields: Vec<_> = lines.map(field).collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Self { method: method.to_owned(), target: target.to_owned(), fields, body }
    }
}

fn check(input: &[u8]) -> Result<bool, TestCaseError> {
    let Some((request, mut out, data)) = pass_on(input) else { return Ok(false) };
    let expected = Seen::written(&out, data);
    // The way the client wrote it, hyper reads the same data, unless it takes less than we do.
    let asked = hyper_reads(input);
    if let (Some(asked), Reason::Compliant) = (asked.first(), request.desync) {
        prop_assert_eq!(&asked.body, &expected.body);
        prop_assert_eq!(&asked.method, &expected.method);
    }
    out.extend_from_slice(NEXT.as_bytes());
    let seen = hyper_reads(&out);
    prop_assert_eq!(seen.len(), 2, "{} read of {:?}", seen.len(), String::from_utf8_lossy(input));
    prop_assert_eq!(&seen[0], &expected);
    prop_assert_eq!(&seen[1], &Seen::written(NEXT.as_bytes(), Vec::new()));
    Ok(true)
}

#[test]
fn hyper_takes_every_form_as_we_do() {
    for seed in SEEDS {
        let taken = check(seed.as_bytes()).unwrap_or_else(|error| panic!("{error}: {seed}"));
        assert!(taken, "{seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_we_pass_on_hyper_takes_in_the_same_way(
        seed in prop::sample::select(&SEEDS),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(b"\r\n :;,\t\0aZ05xF-_\x7f\xe4chunked")),
            0..5,
        ),
    ) {
        let mut input = seed.as_bytes().to_vec();
        for (at, how, byte) in changes {
            let at = at.index(input.len());
            match how {
                0 => input[at] = byte,
                1 => drop(input.remove(at)),
                2 => input.insert(at, byte),
                _ => input.insert(at, input[at]),
            }
        }
        check(&input)?;
    }
}
