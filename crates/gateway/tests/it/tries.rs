//! What is tried again on another task, and what is not.

use crate::harness::{Gateway, Message, Task};

/// A task that takes requests and goes away.
fn deadly(number: u32) -> Task {
    Task::new(number, |_, wire| wire.close())
}

#[test]
fn a_connection_that_is_refused_costs_nothing() {
    let (mut gone, good) = (Task::good(1), Task::good(2));
    let gateway = Gateway::of(&[&gone, &good]);
    gone.stop();
    let mut client = gateway.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "task-2");
        assert_eq!(client.post("/", "", "once").text(), "task-2");
    }
    assert_eq!(good.requests().len(), 8);
    assert_eq!(gone.requests().len(), 0);
}

#[test]
fn if_all_refuse_the_client_is_told() {
    let mut tasks = [Task::good(1), Task::good(2)];
    let gateway = Gateway::of(&[&tasks[0], &tasks[1]]);
    tasks.iter_mut().for_each(Task::stop);
    let mut client = gateway.client();
    let answer = client.get("/");
    assert_problem(&answer, 502, "task_refused");
    client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.answer_to_head().status(), 502);
    // A body that nobody took stands between this request and the next.
    let answer = client.post("/", "", "body");
    assert_problem(&answer, 502, "task_refused");
    assert_eq!(client.rest().0, "");
}

#[test]
fn what_may_be_repeated_is_repeated_elsewhere_with_its_body() {
    let body = "x".repeat(60_000);
    let requests = [
        ("GET", "", ""),
        ("HEAD", "", ""),
        ("OPTIONS", "", ""),
        ("DELETE", "", "why"),
        ("PUT", "", &body),
        ("POST", "Idempotency-Key: 7\r\n", &body),
        ("PATCH", "idempotency-key: 7\r\n", "a change"),
    ];
    for (method, fields, body) in requests {
        let (bad, good) = (deadly(1), Task::good(2));
        let gateway = Gateway::of(&[&bad, &good]);
        let mut client = gateway.client();
        let length = body.len();
        let head = format!(
            "{method} / HTTP/1.1\r\nHost: test\r\n{fields}Content-Length: {length}\r\n\r\n"
        );
        let answer = client.send(head + body).read(method == "HEAD").expect("a whole answer");
        assert_eq!(answer.status(), 200, "{method}: {}", answer.text());
        let (first, second) = (bad.requests(), good.requests());
        assert_eq!((first.len(), second.len()), (1, 1), "{method}");
        let told = |request: &Message| {
            (request.target().to_owned(), request.lines().join("\n"), request.body.clone())
        };
        assert!(
            told(&first[0]) == told(&second[0]),
            "{method}: the second try is not as the first"
        );
        assert_eq!(client.get("/").text(), "task-2", "{method}");
    }
}

#[test]
fn what_may_not_be_repeated_is_sent_once() {
    let long = "x".repeat(100_000);
    let requests =
        [("POST", "body"), ("POST", ""), ("PATCH", "body"), ("BREW", ""), ("PUT", &long)];
    for (method, body) in requests {
        let (bad, good) = (deadly(1), Task::good(2));
        let gateway = Gateway::of(&[&bad, &good]);
        let mut client = gateway.client();
        let length = body.len();
        let head = format!("{method} / HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        let answer = client.send(head + body).answer();
        assert_problem(&answer, 502, "task_closed");
        assert_eq!((bad.requests().len(), good.requests().len()), (1, 0), "{method} of {length}");
        assert_eq!(client.get("/").text(), "task-2", "the connection goes on");
    }
}

/// Half of the body was sent in the first try, the rest comes during the second.
#[test]
fn a_body_that_is_still_coming_is_repeated_too() {
    let (bad, good) = (Task::early(1, |_, wire| wire.reset()), Task::good(2));
    let gateway = Gateway::of(&[&bad, &good]);
    let mut client = gateway.client();
    client.send("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha");
    bad.until_closed(1);
    client.send("lf\r\n5\r\n done\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "task-2");
    assert_eq!(good.requests()[0].text(), "half done");
}

/// The keep-alive race: the task closes a kept connection just as a request comes over it.
#[test]
fn a_kept_connection_that_proves_stale_harms_no_request_that_may_be_repeated() {
    let task = Task::new(1, |request, wire| {
        let fresh = request.target() == "/" || wire.connection > 2;
        if fresh { wire.ok("fresh") } else { wire.reset() }
    });
    let gateway = Gateway::of(&[&task]);
    let (mut one, mut other) = (gateway.client(), gateway.client());
    for client in [&mut one, &mut other] {
        assert_eq!(client.get("/").text(), "fresh");
    }
    assert_eq!(one.get("/stale").text(), "fresh");
    assert_problem(&other.post("/stale", "", ""), 502, "task_closed");
    assert_eq!(other.get("/").text(), "fresh");
}

/// Closed before the next request comes: nothing was sent, so nothing is in doubt.
#[test]
fn a_kept_connection_that_was_closed_is_not_used() {
    let task = Task::new(1, |_, wire| {
        wire.ok("once");
        wire.close();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    for n in 1..=5 {
        assert_eq!(client.post("/", "", "body").text(), "once");
        task.until_closed(n);
    }
    assert_eq!(task.connections(), 5);
}

#[test]
fn a_query_of_death_kills_no_third_task() {
    let tasks = [deadly(1), deadly(2), deadly(3), deadly(4)];
    let gateway = Gateway::of(&[&tasks[0], &tasks[1], &tasks[2], &tasks[3]]);
    assert_problem(&gateway.get("/death"), 502, "task_closed");
    let seen: usize = tasks.iter().map(|task| task.requests().len()).sum();
    assert_eq!(seen, 2);
    gateway.until_idle();
}

/// Only a try that was sent counts for the query of death; one that was refused does not.
#[test]
fn after_a_lost_try_a_refused_one_is_still_made_good() {
    let (deadly, mut gone, good) = (deadly(1), Task::good(2), Task::good(3));
    let gateway = Gateway::of(&[&deadly, &gone, &good]);
    gone.stop();
    assert_eq!(gateway.get("/").text(), "task-3");
}

fn assert_problem(answer: &Message, status: u16, cause: &str) {
    assert_eq!((answer.status(), answer.cause()), (status, cause), "{}", answer.text());
    assert_eq!(answer.field("Content-Type"), Some("application/problem+json"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("a document");
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}
