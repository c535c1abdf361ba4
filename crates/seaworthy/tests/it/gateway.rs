//! `seaworthy gateway FILE`: what it tells, reloads under traffic, and how it stops.

mod alone;
mod echo;
mod exposition;
mod part;
mod stop;
mod successor;
mod traffic;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use expect_test::expect;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;

use crate::world::{World, code_and_words, eventually};
use alone::{PATIENCE, file, start, text};
use echo::{Echo, Message};
use traffic::{Client, Traffic};

const CLOSED: &str = "GET /a HTTP/1.1\r\nHost: s\r\nX-Id: a\r\nConnection: close\r\n\r\n";

#[test]
fn what_it_sees_is_told_at_the_admin_address() {
    let (world, echo) = (World::new(), Echo::start());
    let more = "call.timeout = \"1s\"\nbreaker = {}\nbulkhead.size = 5\nroute = [{ name = \"a\", path = \"/a\" }]";
    let alone = start(&world, &file("workers = 4", &[&echo], more));
    Client::connect(&alone.service).write(b"\x01");
    let mut client = Client::connect(&alone.service);
    client.write(CLOSED.as_bytes());
    assert_eq!(client.read().unwrap().field("x-id"), Some("a"));
    let metric = |sample: &str| eventually(sample, || alone.metric(sample));
    assert_eq!(metric(r#"seaworthy_requests_total{service="s",route="a",status="200"}"#), 1);
    assert_eq!(metric(r#"seaworthy_requests_total{service="s",route="",status="400"}"#), 1);
    assert_eq!(
        metric(r#"seaworthy_refusals_total{service="s",route="",cause="desync_severe"}"#),
        1
    );

    let told = |accept: &str| {
        let answer = alone.ask_for("GET", "/metrics", accept);
        (answer.field("content-type").unwrap().to_owned(), text(answer.body))
    };
    let (kind, page) = told("*/*");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let mut names = String::new();
    for (name, family) in exposition::read(&page) {
        let labels: Vec<_> = family.labels.into_iter().collect();
        writeln!(names, "{} {name} {}", family.kind, labels.join(" ")).unwrap();
    }
    expect![[r"
        counter seaworthy_access_log_dropped_lines_total 
        gauge seaworthy_breaker_state route service state
        gauge seaworthy_build_info version
        gauge seaworthy_bulkhead_abandoned route service
        gauge seaworthy_bulkhead_limit route service
        gauge seaworthy_bulkhead_running route service
        gauge seaworthy_client_connections worker
        counter seaworthy_client_connections_accepted_total service
        counter seaworthy_decisions_total cause decision service
        gauge seaworthy_queue_length service
        gauge seaworthy_ready 
        counter seaworthy_refusals_total cause route service
        counter seaworthy_reloads_total result
        counter seaworthy_request_bytes_total route service
        histogram seaworthy_request_duration_seconds le route service
        gauge seaworthy_requests_in_flight service task
        counter seaworthy_requests_total route service status
        counter seaworthy_response_bytes_total route service
        gauge seaworthy_retry_budget_left route service
        gauge seaworthy_task_in_rotation service task
        counter seaworthy_tries_total reason route service
    "]]
    .assert_eq(&names);
    let (kind, page) = told("application/openmetrics-text; version=1.0.0");
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(page.ends_with("# EOF\n"));
    exposition::read(&page);

    assert_eq!(alone.ask("GET", "/healthz"), (200, "ok\n".to_owned()));
    let tasks: Value = serde_json::from_str(&alone.ask("GET", "/tasks").1).unwrap();
    let task = &tasks["s"]["tasks"][0];
    assert_eq!((&task["task"], &task["in_rotation"]), (&"task-1".into(), &true.into()));
}

#[test]
fn every_request_is_a_line_of_the_access_log_and_a_moved_log_is_opened_anew() {
    let (world, echo) = (World::new(), Echo::start());
    let top = "access_log = \"access.jsonl\"";
    let alone = start(&world, &file(top, &[&echo], ""));
    let ask = || {
        let mut client = Client::connect(&alone.service);
        client.write(CLOSED.as_bytes());
        client.read().unwrap();
    };
    let ask_for = |path: &str| {
        let mut stream = TcpStream::connect(&alone.service).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let lines = |name: &str| {
        eventually("a line", || {
            let log = fs::read_to_string(world.path(name)).unwrap_or_default();
            let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
            let lines: Vec<Value> = lines.collect();
            (!lines.is_empty()).then_some(lines)
        })
    };
    ask();
    let told = lines("access.jsonl");
    assert_eq!(told.len(), 1);
    for (key, expected) in [("target", "/a"), ("task", "task-1"), ("route", "default")] {
        assert_eq!(told[0][key], expected, "{}", told[0]);
    }
    ask_for("/hint");
    ask_for("/cut");
    let told =
        eventually("three lines", || Some(lines("access.jsonl")).filter(|lines| lines.len() == 3));
    let of = |n: usize| (told[n]["status"].clone(), told[n]["cause"].clone());
    assert_eq!(of(1), (200.into(), Value::Null), "the hint came before it");
    assert_eq!(of(2), (200.into(), "task_cut".into()), "it was not whole");
    assert!(told[2]["sent_bytes"].as_u64() > Some(4), "{}", told[2]);
    fs::rename(world.path("access.jsonl"), world.path("access.1")).unwrap();
    alone.signal(Signal::HUP);
    eventually("the new log", || world.path("access.jsonl").exists().then_some(()));
    ask();
    assert_eq!((lines("access.1").len(), lines("access.jsonl").len()), (3, 1));
}

#[test]
fn whatever_a_reload_changes_no_request_fails_and_every_answer_is_the_right_one() {
    for workers in [1, 4] {
        reload_under_traffic(workers);
    }
}

#[test]
fn what_waits_when_its_service_begins_anew_waits_for_the_new_tasks() {
    let (world, busy, other) = (World::new(), Echo::start(), Echo::start());
    let alone = start(&world, &file("", &[&busy], "most_in_flight = 1"));
    let mut held = Client::connect(&alone.service);
    held.write(b"GET /held HTTP/1.1\r\nHost: s\r\nX-Id: held\r\n\r\n");
    eventually("it is held", || busy.is_reached().then_some(()));
    let mut waits = Client::connect(&alone.service);
    waits.write(CLOSED.as_bytes());
    let queued = || alone.metric("seaworthy_queue_length{service=\"s\"}") == Some(1);
    eventually("one waits", || queued().then_some(()));
    alone.write(&file("", &[&busy, &other], "most_in_flight = 1\ncall.tries = 2"));
    alone.signal(Signal::HUP);
    assert_eq!(waits.read().unwrap().field("x-id"), Some("a"));
    busy.release();
    assert_eq!(held.read().unwrap().field("x-id"), Some("held"));
}

/// An answer that a kill cuts short is cut short; none is another one's.
#[test]
fn when_tasks_are_killed_every_answer_is_the_right_one() {
    for workers in [1, 4] {
        let (world, echoes) = (World::new(), [(); 3].map(|()| Echo::start()));
        let targets: Vec<&Echo> = echoes.iter().collect();
        let alone = start(&world, &file(&format!("workers = {workers}"), &targets, ""));
        let traffic = Traffic::start(&alone.service, 24, true);
        for n in 0..30 {
            let seen = traffic.answers();
            eventually("traffic", || (traffic.answers() > seen + 24).then_some(()));
            echoes[n % echoes.len()].kill();
            if n % 5 == 0 {
                alone.signal(Signal::HUP);
            }
        }
        traffic.end();
    }
}

fn reload_under_traffic(workers: u32) {
    let (world, echoes) = (World::new(), [(); 3].map(|()| Echo::start()));
    let top = format!("workers = {workers}");
    let settings = [
        "",
        "balancing = \"least_outstanding_requests\"",
        "call.timeout = \"30s\"\nbreaker = {}",
        "call.tries = 2\nroute = [{ name = \"posts\", methods = [\"POST\"] }]",
        "bulkhead.size = 1000",
    ];
    // The first one stays, or there would be nobody with a verdict for a moment.
    let targets = [&[0][..], &[0, 1, 2], &[2, 0], &[0, 1]];
    let nth = |n: usize| {
        let targets: Vec<&Echo> = targets[n % targets.len()].iter().map(|n| &echoes[*n]).collect();
        file(&top, &targets, settings[n / 2 % settings.len()])
    };
    let alone = start(&world, &nth(0));
    let traffic = Traffic::start(&alone.service, 24, false);
    for n in 1..=50 {
        let seen = traffic.answers();
        eventually("traffic", || (traffic.answers() > seen + 24).then_some(()));
        alone.write(&nth(n));
        if n % 2 == 0 {
            alone.signal(Signal::HUP);
        } else {
            assert_eq!(alone.ask("POST", "/reload").0, 200);
        }
        let done = || alone.metric("seaworthy_reloads_total{result=\"done\"}") == Some(n as u64);
        eventually("the reload", || done().then_some(()));
    }
    traffic.end();
    let metric = |sample: &str| alone.metric(&format!("seaworthy_{sample}"));
    assert_eq!(metric("reloads_total{result=\"failed\"}"), Some(0));
    assert_eq!(metric(r#"client_connections_accepted_total{service="s"}"#), Some(24));
    eventually("nothing in flight", || {
        let page = alone.ask("GET", "/metrics").1;
        let busy =
            |line: &str| line.starts_with("seaworthy_requests_in_flight") && !line.ends_with(" 0");
        (!page.lines().any(busy)).then_some(())
    });
}

#[test]
fn services_come_and_go_and_move_and_a_file_that_cannot_work_changes_nothing() {
    let (world, echo) = (World::new(), Echo::start());
    let good = file("", &[&echo], "");
    let alone = start(&world, &good);
    let taken = alone.admin.clone();
    let refused = [
        ("service.s.balancing = 1".to_owned(), "unknown variant"),
        (
            format!("{good}\n[service.t]\ntargets = [\"127.0.0.1:1\"]\nlisten = \"{taken}\""),
            "service.t.listen",
        ),
        (good.replace("[gateway]", "[gateway]\nworkers = 7"), "gateway.workers: cannot change"),
        (
            good.replace("[gateway]", "[gateway]\naccess_log = \"no/such/place\""),
            "gateway.access_log",
        ),
    ];
    for (text, problem) in refused {
        alone.write(&text);
        let (status, words) = alone.ask("POST", "/reload");
        assert!(
            status == 422 && (words.contains(problem) || problem == "unknown variant"),
            "{words}"
        );
        assert_eq!(alone.ask("GET", "/readyz").0, 200);
    }
    assert_eq!(alone.metric("seaworthy_reloads_total{result=\"failed\"}"), Some(4));

    let mut client = Client::connect(&alone.service);
    let mut waits = Client::connect(&alone.service);
    client.write(b"GET /held HTTP/1.1\r\nHost: s\r\nX-Id: b\r\n\r\n");
    eventually("the request", || echo.is_reached().then_some(()));
    // It takes over the address: there is no moment in which nobody listens.
    let renamed = format!("[service.t]\nlisten = \"{}\"", alone.service);
    alone.write(&good.replace("[service.s]", &renamed));
    let changes = alone.ask("POST", "/reload");
    let told = "s: goes, and its requests may finish\nt: is new\n".to_owned();
    assert_eq!(changes, (200, told));
    assert!(waits.read().is_none(), "nobody has a request for who is gone");
    echo.release();
    let answer = client.read().unwrap();
    assert_eq!((answer.field("x-id"), answer.field("connection")), (Some("b"), Some("close")));
    assert!(client.read().is_none());
    eventually("readiness", || (alone.ask("GET", "/readyz").0 == 200).then_some(()));
    let mut client = Client::connect(&alone.service);
    client.write(CLOSED.as_bytes());
    assert_eq!(client.read().unwrap().field("x-id"), Some("a"));
    let accepted = r#"seaworthy_client_connections_accepted_total{service="t"}"#;
    assert_eq!(alone.metric(accepted), Some(1));
}

/// A connection that waits has no buffer of its own.
#[test]
fn ten_thousand_clients_that_wait_cost_little() {
    let (world, echo) = (World::new(), Echo::start());
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    // Each may need a connection to a task as well, and some files are for other things.
    let allowed = maximum.map_or(u64::MAX, |files| (files - 600) / 2);
    let count = allowed.min(10_000);
    let alone = start(&world, &file("", &[&echo], ""));
    let client = |_| {
        let mut client = TcpStream::connect(&alone.service).unwrap();
        client.write_all(b"GET /a HTTP/1.1\r\nHost: s\r\n\r\n").unwrap();
        let answer = Message::read(&mut BufReader::new(&client), false).unwrap().unwrap();
        assert_eq!(answer.line, "HTTP/1.1 200 OK");
        client
    };
    let before = alone.memory();
    let clients: Vec<TcpStream> = (0..count).map(client).collect();
    let each = (alone.memory() - before) / count;
    println!("{count} clients cost {each} bytes each, the gateway without them {before}");
    assert!(before + each * 10_000 < 100 << 20, "{before} + 10000 * {each}");
    drop(clients);
}

#[test]
fn what_cannot_be_meant_or_listened_on_is_said_at_once() {
    let (world, echo) = (World::new(), Echo::start());
    for (text, problem) in [
        ("service.s.command = [\"store\"]".to_owned(), "a.toml: service.s.command: is about tasks"),
        (
            format!("service.s = {{ targets = ['127.0.0.1:1'], listen = '{}' }}", echo.address),
            "Address already in use",
        ),
    ] {
        world.write("a.toml", &text);
        let (code, words) = code_and_words(&world.run(&["gateway", "a.toml"]));
        assert!(code == Some(2) && words.contains(problem), "{words}");
    }
    world.write("a.toml", &file("", &[&echo], ""));
    let (code, words) = code_and_words(&world.run(&["check", "a.toml"]));
    assert!(
        code == Some(0) && words.contains("warning: service.s.targets: a task that hangs"),
        "{words}"
    );
}
