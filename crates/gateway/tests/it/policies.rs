//! The three patterns before a service: what the client gets, and what the task is spared.

use serde_json::json;

use crate::harness::{Gate, Gateway, Message, Task};

/// Answers with the status in the target, `/500` with 500.
fn as_asked(number: u32) -> Task {
    Task::new(number, |request, wire| {
        let status = request.target().trim_start_matches('/').split('?').next().unwrap_or("200");
        wire.say(format!("HTTP/1.1 {status} Asked\r\nContent-Length: 0\r\n\r\n"));
    })
}

#[test]
fn a_task_is_told_what_is_left_of_the_time_and_that_shrinks() {
    let task = Task::good(1);
    let gateway = Gateway::with(&json!({ "timeout": "10s" }), &[&task]);
    let left = |fields: &str| {
        gateway.client().send(format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).answer();
        let requests = task.requests();
        let field = requests.last().and_then(|request| request.field("X-Request-Timeout-Ms"));
        field.expect("it is told").parse::<u64>().expect("milliseconds")
    };
    assert!((1..=10_000).contains(&left("")));
    assert!((1..=5_000).contains(&left("X-Request-Timeout-Ms: 5000\r\n")));
    assert!((5_001..=10_000).contains(&left("X-Request-Timeout-Ms: 99000\r\n")), "not more");
    assert!((5_001..=10_000).contains(&left("X-Request-Timeout-Ms: soon\r\n")));
    let sent = task.requests().len();
    let mut client = gateway.client();
    let answer =
        client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Request-Timeout-Ms: 0\r\n\r\n").answer();
    assert_eq!((answer.status(), answer.cause()), (504, "deadline"));
    assert_eq!(task.requests().len(), sent, "nobody waits for it");
}

#[test]
fn a_caller_that_waits_less_gets_its_answer_from_us_in_time() {
    let task = Task::new(1, |_, wire| wire.stall());
    let gateway = Gateway::with(&json!({ "timeout": "30m" }), &[&task]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Request-Timeout-Ms: 100\r\n\r\n");
    assert_eq!(client.answer().cause(), "deadline");
}

#[test]
fn an_open_breaker_answers_for_its_task_and_says_when_to_come_again() {
    let task = as_asked(1);
    let breaker =
        json!({ "window_calls": 4, "minimum_calls": 4, "open": "30m", "jitter_percent": 0 });
    let gateway = Gateway::of_service(&json!({ "breaker": breaker }), &[&task]);
    for target in ["/200", "/500", "/404", "/503"] {
        gateway.get(target);
    }
    let answer = gateway.get("/200");
    assert_eq!((answer.status(), answer.cause()), (503, "breaker_open"));
    let wait: u64 = answer.field("Retry-After").expect("it is known").parse().expect("seconds");
    assert!((1700..=1800).contains(&wait), "{wait}");
    assert_eq!(task.targets(), ["/200", "/500", "/404", "/503"]);
}

#[test]
fn what_counts_as_a_failure_is_said_by_the_user() {
    let task = as_asked(1);
    let breaker = json!({ "window_calls": 2, "minimum_calls": 2 });
    let call = json!({ "failure_status": "404" });
    let gateway = Gateway::of_service(&json!({ "breaker": breaker, "call": call }), &[&task]);
    for target in ["/500", "/500", "/200", "/200"] {
        assert_eq!(gateway.get(target).cause(), "no cause");
    }
    gateway.get("/404");
    assert_eq!(gateway.get("/200").cause(), "breaker_open");
}

#[test]
fn a_full_bulkhead_turns_away_at_once_and_a_route_has_its_own() {
    let gate = Gate::default();
    let held = gate.clone();
    let task = Task::new(1, move |request, wire| {
        if request.target() == "/slow" {
            held.pass();
        }
        wire.ok("done");
    });
    let settings = json!({
        "bulkhead": { "size": 100 },
        "route": [{ "name": "slow", "path_prefix": "/slow", "bulkhead": { "size": 1 } }],
    });
    let gateway = Gateway::of_service(&settings, &[&task]);
    let mut first = gateway.client();
    first.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    task.until_requests(1);
    let answer = gateway.get("/slow?again");
    assert_eq!((answer.status(), answer.cause()), (503, "bulkhead_full"));
    assert!(answer.text().contains("1 of 1 calls run"), "{}", answer.text());
    assert_eq!(gateway.get("/other").text(), "done", "others do not notice");
    gate.open();
    assert_eq!(first.answer().text(), "done");
    gateway.until_idle();
    assert_eq!(gateway.get("/slow?again").text(), "done");
}

#[test]
fn a_client_comes_back_to_its_task_by_its_cookie() {
    let (one, two) = (Task::good(1), Task::good(2));
    let gateway = Gateway::of_service(&json!({ "sticky_cookie": "task" }), &[&one, &two]);
    let ask = |cookie: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: test\r\n{cookie}\r\n");
        gateway.client().send(request).answer()
    };
    let first = ask("");
    let set = first.field("Set-Cookie").expect("a cookie").to_owned();
    assert_eq!(set, format!("task={}; Path=/; HttpOnly; SameSite=Lax", first.text()));
    let cookie = format!("Cookie: task={}\r\n", first.text());
    for _ in 0..5 {
        let again = ask(&cookie);
        assert_eq!((again.text(), again.field("Set-Cookie")), (first.text(), None));
    }
    let (left, other) = if first.text() == "task-1" { (&two, "task-2") } else { (&one, "task-1") };
    gateway.register(&[left]);
    let moved = ask(&cookie);
    assert_eq!(moved.text(), other, "its task is gone");
    assert!(moved.field("Set-Cookie").is_some_and(|set| set.contains(other)));
}

