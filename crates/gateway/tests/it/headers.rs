//! What a proxy changes in a head, and that it changes nothing else.

use serde_json::json;

use crate::harness::{Gateway, Task};

/// Fields that mean something on one connection only.
const HOP_BY_HOP: &str = "Connection: close, X-Mine ,,keep-alive\r\nX-Mine: a\r\nKeep-Alive: timeout=5\r\n\
    Proxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: websocket\r\nconnection: x-other\r\n\
    x-OTHER: b\r\nX-Other: c\r\n";

#[test]
fn a_request_loses_and_gains_just_what_a_proxy_must_change() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let kept = [
        "accept: */*",
        "X-Empty: ",
        "X-TWICE: 1",
        "Cookie: a=b; c=\"d\"",
        "x-twice: 2",
        "X-Others: no hop-by-hop field",
        "X-Bytes: \u{e4}\u{ff}\u{80}",
        "X-Seaworthy-Task: mine",
        "X-Spaces: a  b\tc",
        "Trailer: Digest",
        "Range: bytes=0-1",
    ];
    let (before, after) = kept.split_at(6);
    let head = format!(
        "GET /a?b HTTP/1.1\r\n{}\r\nHost: Test:80\r\n{HOP_BY_HOP}{}\r\n\r\n",
        before.join("\r\n"),
        after.join("\r\n")
    );
    let bytes: Vec<u8> = head.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
    gateway.client().send(bytes).answer();

    let seen = task.requests().remove(0);
    let port = gateway.address.port().to_string();
    let gained = ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Port: "];
    let mut expected: Vec<String> = before.iter().map(ToString::to_string).collect();
    expected.push("Host: Test:80".into());
    expected.extend(after.iter().chain(&gained).map(ToString::to_string));
    expected.last_mut().expect("the port").push_str(&port);
    assert_eq!(seen.lines(), expected);
    assert!(seen.head.starts_with("GET /a?b HTTP/1.1\r\n"), "{}", seen.head);
}

#[test]
fn who_was_forwarded_before_is_not_forgotten_and_the_rest_is_ours_to_say() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    gateway.client().send(
        "GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nHost: test\r\nX-Forwarded-Proto: https\r\n\
         x-forwarded-for: 10.0.0.3\r\nX-Forwarded-Port: 443\r\nConnection: X-Forwarded-For\r\n\r\n",
    ).answer();
    let port = format!("X-Forwarded-Port: {}", gateway.address.port());
    let forwarded = "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1";
    let expected = ["Host: test", forwarded, "X-Forwarded-Proto: http", &port];
    assert_eq!(task.requests()[0].lines(), expected);
}

/// Naming it in `Connection` takes no field away that says where the message ends or to whom it is.
#[test]
fn a_field_that_matters_to_us_cannot_be_named_away() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let named = "Connection: Host, Content-Length, Transfer-Encoding\r\n";
    assert_eq!(client.post("/", named, "hello").text(), "task-1");
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: test\r\n{named}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ));
    assert_eq!(client.answer().text(), "task-1");
    for request in task.requests() {
        assert_eq!((request.text(), request.field("Host")), ("hello", Some("test")));
    }
}

#[test]
fn an_answer_loses_and_gains_just_what_a_proxy_must_change() {
    let kept = [
        "Server: a/b (c)",
        "Set-Cookie: a=1",
        "date: now",
        "Set-Cookie: a=2",
        "X-Empty: ",
        "X-Bytes: \u{e4}\u{ff}\u{80}",
        "Host: even this",
        "X-Forwarded-For: and this",
        "Trailer: Digest",
        "Content-Type: text/plain; charset=\"x\"",
    ];
    let fields = kept.join("\r\n");
    let head =
        format!("HTTP/1.1 299 Quite  So!\r\n{HOP_BY_HOP}{fields}\r\nContent-Length: 2\r\n\r\nok");
    let bytes: Vec<u8> = head.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
    let task = Task::new(7, move |_, wire| wire.say(&bytes));
    let gateway = Gateway::of(&[&task]);
    let answer = gateway.get("/");
    assert!(answer.head.starts_with("HTTP/1.1 299 Quite  So!\r\n"), "{}", answer.head);
    let gained = ["Content-Length: 2", "X-Seaworthy-Task: task-7"];
    assert_eq!(answer.lines(), [&kept[..], &gained].concat());
    assert_eq!(answer.text(), "ok");
}

