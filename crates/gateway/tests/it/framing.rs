//! What can be read in two ways is not read at all: it is refused, and nothing after it is believed.

use crate::harness::{Client, End, Gateway, Message, Task};

/// What a smuggler wants a task to see.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";

/// Heads that are refused with 400, in a request that is proper otherwise.
const FIELDS: [(&str, &str); 38] = [
    ("differing lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
    ("a length with a plus", "Content-Length: +5\r\n"),
    ("a length with a minus", "Content-Length: -5\r\n"),
    ("a length in hex", "Content-Length: 0x5\r\n"),
    ("a length with a letter", "Content-Length: 5a\r\n"),
    ("a length with a point", "Content-Length: 5.0\r\n"),
    ("a length in two words", "Content-Length: 5 5\r\n"),
    ("a length of nothing", "Content-Length: \r\n"),
    ("a length in other digits", "Content-Length: \u{0665}\r\n"),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551621\r\n"),
    ("a length beyond sense", "Content-Length: 1000000000000000000\r\n"),
    (
        "chunked twice, in two fields",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ),
    ("a bare LF after a field", "X-A: b\nX-C: d\r\n"),
    ("a bare LF that hides a field", "X-A: b\nTransfer-Encoding: chunked\r\n"),
    ("a bare LF before the end", "X-A: b\r\n\nGET /smuggled HTTP/1.1\r\n"),
    ("a bare LF at the end", "X-A: b\n\r\n"),
    ("a bare CR in a value", "X-A: b\rX-C: d\r\n"),
    ("a bare CR before a CRLF", "X-A: b\r\r\n"),
    ("NUL in a value", "X-A: b\0c\r\n"),
    ("NUL in a name", "X-A\0: b\r\n"),
    ("a control character", "X-A: b\x01c\r\n"),
    ("a vertical tab before chunked", "Transfer-Encoding: \x0bchunked\r\n"),
    ("DEL in a value", "X-A: b\x7fc\r\n"),
    ("a space before the colon", "X-A : b\r\n"),
    ("a space before the colon that counts", "Content-Length : 5\r\n"),
    ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
    ("obsolete folding", "X-A: b\r\n c\r\n"),
    ("obsolete folding with a tab", "X-A: b\r\n\tc\r\n"),
    ("folding that hides a field", "X-A: b\r\n Content-Length: 5\r\n"),
    ("no colon", "X-A\r\n"),
    ("no name", ": b\r\n"),
    ("a name in two words", "X A: b\r\n"),
    ("a name with a bracket", "X[A]: b\r\n"),
    ("a name that is not ASCII", "X-\u{e4}: b\r\n"),
    ("two hosts", "Host: other\r\n"),
    ("two hosts, the same", "Host: test\r\n"),
    ("two hosts, one empty", "host:\r\n"),
    ("a name in quotes", "\"X-A\": b\r\n"),
];

/// Whole heads that are refused.
const HEADS: [(&str, &str, u16); 42] = [
    ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("a host with a user", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    ("a host that is not ASCII", "GET / HTTP/1.1\r\nHost: \u{e4}\r\n\r\n", 400),
    ("a space before the first field", "GET / HTTP/1.1\r\n Host: test\r\n\r\n", 400),
    ("a space before the request", " GET / HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a bare LF before the request", "\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a bare CR before the request", "\rGET / HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("bare LFs only", "GET / HTTP/1.1\nHost: test\n\n", 400),
    ("a bare LF after the request line", "GET / HTTP/1.1\nHost: test\r\n\r\n", 400),
    ("a method with a bracket", "GE(T / HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("no method", "/ HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("two spaces after the method", "GET  / HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("two spaces after the target", "GET /  HTTP/1.1\r\nHost: test\r\n\r\n", 505),
    ("a tab after the method", "GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a space after the version", "GET / HTTP/1.1 \r\nHost: test\r\n\r\n", 400),
    ("a target in two words", "GET /a b HTTP/1.1\r\nHost: test\r\n\r\n", 505),
    ("a target without a slash", "GET a HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a target with a fragment", "GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a target that is not ASCII", "GET /\u{e4} HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("a target with NUL", "GET /\0 HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("all targets, but not for OPTIONS", "GET * HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("an address without a host", "GET http:///a HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("an address with a query only", "GET http://a?b HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("an address with a user", "GET http://b@a/ HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("an address of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("HTTP/0.9", "GET /\r\n\r\n", 400),
    ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n", 400),
    ("a tunnel", "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", 501),
    ("a tunnel to a path", "CONNECT / HTTP/1.1\r\nHost: test\r\n\r\n", 501),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/2.0 in a request", "GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: test\r\n\r\n", 505),
    ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: test\r\n\r\n", 400),
    ("a small version", "GET / http/1.1\r\nHost: test\r\n\r\n", 505),
    (
        "another coding",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
    ),
    (
        "chunked twice",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        501,
    ),
    ("nearly chunked", "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
    (
        "chunked in quotes",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
        501,
    ),
    ("identity", "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: identity\r\n\r\n", 501),
];

/// Bodies that are no chunks.
const CHUNKS: [(&str, &str); 20] = [
    ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ("no hex", "g\r\nhello\r\n0\r\n\r\n"),
    ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
    ("a minus", "-5\r\nhello\r\n0\r\n\r\n"),
    ("0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("a space before", " 5\r\nhello\r\n0\r\n\r\n"),
    ("a space after", "5 \r\nhello\r\n0\r\n\r\n"),
    ("an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
    ("17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a bare LF after the size", "5\nhello\r\n0\r\n\r\n"),
    ("a bare CR after the size", "5\rhello\r\n0\r\n\r\n"),
    ("a bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("no CRLF after the data", "5\r\nhello0\r\n\r\n"),
    ("a bare LF after the data", "5\r\nhello\n0\r\n\r\n"),
    ("more data than said", "5\r\nhello!\r\n0\r\n\r\n"),
    ("a bare LF at the end", "5\r\nhello\r\n0\r\n\n"),
    ("a bare LF after the last size", "5\r\nhello\r\n0\n\r\n"),
    ("a space before the colon", "5\r\nhello\r\n0\r\nA : b\r\n\r\n"),
    ("a folded trailer", "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"),
    ("a trailer without a colon", "5\r\nhello\r\n0\r\nA\r\n\r\n"),
];

#[test]
fn a_head_that_can_be_read_in_two_ways_is_refused() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    for (what, fields) in FIELDS {
        let head = format!("POST / HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        refuse(&gateway, what, &(head + "0\r\n\r\n" + SMUGGLED), 400);
    }
    for (what, head, status) in HEADS {
        refuse(&gateway, what, &(head.to_owned() + SMUGGLED), status);
    }
    assert_eq!(gateway.get("/good").status(), 200);
    assert_eq!(task.targets(), ["/good"], "nothing else reached the task");
}

#[test]
fn what_comes_before_an_ambiguous_request_is_answered() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let wrong =
        "GET /wrong HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    client.send(["GET /good HTTP/1.1\r\nHost: test\r\n\r\n", wrong, SMUGGLED].concat());
    assert_eq!(client.answer().text(), "task-1");
    assert_eq!(client.answer().status(), 400);
    assert_eq!(client.rest(), (String::new(), End::Closed));
    assert_eq!(task.targets(), ["/good"]);
}

/// The bad chunk comes with the head, and after half of the body has gone to the task.
#[test]
fn a_chunk_that_is_no_chunk_ends_both_connections() {
    let task = Task::new(1, |_, wire| wire.ok("a whole request"));
    let gateway = Gateway::of(&[&task]);
    let head = "POST /chunks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (what, chunks) in CHUNKS {
        refuse(&gateway, what, &[head, chunks, SMUGGLED].concat(), 400);
        refuse(&gateway, what, &[head, "3\r\nabc\r\n", chunks, SMUGGLED].concat(), 400);
    }
    assert_eq!(gateway.get("/good").text(), "a whole request");
    assert_eq!(task.targets(), ["/good"], "no other request came whole");
}

#[test]
fn a_bad_chunk_that_comes_late_ends_both_connections() {
    let task = Task::early(1, |request, wire| {
        if request.target() == "/good" {
            return wire.ok("good");
        }
        wire.stall();
    });
    let gateway = Gateway::of(&[&task]);
    for (n, (what, chunks)) in CHUNKS.into_iter().enumerate() {
        let mut client = gateway.client();
        client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        task.until_requests(n + 1);
        // The task may have closed by the time the last of it is sent.
        client.try_send([chunks, SMUGGLED].concat()).expect("the gateway reads on for a while");
        check(what, &mut client, 400);
        task.until_closed(n + 1);
    }
    assert_eq!(gateway.get("/good").text(), "good");
    assert_eq!(task.connections(), CHUNKS.len() + 1, "no connection was used again");
}

#[test]
fn a_bad_chunk_after_an_interim_answer_is_refused_as_well() {
    let task = Task::early(1, |_, wire| {
        wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        wire.stall();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.send(head).head().status(), 100);
    client.send("no chunk\r\n");
    check("a bad chunk", &mut client, 400);
    task.until_closed(1);
}

#[test]
fn what_is_too_long_is_refused() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let long = |length| "x".repeat(length);
    let request = |target: &str, fields: &str| {
        format!("GET /{target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
    };
    let fields = |count| "X: y\r\n".repeat(count);
    refuse(&gateway, "a line of 16 KiB", &request(&long(16 << 10), ""), 414);
    refuse(&gateway, "a line without end", &long(17 << 10), 414);
    refuse(&gateway, "a head of 64 KiB", &request("", &format!("A: {}\r\n", long(64 << 10))), 431);
    refuse(
        &gateway,
        "a head without end",
        &format!("GET / HTTP/1.1\r\nA: {}", long(64 << 10)),
        431,
    );
    refuse(&gateway, "a hundred fields and the host", &request("", &fields(100)), 431);
    let extension = format!("1;{}\r\na\r\n0\r\n\r\n", long(17 << 10));
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let options = format!("Connection: close{}\r\n", ",".repeat(32));
    refuse(&gateway, "a Connection of many things", &request("", &options), 400);
    refuse(&gateway, "an extension without end", &(head.to_owned() + &extension), 400);

    for good in [request(&long(16_000), ""), request("", &fields(99))] {
        assert_eq!(gateway.client().send(good).answer().status(), 200);
    }
    let head = request("", &format!("A: {}\r\n", long(63_000)));
    assert_eq!(gateway.client().send(head).answer().status(), 200);
    assert_eq!(task.requests().len(), 3);
}

#[test]
fn proper_requests_of_every_form_pass() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let forms = [
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\n", ""),
        ("GET /?a=/b HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET /?a=/b HTTP/1.1\r\n", "a:80"),
        ("\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x HTTP/1.1\r\n", "a"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\n", "a"),
        ("GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET /c?d HTTP/1.1\r\n", "b"),
        ("GET HTTP://b:1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n", "b:1"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / HTTP/1.1\r\n", "[::1]:80"),
        ("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n", ""),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n", "a"),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "BREW / HTTP/1.1\r\n", "a"),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / HTTP/1.1\r\n", "a"),
    ];
    for (sent, line, host) in forms {
        assert_eq!(gateway.client().send(sent).answer().text(), "task-1", "{sent}");
        let seen: Message = task.requests().pop().expect("it came");
        assert!(seen.head.starts_with(line), "{sent} came as {}", seen.head);
        assert_eq!(seen.field("Host"), Some(host), "{sent}");
        assert_eq!(seen.head.to_ascii_lowercase().matches("host:").count(), 1, "{sent}");
    }
}

fn refuse(gateway: &Gateway, what: &str, request: &str, status: u16) {
    let mut client = gateway.client();
    // The gateway may have closed before the last of it is sent.
    let _ = client.try_send(latin_1(request));
    check(what, &mut client, status);
}

/// One answer, with this status, and the end.
fn check(what: &str, client: &mut Client, status: u16) {
    let answer = client.read(false).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(answer.status(), status, "{what}: {}", answer.text());
    assert_eq!(answer.field("Content-Type"), Some("application/problem+json"), "{what}");
    assert_ne!(answer.cause(), "no cause", "{what}");
    assert_eq!(answer.field("Connection"), Some("close"), "{what}");
    assert_eq!(client.rest(), (String::new(), End::Closed), "{what}: and nothing more");
}

/// Characters below 256 as single bytes, all others in UTF-8.
fn latin_1(text: &str) -> Vec<u8> {
    let bytes = |c: char| u8::try_from(c).map_or_else(|_| c.to_string().into(), |byte| vec![byte]);
    text.chars().flat_map(bytes).collect()
}
