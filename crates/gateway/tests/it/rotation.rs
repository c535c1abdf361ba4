//! Who gets requests: tasks in rotation, evenly, and only those.

use std::os::fd::AsFd;
use std::thread;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use seaworthy_core::endpoints::{Endpoint, Health, Sightings, TaskId};
use serde_json::json;

use crate::harness::{End, Gate, Gateway, Task};

/// Checks that come often.
fn eager() -> serde_json::Value {
    json!({ "interval": "100ms", "timeout": "90ms", "healthy_threshold": 2, "unhealthy_threshold": 2 })
}

#[test]
fn without_a_task_the_client_is_told() {
    let gateway = Gateway::of(&[]);
    let mut client = gateway.client();
    for _ in 0..3 {
        let answer = client.get("/");
        assert_eq!((answer.status(), answer.cause()), (503, "no_task"));
    }
    let answer = client.post("/", "", "body");
    assert_eq!((answer.status(), answer.field("Connection")), (503, Some("close")));
    assert_eq!(client.rest(), (String::new(), End::Closed));
}

#[test]
fn a_new_task_gets_nothing_before_its_first_passing_check() {
    let (old, new) = (Task::good(1), Task::good(2));
    new.health(503);
    let gateway = Gateway::start(eager(), &json!({}));
    gateway.register(&[&new]);
    gateway.until_health(&new, Health::Initial);
    assert_eq!(gateway.get("/").cause(), "no_task");
    gateway.register(&[&old, &new]);
    gateway.until_health(&old, Health::Healthy);
    let mut client = gateway.client();
    let mut checks = 0;
    while checks < 3 {
        assert_eq!(client.get("/").text(), "task-1");
        checks = new.checks();
    }
    new.health(200);
    gateway.until_health(&new, Health::Healthy);
    let answers = [client.get("/"), client.get("/")];
    assert!(answers.iter().any(|answer| answer.text() == "task-2"), "it is in rotation now");
}

#[test]
fn a_task_whose_checks_fail_gets_nothing_until_they_pass_again() {
    let (good, sick) = (Task::good(1), Task::good(2));
    let gateway = Gateway::start(eager(), &json!({}));
    gateway.register(&[&good, &sick]);
    gateway.until_health(&good, Health::Healthy);
    gateway.until_health(&sick, Health::Healthy);
    sick.health(500);
    gateway.until_health(&sick, Health::Unhealthy);
    let before = sick.requests().len();
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "task-1");
    }
    assert_eq!(sick.requests().len(), before);
    sick.health(200);
    gateway.until_health(&sick, Health::Healthy);
    let answers = [client.get("/"), client.get("/")];
    assert!(answers.iter().any(|answer| answer.text() == "task-2"));
}

/// Nothing is ever answered there, so nothing can have been asked.
#[test]
fn a_check_by_tcp_passes_when_the_connection_opens() {
    let port = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&port, &std::net::SocketAddrV4::new([127, 0, 0, 1].into(), 0)).expect("a port");
    let address = getsockname(port.as_fd()).expect("an address");
    let address: std::net::SocketAddr = address.try_into().expect("an address of IP");
    let health = json!({ "protocol": "tcp", "interval": "100ms", "timeout": "90ms" });
    let gateway = Gateway::start(health, &json!({}));
    let task = TaskId(1);
    gateway.publish(vec![Endpoint::new(task, address)]);
    let seen = gateway.until("it is known", |seen| seen.of(task).is_some());
    assert_eq!(seen.of(task).map(|seen| seen.health), Some(Health::Initial));
    listen(&port, 16).expect("it listens");
    gateway.until("it is in rotation", |seen| seen.of(task).is_some_and(|seen| seen.in_rotation));
}

/// One refused check tells enough; ten failed ones are needed for a verdict.
#[test]
fn a_task_that_listens_no_more_is_out_at_once() {
    let (stays, mut stops) = (Task::good(1), Task::good(2));
    let health =
        json!({ "interval": "100ms", "timeout": "90ms", "unhealthy_threshold": 10, "passive": {} });
    let gateway = Gateway::start(health, &json!({}));
    gateway.register(&[&stays, &stops]);
    gateway.until_health(&stays, Health::Healthy);
    gateway.until_health(&stops, Health::Healthy);
    stops.stop();
    let out = |seen: &Sightings| seen.of(TaskId(2)).is_some_and(|seen| !seen.in_rotation);
    let seen = gateway.until("it is out", out);
    assert_eq!(seen.of(TaskId(2)).map(|seen| seen.health), Some(Health::Healthy));
    assert_eq!(gateway.get("/").text(), "task-1");
}

