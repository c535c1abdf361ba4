//! What a proxy changes in a head, and that it changes nothing else.

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
