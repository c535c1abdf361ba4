//! Connections are kept on both sides, as long as both sides agree where a message ends.

use std::io::ErrorKind;

use serde_json::json;

use crate::harness::{End, Gate, Gateway, Task};

#[test]
fn one_connection_carries_many_requests_on_either_side() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    for n in 0..20 {
        assert_eq!(client.get(&format!("/{n}")).text(), "task-1");
        assert_eq!(client.post(&format!("/{n}"), "", "body").text(), "task-1");
    }
    assert_eq!(task.requests().len(), 40);
    assert_eq!(task.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let task =
        Task::new(1, |request, wire| wire.ok(&format!("{}{}", request.target(), request.text())));
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let request = |n: usize| match n % 3 {
        0 => format!("GET /{n} HTTP/1.1\r\nHost: test\r\n\r\n"),
        1 => format!("POST /{n} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n=a"),
        _ => format!(
            "POST /{n} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n=a\r\n0\r\n\r\n"
        ),
    };
    // Far more than is read ahead.
    let all: String = (0..2_000).map(request).collect();
    client.send(all).half_close();
    for n in 0..2_000 {
        let body = if n % 3 == 0 { "" } else { "=a" };
        assert_eq!(client.answer().text(), format!("/{n}{body}"));
    }
    assert_eq!(client.rest(), (String::new(), End::Closed));
    assert_eq!(task.connections(), 1);
}