/// A task that answers well until it is asked for `/break`, and from then on with 500.
fn breakable() -> Task {
    let broken = std::sync::atomic::AtomicBool::new(false);
    Task::new(1, move |request, wire| {
        use std::sync::atomic::Ordering::SeqCst;
        if request.target() == "/break" {
            broken.store(true, SeqCst);
        }
        if broken.load(SeqCst) {
            wire.say("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
        } else {
            let body = format!("good {}", request.target());
            wire.ok(&body);
        }
    })
}

#[test]
fn instead_of_an_error_comes_an_earlier_answer_that_says_so() {
    let mut task = breakable();
    let settings = json!({ "fallback": {}, "call": { "tries": 1 } });
    let gateway = Gateway::of_service(&settings, &[&task]);
    let good = gateway.get("/a?b");
    assert_eq!((good.text(), good.field("X-Seaworthy-Degraded")), ("good /a?b", None));
    gateway.get("/break");
    let is_stale = |answer: &Message, cause: &str| {
        let degraded = answer.field("X-Seaworthy-Degraded").expect("it says so");
        assert!(degraded.starts_with("answer=stale;age="), "{degraded}");
        assert_eq!((answer.status(), answer.text(), answer.cause()), (200, "good /a?b", cause));
        assert!(answer.field("Age").is_some());
        assert_eq!(answer.head.matches("X-Request-Id").count(), 1, "{}", answer.head);
        assert_ne!(answer.field("X-Request-Id"), good.field("X-Request-Id"));
    };
    let mut client = gateway.client();
    is_stale(&client.get("/a?b"), "task_error");
    is_stale(&client.get("/a?b"), "task_error");
    assert_eq!(client.get("/a").status(), 500, "nothing is known of that one");
    task.stop();
    is_stale(&client.get("/a?b"), "task_refused");
    gateway.register(&[]);
    is_stale(&client.get("/a?b"), "no_task");
    assert_eq!(client.post("/a?b", "", "").status(), 503, "only for who asks for the same");
}

#[test]
fn what_is_of_one_client_is_not_kept_for_another() {
    let task = breakable();
    let settings = json!({ "fallback": {} });
    let gateway = Gateway::of_service(&settings, &[&task]);
    for fields in ["Authorization: x", "Cookie: a=b", "Range: bytes=0-1"] {
        let request = format!("GET /mine HTTP/1.1\r\nHost: test\r\n{fields}\r\n\r\n");
        assert_eq!(gateway.client().send(request).answer().text(), "good /mine");
    }
    gateway.get("/break");
    assert_eq!(gateway.get("/mine").status(), 500);
}
