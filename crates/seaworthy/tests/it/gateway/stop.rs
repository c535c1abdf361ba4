//! How it stops.

use rustix::process::Signal;

use super::alone::{Alone, file, start};
use super::echo::Echo;
use super::traffic::Client;
use crate::world::{World, eventually};

#[test]
fn a_stop_finishes_what_is_under_way_and_lets_the_others_go() {
    let (world, echo) = (World::new(), Echo::start());
    let alone = start(&world, &file("", &[&echo], ""));
    let mut idle = Client::connect(&alone.service);
    let mut busy = Client::connect(&alone.service);
    busy.write(b"GET /held HTTP/1.1\r\nHost: s\r\nX-Id: b\r\n\r\n");
    eventually("the request", || echo.is_reached().then_some(()));
    alone.signal(Signal::TERM);
    assert!(idle.read().is_none(), "it waited for nothing");
    let (status, words) = alone.ask("GET", "/readyz");
    assert_eq!((status, &*words), (503, "the gateway is stopping\n"));
    assert_eq!(alone.ask("POST", "/reload").0, 503);
    echo.release();
    let answer = busy.read().unwrap();
    assert_eq!((answer.field("x-id"), answer.field("connection")), (Some("b"), Some("close")));
    let (status, words) = alone.wait();
    assert_eq!(status.code(), Some(0), "{words}");
}

#[test]
fn whoever_the_kernel_has_let_in_is_served_before_a_stop() {
    let (world, echo) = (World::new(), Echo::start());
    let alone = start(&world, &file("", &[&echo], ""));
    alone.signal(Signal::STOP);
    let client = |_| {
        let mut client = Client::connect(&alone.service);
        client.write(b"GET /a HTTP/1.1\r\nHost: s\r\nX-Id: a\r\n\r\n");
        client
    };
    let clients: Vec<Client> = (0..200).map(client).collect();
    alone.signal(Signal::TERM);
    alone.signal(Signal::CONT);
    for mut client in clients {
        let answer = client.read().expect("an answer");
        assert_eq!(answer.field("x-id"), Some("a"));
        assert!(client.read().is_none(), "nobody waits for more");
    }
    assert_eq!(alone.wait().0.code(), Some(0));
}

#[test]
fn a_stop_has_its_timeout_and_a_second_signal_waits_for_nobody() {
    let (world, echo) = (World::new(), Echo::start());
    let held = |alone: &Alone| {
        let mut client = Client::connect(&alone.service);
        client.write(b"GET /held HTTP/1.1\r\nHost: s\r\n\r\n");
        let page = r#"seaworthy_requests_in_flight{service="s",task="task-1"}"#;
        eventually("the request", || (alone.metric(page) == Some(1)).then_some(()));
        client
    };
    let alone = start(&world, &file("stop_timeout = \"10ms\"", &[&echo], ""));
    let _client = held(&alone);
    alone.signal(Signal::TERM);
    let (status, words) = alone.wait();
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(words.contains("the stop timeout is over, 1 connections were cut"), "{words}");

    let alone = start(&world, &file("stop_timeout = \"1h\"", &[&echo], ""));
    let _client = held(&alone);
    alone.signal(Signal::INT);
    eventually("the stop", || (alone.ask("GET", "/readyz").0 == 503).then_some(()));
    alone.signal(Signal::TERM);
    assert_eq!(alone.wait().0.code(), Some(143));
}