#[test]
fn a_client_that_has_stopped_sending_gets_its_answer() {
    let gate = Gate::default();
    let answer = gate.clone();
    let task = Task::new(1, move |request, wire| {
        answer.pass();
        wire.ok(request.text());
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello").half_close();
    task.until_requests(1);
    gate.open();
    assert_eq!(client.answer().text(), "hello");
    assert_eq!(client.rest(), (String::new(), End::Closed));
}

/// It waits from then on, and for whoever waits nothing has been done.
#[test]
fn a_client_that_has_stopped_sending_is_gone_once_no_task_has_its_request() {
    for request in [
        "GET /gone HTTP/1.1\r\nHost: test\r\n\r\n",
        "PUT /gone HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (mut silent, next) = (Task::new(1, |_, _| {}), Task::good(2));
        let gateway = Gateway::with(&json!({ "queue": {} }), &[&silent]);
        let mut client = gateway.client();
        client.send(request).half_close();
        silent.until_requests(1);
        silent.stop();
        assert_eq!(client.rest().0, "", "{request}");
        gateway.register(&[&next]);
        assert_eq!(gateway.get("/").text(), "task-2");
        assert_eq!(next.targets(), ["/"], "{request}");
    }
}

/// Where a setting says so: most who stop sending have closed, and nobody reads what they get.
#[test]
fn a_client_that_has_stopped_sending_can_count_as_gone() {
    let gate = Gate::default();
    let answer = gate.clone();
    let task = Task::new(1, move |_, wire| {
        answer.pass();
        wire.ok("to nobody");
    });
    let gone = json!({ "http": { "half_close": "gone" } });
    let gateway = Gateway::of_service(&gone, &[&task]);
    let requests = [
        "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
    ];
    for (n, request) in (1..).zip(requests) {
        let mut client = gateway.client();
        client.send(request);
        task.until_requests(n);
        assert_eq!(client.half_close().rest().0, "", "{request}");
        gateway.until_idle();
    }
    gate.open();
    task.until_closed(2);
}

#[test]
fn a_request_that_is_cut_short_reaches_nobody_whole() {
    let task = Task::new(1, |_, wire| wire.ok("a whole request"));
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send("GET /half HTTP/1.1\r\nHost: te").half_close();
    assert_eq!(client.answer().status(), 400);
    let mut client = gateway.client();
    client.send("POST /half HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf").half_close();
    assert_eq!(client.rest().0, "");
    gateway.until_idle();
    assert_eq!(task.targets(), [""; 0]);
    assert_eq!(gateway.get("/").text(), "a whole request");
}

#[test]
fn the_client_says_whether_its_connection_goes_on() {
    let task = Task::new(1, |_, wire| {
        wire.say(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
        );
    });
    let by_length = Task::good(2);
    let gateway = Gateway::of(&[&task, &by_length]);
    let gone = (String::new(), End::Closed);

    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Connection")), ("hi", Some("close")));
    assert_eq!(client.rest(), gone);

    let mut client = gateway.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Connection")), ("task-2", Some("close")));
    assert_eq!(client.rest(), gone);

    // It does not know chunks, so it gets the data, up to the end.
    let mut client = gateway.client();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Transfer-Encoding")), ("hi", None));
    assert_eq!(answer.field("Connection"), Some("close"));

    let mut client = gateway.client();
    client.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Connection")), ("task-2", Some("keep-alive")));
    client.send("HEAD / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer_to_head().field("Transfer-Encoding"), None);
    assert_eq!(client.rest(), gone);
}

/// What a client still sends after its last request must not cost it the answer.
#[test]
fn the_last_answer_arrives_whatever_the_client_still_sends() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    for last in ["HTTP/1.1\r\nHost: test\r\nConnection: close", "HTTP/1.0"] {
        let mut client = gateway.client();
        let more = "GET /more HTTP/1.1\r\nHost: test\r\n\r\n".repeat(10_000);
        client.send(format!("GET / {last}\r\n\r\n{more}")).half_close();
        assert_eq!(client.answer().text(), "task-1");
        assert_eq!(client.rest(), (String::new(), End::Closed));
    }
    assert_eq!(task.targets(), ["/", "/"]);
}

/// It sends and never reads: sooner or later not even an answer of ours gets rid of its bytes.
#[test]
fn a_client_that_does_not_read_is_not_waited_for_for_ever() {
    let gateway = Gateway::of(&[]);
    let mut client = gateway.client();
    let requests = "GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(1_000);
    while client.try_send(&requests).is_ok() {}
    let broken = client.try_send("x").expect_err("the connection has ended");
    assert!(
        matches!(broken.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
        "{broken}"
    );
}

#[test]
fn a_connection_is_used_again_only_if_its_answer_has_ended() {
    let answers = [
        ("in order", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        (
            "kept by name",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            true,
        ),
        (
            "closing",
            "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nok",
            false,
        ),
        ("of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        (
            "of HTTP/1.0 in chunks",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            false,
        ),
        ("too long", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok+", false),
        (
            "two at once",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
            false,
        ),
        ("with a body it must not have", "HTTP/1.1 204 No\r\n\r\nok", false),
    ];
    for (what, bytes, again) in answers {
        let task = Task::new(1, move |_, wire| wire.say(bytes));
        let gateway = Gateway::of(&[&task]);
        let mut client = gateway.client();
        for _ in 0..3 {
            let answer = client.get("/");
            assert!(matches!((answer.status(), answer.text()), (200, "ok") | (204, "")), "{what}");
        }
        assert_eq!(task.connections(), if again { 1 } else { 3 }, "an answer {what}");
    }
}

#[test]
fn a_kept_connection_that_says_something_by_itself_is_not_used_again() {
    let (answered, spoken) = (Gate::default(), Gate::default());
    let (speak, spoke) = (answered.clone(), spoken.clone());
    let task = Task::new(1, move |request, wire| {
        wire.ok(request.target());
        if request.target() == "/1" {
            speak.pass();
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
            spoke.open();
            wire.stall();
        }
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    assert_eq!(client.get("/1").text(), "/1");
    answered.open();
    spoken.pass();
    assert_eq!(client.get("/2").text(), "/2");
    task.until_closed(1);
}

/// As Node closes an idle connection just when the next request is under way: no GET is lost by it,
/// and no POST that was sent is sent again.
#[test]
fn a_task_that_closes_its_connections_as_it_likes_costs_no_get_and_doubles_no_post() {
    let task = |number| {
        Task::new(number, move |request, wire| {
            let turn = request.target().bytes().fold(0_u32, |sum, byte| sum * 31 + u32::from(byte));
            // What comes over a fresh connection is always answered.
            let kept = wire.served > 0;
            wire.served += 1;
            match turn % 5 {
                0 if kept => wire.close(),
                1 if kept => wire.reset(),
                2 => {
                    wire.ok(request.target());
                    wire.close();
                }
                _ => wire.ok(request.target()),
            }
        })
    };
    let tasks = [task(1), task(2)];
    // Each try that a stale connection cost is from the budget.
    let settings = json!({ "retry_budget": { "success_percent": 100, "cap": 1000 } });
    let gateway = Gateway::with(&settings, &[&tasks[0], &tasks[1]]);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut client = gateway.client();
                for n in 0..200 {
                    let target = format!("/{number}/{n}");
                    if n % 4 == 0 {
                        let answer = client.post(&target, "", "once");
                        assert!(matches!(answer.status(), 200 | 502), "{}", answer.head);
                    } else {
                        assert_eq!(client.get(&target).text(), target);
                    }
                }
            });
        }
    });
    let mut posts: Vec<String> = tasks
        .iter()
        .flat_map(Task::requests)
        .filter(|request| request.head.starts_with("POST"))
        .map(|request| request.target().to_owned())
        .collect();
    let count = posts.len();
    posts.sort();
    posts.dedup();
    assert_eq!(posts.len(), count, "a POST was sent twice");
}
