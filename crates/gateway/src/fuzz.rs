//! What must hold for any bytes at all: for `cargo fuzz`, and for a short run in the tests.

use std::time::Duration;

use seaworthy_core::call;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::http::Config;

use crate::http::body::{Body, Framing};
use crate::http::desync::Class;
use crate::http::id::Ids;
use crate::http::request::{self, Forwarded, Request, Terms};
use crate::http::response::{self, From};

/// A request that is taken is passed on in a form that is read in the same way, and in no other.
pub fn request(input: &[u8]) {
    let Some((request, out)) = read(input) else { return };
    assert!(request.length <= input.len());
    assert!(out.ends_with(b"\r\n\r\n"));
    let (again, _) = read(&out).expect("what is passed on is taken");
    assert_eq!(again.length, out.len(), "it ends with its head");
    assert_eq!(again.framing, request.framing);
    assert_eq!((again.head_only, again.upgrade), (request.head_only, request.upgrade));
    assert_eq!((again.expects, again.id), (request.expects, request.id));
    assert!(again.desync.class() <= request.desync.class());
    assert!(request.framing != Framing::UntilClose);
}

/// An answer that is taken is passed on in a form that ends where it ends.
pub fn response(input: &[u8]) {
    let (request, mut out, mut twice) = (plain(), Vec::new(), Vec::new());
    let from = From { task: TaskId(1), sticky_cookie: None, client_stays: true };
    let Ok(Some(response)) = response::read(input, &request, from, &mut out) else { return };
    assert!(response.length <= input.len());
    assert!(out.ends_with(b"\r\n\r\n"));
    let again = response::read(&out, &request, from, &mut twice);
    let again = again.expect("it is taken").expect("it is whole");
    assert_eq!((again.length, again.status), (out.len(), response.status));
    assert_eq!((again.framing, again.interim), (response.framing, response.interim));
}

/// A chunked body ends in the same place with the same data, in whatever pieces it comes.
pub fn chunked(input: &[u8]) {
    let whole = read_chunks(input, input.len().max(1));
    for step in [1, 2, 3, 7] {
        assert_eq!(whole, read_chunks(input, step), "in pieces of {step}");
    }
    if let Some((data, taken, true)) = whole {
        assert!(taken <= input.len() && data.len() < taken);
        assert!(input[..taken].ends_with(b"\r\n"));
    }
}

fn read(input: &[u8]) -> Option<(Request, Vec<u8>)> {
    let forwarded = Forwarded { address: "10.0.0.1".to_owned(), port: "80".to_owned() };
    let (call, http) = (call::Config::plain(Duration::from_secs(1), 1), Config::default());
    let terms = Terms { call: &call, http: &http, sticky_cookie: Some("task"), affinity: None };
    let (mut ids, mut out) = (Ids::new([1, 2]), Vec::new());
    let read = request::read(input, &forwarded, terms, &mut ids, &mut out);
    read.ok().flatten().map(|request| (request, out))
}

fn plain() -> Request {
    let (request, _) = read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is proper");
    assert_eq!(request.desync.class(), Class::Compliant);
    request
}

fn read_chunks(input: &[u8], step: usize) -> Option<(Vec<u8>, usize, bool)> {
    let (mut body, mut data, mut taken) = (Body::new(Framing::CHUNKED), Vec::new(), 0);
    for piece in input.chunks(step) {
        taken += body.take(piece, |bytes| data.extend_from_slice(bytes)).ok()?;
        if body.is_over() {
            break;
        }
    }
    Some((data, taken, body.is_over()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &[u8] = b"POST /a?b HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\
        Connection: Upgrade, X\r\nUpgrade: y\r\nX: z\r\nExpect: 100-continue\r\nX-Request-Id: 1\r\n\r\n";
    const RESPONSE: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\
        Connection: close, X\r\nKeep-Alive: timeout=5\r\nX: z\r\n\r\n";
    const CHUNKS: &[u8] =
        b"5;a=b\r\nhello\r\n00a\r\n0123456789\r\n0\r\nDigest: x\r\n\r\nGET / HTTP/1.1\r\n";

    /// Bytes near `seed`: some changed, some left out, some put in.
    fn near(seed: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<prop::sample::Index>(), 0..3_u8, any::<u8>());
        prop::collection::vec(change, 0..6).prop_map(|changes| {
            let mut bytes = seed.to_vec();
            for (at, how, byte) in changes {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn any_request(near in near(REQUEST), any in any::<Vec<u8>>()) {
            request(&near);
            request(&any);
        }

        #[test]
        fn any_response(near in near(RESPONSE), any in any::<Vec<u8>>()) {
            response(&near);
            response(&any);
        }

        #[test]
        fn any_chunks(near in near(CHUNKS), any in any::<Vec<u8>>()) {
            chunked(&near);
            chunked(&any);
        }
    }
}