#[test]
fn a_task_may_name_itself() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nx-seaworthy-task: me\r\nContent-Length: 0\r\n\r\n");
    });
    let gateway = Gateway::of(&[&task]);
    assert_eq!(gateway.get("/").lines(), ["x-seaworthy-task: me", "Content-Length: 0"]);
}

#[test]
fn a_service_says_what_becomes_of_the_addresses() {
    let fields = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n";
    let seen = |mode: &str, fields: &str| {
        let task = Task::good(1);
        let settings = json!({ "http": { "forwarded": mode } });
        let gateway = Gateway::of_service(&settings, &[&task]);
        gateway.client().send(format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).answer();
        let port = gateway.address.port().to_string();
        let seen = task.requests().remove(0);
        assert_eq!(seen.field("X-Forwarded-Port"), Some(port.as_str()));
        ["X-Forwarded-For", "X-Forwarded-Proto"].map(|name| seen.field(name).map(str::to_owned))
    };
    let told = |address: &str, proto: &str| {
        [(!address.is_empty()).then(|| address.to_owned()), Some(proto.to_owned())]
    };
    assert_eq!(seen("append", fields), told("10.0.0.1, 127.0.0.1", "http"));
    assert_eq!(seen("preserve", fields), told("10.0.0.1", "https"));
    assert_eq!(seen("remove", fields), told("", "http"));
    assert_eq!(seen("append", ""), told("127.0.0.1", "http"));
    assert_eq!(seen("preserve", ""), told("", "http"));
    assert_eq!(seen("remove", ""), told("", "http"));
}

#[test]
fn more_addresses_than_are_allowed_are_refused() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let get = |count| {
        let addresses = vec!["10.0.0.1"; count].join(", ");
        let head = format!(
            "GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {addresses}\r\nX-Forwarded-For: ::1\r\n\r\n"
        );
        let answer = gateway.client().send(head).answer();
        (answer.status(), answer.cause().to_owned())
    };
    assert_eq!(get(29).0, 200);
    assert_eq!(get(30), (463, "too_many_forwarded".to_owned()));
    assert_eq!(task.requests().len(), 1);
}

/// The task, the client and the problem document name a request alike.
#[test]
fn a_request_has_one_name_everywhere() {
    let task = Task::new(1, |request, wire| {
        if request.target() == "/close" {
            return wire.close();
        }
        wire.say("HTTP/1.1 200 OK\r\nX-Request-Id: the-tasks\r\nContent-Length: 0\r\n\r\n");
    });
    let get = |gateway: &Gateway, target: &str, id: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: test\r\nX-Request-Id: {id}\r\n\r\n");
        let answer = gateway.client().send(head).answer();
        let seen = task.requests().pop().expect("it came");
        let id = seen.field("X-Request-Id").expect("it has one").to_owned();
        assert_eq!(answer.field("X-Request-Id"), Some(id.as_str()));
        assert_eq!(seen.head.matches("X-Request-Id").count(), 1);
        if target == "/close" {
            let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(problem["request_id"], id.as_str());
        }
        id
    };
    let is_ours = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let trusting = Gateway::of(&[&task]);
    for target in ["/", "/close"] {
        assert_eq!(get(&trusting, target, "mine-1"), "mine-1");
        for improper in ["", "two words", &"x".repeat(129)] {
            assert!(is_ours(&get(&trusting, target, improper)), "{improper}");
        }
    }
    assert_ne!(get(&trusting, "/", ""), get(&trusting, "/", ""));
    drop(trusting);
    let replacing = Gateway::of_service(&json!({ "http": { "request_id": "replace" } }), &[&task]);
    assert!(is_ours(&get(&replacing, "/", "mine-1")));
}

#[test]
fn a_trace_goes_on_or_begins() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let seen = |fields: &str| {
        gateway.client().send(format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).answer();
        let seen = task.requests().pop().expect("it came");
        assert_eq!(seen.head.to_lowercase().matches("traceparent").count(), 1, "{}", seen.head);
        let field = |name| seen.field(name).map(str::to_owned);
        (field("traceparent").expect("there is one"), field("tracestate"))
    };
    let proper = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let state = "tracestate: a=b\r\n";
    let given = format!("Traceparent: {proper}\r\n");
    assert_eq!(seen(&format!("{given}{state}")), (proper.to_owned(), Some("a=b".to_owned())));
    for improper in ["", "traceparent: none\r\n", &given.repeat(2), &given.to_uppercase()] {
        let (begun, state) = seen(&format!("{improper}{state}"));
        assert_ne!(begun, proper);
        assert_eq!((begun.len(), state), (55, None), "{improper}");
    }
}