#[test]
fn a_task_that_drains_finishes_what_it_has_and_gets_nothing_new() {
    let gate = Gate::default();
    let hold = gate.clone();
    let draining = Task::new(1, move |request, wire| {
        if request.target() == "/slow" {
            hold.pass();
        }
        wire.ok("task-1");
    });
    let other = Task::good(2);
    let gateway = Gateway::of(&[&draining]);
    // Two connections are kept, over one of them comes a request that takes its time.
    let (mut slow, mut quick) = (gateway.client(), gateway.client());
    assert_eq!(quick.get("/").text(), "task-1");
    slow.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    draining.until_requests(2);
    gateway.drain(&[&draining, &other], &[draining.id]);
    gateway.until_health(&other, Health::Healthy);
    for _ in 0..4 {
        assert_eq!(quick.get("/").text(), "task-2");
    }
    let seen = gateway.until("it is known", |seen| seen.of(draining.id).is_some());
    let seen = seen.of(draining.id).expect("it is known");
    assert_eq!((seen.in_rotation, seen.in_flight), (false, 1));
    gate.open();
    assert_eq!(slow.answer().text(), "task-1");
    gateway.until_idle();
    // Neither connection is kept: a task that drains may wait for them to end.
    draining.until_closed(draining.connections());
    assert_eq!(draining.requests().len(), 2);
}

#[test]
fn what_is_in_flight_is_counted_and_the_count_goes_back_to_nothing() {
    let gate = Gate::default();
    let answer = gate.clone();
    let task = Task::new(1, move |request, wire| match request.target() {
        "/normal" => {
            answer.pass();
            wire.ok("good");
        }
        "/client-gone" => wire.stall(),
        "/client-gone-half-way" => {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            wire.stall();
        }
        _ => wire.reset(),
    });
    let gateway = Gateway::of(&[&task]);
    let in_flight = |count| {
        gateway
            .until("it is counted", |seen| seen.of(task.id).is_some_and(|t| t.in_flight == count));
    };
    let send = |target: &str| {
        let mut client = gateway.client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client
    };
    let mut clients: Vec<_> = (0..5).map(|_| send("/normal")).collect();
    in_flight(5);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().text(), "good");
    }
    in_flight(0);

    for target in ["/client-gone", "/client-gone-half-way"] {
        let client = send(target);
        in_flight(1);
        client.reset();
        in_flight(0);
    }
    let mut client = send("/task-gone");
    assert_eq!(client.answer().cause(), "task_closed");
    in_flight(0);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf");
    in_flight(1);
    client.reset();
    in_flight(0);
}

#[test]
fn each_task_gets_its_share() {
    let tasks = [Task::good(1), Task::good(2), Task::good(3)];
    let settings = json!({ "balancing": "round_robin", "call": { "hedge": { "enabled": false } } });
    let gateway = Gateway::of_service(&settings, &[&tasks[0], &tasks[1], &tasks[2]]);
    let (clients, each) = (6, 200);
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    assert_eq!(client.get("/").status(), 200);
                }
            });
        }
    });
    let fair = clients * each / tasks.len();
    for task in &tasks {
        let count = task.requests().len();
        assert!(count.abs_diff(fair) * 20 <= fair, "{} got {count}, {fair} is fair", task.id);
    }
}

#[test]
fn without_an_agent_the_gateway_goes_on() {
    let task = Task::good(1);
    let mut gateway = Gateway::of(&[&task]);
    gateway.leave_alone();
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "task-1");
    }
}

#[test]
fn what_the_agent_says_wrongly_changes_nothing() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    for nonsense in ["", "{", "{\"version\":9}", "nonsense", &" ".repeat(100_000)] {
        gateway.say(nonsense.as_bytes());
    }
    gateway.until("it still says what it sees", |seen| seen.of(task.id).is_some());
    assert_eq!(gateway.get("/").text(), "task-1");
    gateway.register(&[]);
    assert_eq!(gateway.get("/").cause(), "no_task");
}
