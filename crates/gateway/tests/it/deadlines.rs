//! One deadline for the whole of a request, and shorter ones for those who dawdle.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use seaworthy_core::endpoints::{Endpoint, Health, TaskId};
use serde_json::json;

use crate::harness::{End, Gate, Gateway, Task};

#[test]
fn an_answer_that_does_not_begin_by_the_deadline_is_ours() {
    let task = Task::new(1, |request, wire| match request.target() {
        "/silent" => wire.stall(),
        "/half-a-head" => {
            wire.say("HTTP/1.1 200 OK\r\nContent-");
            wire.stall();
        }
        "/interim" => {
            wire.say("HTTP/1.1 102 Processing\r\n\r\n");
            wire.stall();
        }
        _ => wire.ok("good"),
    });
    let gateway = Gateway::with(&json!({ "timeout": "200ms" }), &[&task]);
    let mut client = gateway.client();
    for (n, target) in ["/silent", "/half-a-head", "/interim"].into_iter().enumerate() {
        let mut answer = client.get(target);
        if answer.status() == 102 {
            answer = client.answer();
        }
        assert_eq!((answer.status(), answer.cause()), (504, "deadline"), "{target}");
        task.until_closed(n + 1);
        gateway.until_idle();
    }
    assert_eq!(client.get("/").text(), "good", "the client's connection goes on");
}

#[test]
fn an_answer_that_stops_half_way_is_broken_off() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        wire.stall();
    });
    let gateway = Gateway::with(&json!({ "timeout": "200ms" }), &[&task]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let (bytes, end) = client.rest();
    assert!(bytes.ends_with("half") || bytes.is_empty(), "{bytes}");
    assert_eq!(end, End::Reset);
    task.until_closed(1);
    gateway.until_idle();
}

#[test]
fn a_body_that_does_not_come_by_the_deadline_is_not_waited_for() {
    let task = Task::new(1, |_, wire| wire.ok("good"));
    let gateway = Gateway::with(&json!({ "timeout": "200ms" }), &[&task]);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf");
    let answer = client.answer();
    assert_eq!((answer.status(), answer.cause()), (504, "deadline"));
    assert_eq!(answer.field("Connection"), Some("close"));
    client.half_close();
    assert_eq!(client.rest(), (String::new(), End::Closed));
    gateway.until_idle();
    assert_eq!(task.requests().len(), 0);
}

/// However it dawdles: a byte now and then buys no time.
#[test]
fn a_head_that_does_not_come_whole_is_not_waited_for() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let mut slow = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: te");
    slow.stream.get_ref().set_read_timeout(Some(Duration::from_millis(500))).expect("it is open");
    let dawdle = |_| slow.send("x").read(false).ok();
    let answer = (0..60).find_map(dawdle).expect("an answer");
    assert_eq!((answer.status(), answer.cause()), (408, "slow_head"));
    assert_eq!(client.answer().status(), 408);
    assert_eq!(client.rest(), (String::new(), End::Closed));
    assert_eq!(task.requests().len(), 0);
}

/// Tries share one deadline: they do not add up.
#[test]
fn a_second_try_has_no_deadline_of_its_own() {
    let gate = Gate::default();
    let lose = gate.clone();
    let first = Task::new(1, move |_, wire| {
        lose.pass();
        wire.close();
    });
    let second = Task::new(2, |_, wire| wire.stall());
    let gateway = Gateway::with(&json!({ "timeout": "500ms" }), &[&first, &second]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    first.until_requests(1);
    gate.open();
    let answer = client.answer();
    assert_eq!((answer.status(), answer.cause()), (504, "deadline"));
    assert_eq!(second.requests().len(), 1);
}

/// Somebody listens there, but nobody accepts, and the kernel's queue is full.
#[test]
fn a_connection_that_does_not_open_is_given_up() {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&listener, &std::net::SocketAddrV4::new([127, 0, 0, 1].into(), 0)).expect("a port");
    listen(&listener, 0).expect("it listens");
    let address = getsockname(listener.as_fd()).expect("an address");
    let address: std::net::SocketAddr = address.try_into().expect("an address of IP");
    let _queued = TcpStream::connect(address).expect("room for one");

    let good = Task::good(2);
    let healthy = |task, address| {
        let inherited = Some(Health::Healthy.into());
        Endpoint { inherited, ..Endpoint::new(task, address) }
    };
    let full = healthy(TaskId(1), address);
    let health = json!({ "interval": "1h", "timeout": "50m" });
    let gateway = Gateway::start(health, &json!({ "connect_timeout": "100ms" }));
    gateway.publish(vec![full.clone(), healthy(good.id, good.address)]);
    let mut client = gateway.client();
    assert_eq!(client.get("/").text(), "task-2");
    assert_eq!(client.post("/", "", "once").text(), "task-2");
    gateway.publish(vec![full]);
    let answer = client.get("/");
    assert_eq!((answer.status(), answer.cause()), (504, "connect_timeout"));
}
