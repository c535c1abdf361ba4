//! Heads are read and rewritten without allocating: that is most of what a request costs.

use std::time::Duration;

use allocation_counter::measure;
use seaworthy_core::call;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::http::Config;

use super::id::Ids;
use super::request::{self, Forwarded, Terms};
use super::response::{self, From};

const REQUESTS: [&[u8]; 3] = [
    b"GET /products?q=lamp HTTP/1.1\r\nHost: test\r\nAccept: */*\r\nUser-Agent: x\r\nCookie: a=b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4096\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Request-Id: 1\r\nConnection: X, close\r\n\r\n",
];
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\
    Keep-Alive: timeout=5\r\nDate: Tue, 24 Nov 2026 17:00:00 GMT\r\n\r\n";

#[test]
fn a_request_and_its_answer_allocate_nothing() {
    let forwarded = Forwarded { address: "10.0.0.1".to_owned(), port: "80".to_owned() };
    let (call, http) = (call::Config::plain(Duration::from_secs(1), 1), Config::default());
    let terms = Terms { call: &call, http: &http, sticky_cookie: Some("task"), affinity: None };
    let (mut ids, mut out) = (Ids::new([1, 2]), Vec::with_capacity(1 << 12));
    let allocated = measure(|| {
        for input in REQUESTS {
            let request = request::read(input, &forwarded, terms, &mut ids, &mut out);
            let request = request.expect("it is proper").expect("it is whole");
            let from = From { task: TaskId(1), sticky_cookie: None, client_stays: true };
            let response = response::read(RESPONSE, &request, from, &mut out);
            response.expect("it is proper").expect("it is whole");
        }
    });
    assert_eq!(allocated.count_total, 0);
}
