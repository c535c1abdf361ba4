//! Heads, read and rewritten.

use proptest::prelude::*;

use seaworthy_core::fleet::http::Desync;

use super::*;
use crate::http::desync::Class;

const HEADS: [&str; 6] = [
    "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET /a?b HTTP/1.1\r\nHost: test\r\nX: y\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nConnection: X\r\nX: y\r\n\r\n",
    "PUT http://a/ HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\nX-Forwarded-For: y\r\n\r\n",
];

/// What of a request's faults its task sees: they leave one reading.
const PASSED_ON: [Reason; 4] = [
    Reason::NonCompliantHeader,
    Reason::NonCompliantMethod,
    Reason::UndefinedContentLengthSemantics,
    Reason::UndefinedTransferEncodingSemantics,
];

fn rewrite(input: &[u8]) -> Result<Option<(Request, Vec<u8>)>, Fault> {
    rewrite_as(input, &Config::default())
}

fn rewrite_as(input: &[u8], http: &Config) -> Result<Option<(Request, Vec<u8>)>, Fault> {
    let forwarded = Forwarded { address: "10.0.0.1".into(), port: "80".into() };
    let call = call::Config::plain(Duration::from_secs(1), 1);
    let terms = Terms { call: &call, http, sticky_cookie: Some("task"), affinity: None };
    let (mut ids, mut out) = (Ids::new([1, 2]), Vec::new());
    Ok(read(input, &forwarded, terms, &mut ids, &mut out)?.map(|request| (request, out)))
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
    let expected = Request { length: 25, id: got.id, ..Request::PLAIN };
    assert_eq!(got, expected);
    let close = request(b"GET / HTTP/1.1\r\nHost:\r\nConnection: Close\r\n\r\n");
    assert_eq!(close, Request { length: 44, keep_alive: false, ..expected });
    let old = request(b"HEAD / HTTP/1.0\r\n\r\n");
    let expected = Request { length: 19, http_11: false, keep_alive: false, ..expected };
    assert_eq!(old, Request { head_only: true, ..expected });
    let posted = request(b"POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n");
    let framing = Framing::Length(7);
    assert_eq!(posted, Request { length: 38, framing, repeatable: false, safe: false, ..expected });
}

#[test]
fn a_client_says_how_long_it_waits_and_whom_it_is_used_to() {
    let says = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost:\r\n{fields}\r\n\r\n");
        let (request, out) = rewrite(head.as_bytes()).unwrap().unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.contains("Cookie"), fields.contains("Cookie"), "it is the task's as well");
        assert!(!out.to_lowercase().contains("timeout"), "another one is written: {out}");
        (request.timeout.map(|timeout| timeout.as_millis()), request.preferred.map(|task| task.0))
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
            let desync = again.desync;
            prop_assert!(desync == Reason::Compliant || PASSED_ON.contains(&desync), "{desync}");
            let keep_alive = again.keep_alive;
            // What is left of the time is written when it is sent.
            let expected =
                Request { length, http_11: true, keep_alive, timeout: None, desync, ..request };
            prop_assert_eq!(again, expected);
        }
    }
}

fn class_of(head: &str, mode: Desync) -> Result<(Reason, bool), Fault> {
    let http = Config { desync: mode, ..Config::default() };
    let read = rewrite_as(head.as_bytes(), &http)?;
    let (request, _) = read.expect("it is whole");
    Ok((request.desync, request.keep_alive))
}

/// What a mode takes, and whether the client's connection goes on.
#[test]
fn a_mode_takes_the_classes_that_it_should() {
    use Desync::{Defensive, Monitor, Strictest};
    let rows = [
        ("GET / HTTP/1.1\r\n", Reason::Compliant),
        ("GET / HTTP/1.1\r\nX: \u{e4}\r\n", Reason::NonCompliantHeader),
        ("get / HTTP/1.1\r\n", Reason::NonCompliantMethod),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\n", Reason::GetHeadZeroContentLength),
        ("HEAD / HTTP/1.1\r\nContent-Length: 1\r\n", Reason::UndefinedContentLengthSemantics),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
            Reason::UndefinedTransferEncodingSemantics,
        ),
        ("PUT / HTTP/1.1\r\nContent-Length: 1, 1\r\n", Reason::DuplicateContentLength),
        ("PUT / HTTP/1.1\r\nContent_Length: 1\r\n", Reason::SuspiciousHeader),
    ];
    for (head, reason) in rows {
        let head = format!("{head}Host: test\r\n\r\n");
        let compliant = reason == Reason::Compliant;
        let goes_on = reason.class() < Class::Ambiguous;
        assert_eq!(class_of(&head, Monitor), Ok((reason, true)), "{head}");
        assert_eq!(class_of(&head, Defensive), Ok((reason, goes_on)), "{head}");
        let strict = if compliant { Ok((reason, true)) } else { Err(Fault::Desync(reason)) };
        assert_eq!(class_of(&head, Strictest), strict, "{head}");
    }
    let both =
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for mode in [Monitor, Defensive] {
        assert_eq!(class_of(both, mode), Ok((Reason::BothTeClPresent, false)), "always the end");
    }
    let severe = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    for mode in [Monitor, Defensive, Strictest] {
        assert!(matches!(
            class_of(severe, mode),
            Err(Fault::Desync(Reason::MultipleContentLength))
        ));
    }
}

#[test]
fn an_upgrade_is_passed_on_if_it_is_one_and_leads_to_no_http() {
    let upgrade = |line: &str, fields: &str| {
        let head = format!("{line}\r\nHost: test\r\n{fields}\r\n\r\n");
        let (request, out) = rewrite(head.as_bytes()).unwrap().unwrap();
        let passed = String::from_utf8(out).unwrap().contains("Upgrade: ");
        assert_eq!(request.upgrade, passed, "{head}");
        assert!(!request.upgrade || (!request.repeatable && !request.safe));
        passed
    };
    let (get, both) = ("GET / HTTP/1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket");
    assert!(upgrade(get, both));
    assert!(upgrade(get, &both.replace("websocket", "x/1, y")));
    assert!(!upgrade("GET / HTTP/1.0", both));
    assert!(!upgrade("PUT / HTTP/1.1", both));
    assert!(!upgrade(get, "Upgrade: websocket"));
    assert!(!upgrade(get, "Connection: Upgrade"));
    assert!(!upgrade(get, &format!("{both}\r\nUpgrade: x")));
    assert!(!upgrade(get, &format!("{both}\r\nContent-Length: 1")));
    for http in ["h2c", "websocket, H2C", "HTTP/2.0", "h2"] {
        assert!(!upgrade(get, &both.replace("websocket", http)), "{http}");
    }
}
