//! A task that does not answer properly: 502, or a broken connection if it is too late for that.

use crate::harness::{End, Gateway, Task};

/// Answers that can be read in two ways, or not at all.
const MALFORMED: [(&str, &str); 22] = [
    ("garbage", "\u{1}\u{2}\u{3}\r\n\r\n"),
    ("a greeting", "220 mail.test ESMTP\r\n\r\n"),
    ("HTTP/2", "HTTP/2 200 OK\r\n\r\n"),
    ("no status", "HTTP/1.1 OK\r\n\r\n"),
    ("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"),
    ("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"),
    ("a status below 100", "HTTP/1.1 099 OK\r\n\r\n"),
    (
        "both lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    ),
    ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    (
        "the same length twice",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
    ("a length below nothing", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"),
    ("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nok"),
    ("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"),
    ("a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\nok"),
    ("NUL", "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\nok"),
    ("a bare CR", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\nok"),
    ("a field without a name", "HTTP/1.1 200 OK\r\n: b\r\n\r\nok"),
    (
        "another protocol",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ),
    ("no chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello"),
    (
        "a length on an interim answer that counts twice",
        "HTTP/1.1 100 C\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ),
    ("interim, then garbage", "HTTP/1.1 103 Early Hints\r\n\r\ngarbage\r\n\r\n"),
];

#[test]
fn a_malformed_answer_is_not_passed_on() {
    for (what, bytes) in MALFORMED {
        let task = Task::new(1, move |_, wire| {
            wire.say(bytes.chars().map(|c| u8::try_from(c).expect("a byte")).collect::<Vec<_>>());
            wire.stall();
        });
        let other = Task::good(2);
        let gateway = Gateway::of(&[&task, &other]);
        let mut client = gateway.client();
        let mut answer = client.get("/");
        if answer.status() == 103 {
            answer = client.answer();
        }
        assert_eq!((answer.status(), answer.cause()), (502, "task_malformed"), "{what}");
        task.until_closed(1);
        // Ours are answers like any other: the connection goes on.
        assert_eq!(client.get("/").text(), "task-2", "{what}");
        assert_eq!(
            other.requests().len(),
            1,
            "{what}: an answer is an answer, so no other is sought"
        );
    }
}

/// That is not proper, but it is common, and what the client gets can be read in one way only.
#[test]
fn an_answer_with_bare_line_feeds_is_mended() {
    let task = Task::new(1, |_, wire| wire.say("HTTP/1.1 200 OK\nA: b\r\nContent-Length: 2\n\nok"));
    let gateway = Gateway::of(&[&task]);
    let answer = gateway.get("/");
    assert_eq!(answer.lines(), ["A: b", "Content-Length: 2", "X-Seaworthy-Task: task-1"]);
    assert_eq!(answer.text(), "ok");
}

#[test]
fn an_answer_that_is_too_long_in_the_head_is_not_passed_on() {
    let heads = [format!("A: {}\r\n", "x".repeat(33 << 10)), "A: b\r\n".repeat(101)];
    for fields in heads {
        let task =
            Task::new(1, move |_, wire| wire.say(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")));
        let gateway = Gateway::of(&[&task]);
        assert_eq!(gateway.get("/").cause(), "task_malformed");
    }
    let longest =
        format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(32_000));
    let task = Task::new(1, move |_, wire| wire.say(&longest));
    let gateway = Gateway::of(&[&task]);
    assert_eq!(gateway.get("/").status(), 200);
}

/// Half an answer, and the end: nobody takes it for a whole one, nobody seeks another.
#[test]
fn half_an_answer_breaks_the_clients_connection_off() {
    let halves = [
        ("a length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        ("no body yet", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        ("a whole chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        ("no end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n"),
    ];
    for (what, half) in halves {
        for reset in [false, true] {
            let task = Task::new(1, move |_, wire| {
                wire.say(half);
                if reset { wire.reset() } else { wire.close() }
            });
            let other = Task::good(2);
            let gateway = Gateway::of(&[&task, &other]);
            for version in ["1.1", "1.0"] {
                let mut client = gateway.client();
                client.send(format!("GET / HTTP/{version}\r\nHost: test\r\n\r\n"));
                assert_eq!(client.rest().1, End::Reset, "{what} in HTTP/{version}");
                assert_eq!(gateway.get("/other").text(), "task-2");
            }
            assert_eq!(other.targets(), ["/other", "/other"], "{what}");
            gateway.until_idle();
        }
    }
}

#[test]
fn a_chunk_that_is_no_chunk_breaks_the_clients_connection_off() {
    let gate = crate::harness::Gate::default();
    let proceed = gate.clone();
    let task = Task::new(1, move |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        proceed.pass();
        wire.say("0\r\n\n");
        wire.stall();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    gate.open();
    assert_eq!(client.rest().1, End::Reset);
    task.until_closed(1);
}

#[test]
fn an_answer_until_the_end_that_is_broken_off_is_broken_off() {
    let gate = crate::harness::Gate::default();
    let proceed = gate.clone();
    let task = Task::new(1, move |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\n\r\nhalf");
        proceed.pass();
        wire.reset();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    gate.open();
    assert_eq!(client.rest().1, End::Reset);
}

#[test]
fn half_a_head_is_no_answer() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Le");
        wire.close();
    });
    let other = Task::good(2);
    let gateway = Gateway::of(&[&task, &other]);
    let answer = gateway.get("/");
    assert_eq!((answer.status(), answer.cause()), (502, "task_closed"));
    assert_eq!(other.requests().len(), 0, "it was answered, if badly");
}
