//! What a service does not take, and for whom it does not wait.

use std::io::Write;

use serde_json::json;

use crate::harness::{End, Gateway, PATIENCE, Task};

fn service(http: &serde_json::Value, task: &Task) -> Gateway {
    Gateway::of_service(&json!({ "http": http }), &[task])
}

#[test]
fn a_body_beyond_the_limit_is_refused_as_soon_as_it_is_known() {
    let task = Task::good(1);
    let gateway = service(&json!({ "longest_body": 10 }), &task);
    let mut client = gateway.client();
    for good in [
        "Content-Length: 10\r\n\r\n0123456789",
        "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
    ] {
        client.send(format!("POST /good HTTP/1.1\r\nHost: test\r\n{good}"));
        assert_eq!(client.answer().status(), 200, "{good}");
    }
    // Of none of these all has come.
    for bad in [
        "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nb\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n",
    ] {
        let mut client = gateway.client();
        let answer = client.send(format!("POST /bad HTTP/1.1\r\nHost: test\r\n{bad}")).answer();
        assert_eq!((answer.status(), answer.cause()), (413, "body_too_long"), "{bad}");
        assert_eq!(client.half_close().rest(), (String::new(), End::Closed), "{bad}");
    }
    assert_eq!(task.targets(), ["/good", "/good"]);
}

#[test]
fn a_service_says_how_long_a_head_may_be() {
    let task = Task::good(1);
    let http = json!({ "longest_line": 100, "longest_head": 500, "most_fields": 4 });
    let gateway = service(&http, &task);
    let get = |target: &str, fields: &str| {
        let head = format!("GET /{target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        gateway.client().send(head).answer().status()
    };
    assert_eq!(get(&"x".repeat(90), ""), 200);
    assert_eq!(get(&"x".repeat(100), ""), 414);
    assert_eq!(get("", &"A: b\r\n".repeat(3)), 200);
    assert_eq!(get("", &"A: b\r\n".repeat(4)), 431);
    assert_eq!(get("", &format!("A: {}\r\n", "b".repeat(500))), 431);
}

/// A byte now and then keeps it going; silence does not.
#[test]
fn a_body_that_stops_coming_is_given_up() {
    let task = Task::early(1, |_, wire| wire.stall());
    let gateway = service(&json!({ "body_timeout": "300ms" }), &task);
    for body in ["", "half"] {
        let mut client = gateway.client();
        client.send(format!("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{body}"));
        let answer = client.answer();
        assert_eq!((answer.status(), answer.cause()), (408, "slow_body"));
        assert_eq!(client.half_close().rest(), (String::new(), End::Closed));
    }
    task.until_closed(2);
    gateway.until_idle();
}

/// It is the task that is waited for, and the call's deadline is for that.
#[test]
fn a_client_that_waits_for_a_word_is_not_slow() {
    let task = Task::early(1, |_, wire| wire.stall());
    let settings = json!({ "http": { "body_timeout": "1ms" }, "call": { "timeout": "300ms" } });
    let gateway = Gateway::of_service(&settings, &[&task]);
    let mut client = gateway.client();
    client
        .send("PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.answer().cause(), "deadline");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 1 << 16];
        while wire.stream.get_mut().write_all(&piece).is_ok() {}
        wire.close();
    });
    let gateway = service(&json!({ "write_timeout": "300ms" }), &task);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    task.until_closed(1);
    gateway.until_idle();
    assert_eq!(client.rest().1, End::Reset, "nobody takes that for a whole answer");
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let task = Task::good(1);
    let gateway = service(&json!({ "idle_timeout": "300ms" }), &task);
    let mut client = gateway.client();
    assert_eq!(client.get("/").text(), "task-1");
    assert_eq!(client.rest(), (String::new(), End::Closed));
    assert_eq!(gateway.client().rest(), (String::new(), End::Closed));
}

/// However it dawdles: a byte now and then buys no time.
#[test]
fn a_head_that_does_not_come_whole_is_not_waited_for() {
    let task = Task::good(1);
    let gateway = service(&json!({ "head_timeout": "500ms" }), &task);
    let (mut client, mut slow) = (gateway.client(), gateway.client());
    client.send("GET / HTTP/1.1\r\nHost: te");
    let piece = std::time::Duration::from_millis(100);
    slow.stream.get_ref().set_read_timeout(Some(piece)).expect("it is open");
    let pieces = PATIENCE.as_millis() / piece.as_millis();
    let answer = (0..pieces).find_map(|_| slow.send("x").read(false).ok()).expect("an answer");
    assert_eq!((answer.status(), answer.cause()), (408, "slow_head"));
    assert_eq!(client.answer().status(), 408);
    assert_eq!(client.rest(), (String::new(), End::Closed));
    assert_eq!(task.requests().len(), 0);
}

#[test]
fn an_expectation_that_nobody_knows_is_refused() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    for expectation in ["200-ok", "100-continue, 200-ok", "100-continue;q=1", ""] {
        let mut client = gateway.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: test\r\nExpect: {expectation}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status(), answer.cause()), (417, "unknown_expectation"));
    }
    assert_eq!(task.requests().len(), 0);
}

/// An older client would not know what to do with a word in between.
#[test]
fn an_expectation_without_a_body_or_of_http_1_0_is_not_passed_on() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    for head in [
        "GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(gateway.client().send(head).answer().status(), 200, "{head}");
        let seen = task.requests().pop().expect("it came");
        assert_eq!(seen.field("Expect"), None, "{head}");
    }
}
