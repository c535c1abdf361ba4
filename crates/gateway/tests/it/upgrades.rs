//! A connection that goes on with another protocol: nobody in between knows what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use serde_json::json;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Message as Frame, client};

use crate::harness::{End, Gate, Gateway, Message, Task, Wire};

const UPGRADE: &str =
    "GET /raw HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n";

/// A task that speaks WebSocket and says back what it hears.
fn echo(number: u32) -> Task {
    Task::new(number, |request, wire| {
        let Some(key) = request.field("Sec-WebSocket-Key") else { return wire.ok("no socket") };
        assert_eq!(request.field("Upgrade"), Some("websocket"), "{}", request.head);
        assert_eq!(request.field("Connection"), Some("Upgrade"));
        let accept = derive_accept_key(key.as_bytes());
        wire.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ));
        let stream = wire.stream.get_ref().try_clone().expect("a descriptor");
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        while let Ok(frame) = socket.read() {
            if frame.is_text() || frame.is_binary() {
                socket.send(frame).expect("the client listens");
            }
        }
        wire.close();
    })
}

fn connect(gateway: &Gateway) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(gateway.address).expect("the gateway listens");
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).expect("an open socket");
    let url = format!("ws://{}/chat", gateway.address);
    client(url, stream).expect("a handshake").0
}

#[test]
fn a_websocket_passes_both_ways_and_counts_as_in_flight() {
    let task = echo(1);
    let gateway = Gateway::of(&[&task]);
    let mut socket = connect(&gateway);
    let in_flight = |count| {
        let what = format!("{count} in flight");
        gateway.until(&what, |seen| seen.of(task.id).is_some_and(|seen| seen.in_flight == count));
    };
    in_flight(1);
    let frames = ["hello".into(), "x".repeat(3 << 20).into(), Frame::binary(vec![0; 100_000])];
    for frame in frames {
        socket.send(frame.clone()).expect("it is taken");
        assert_eq!(socket.read().expect("an echo"), frame);
    }
    socket.send(Frame::Ping("there?".into())).expect("it is taken");
    assert_eq!(socket.read().expect("a pong"), Frame::Pong("there?".into()));
    socket.close(None).expect("it is open");
    assert!(socket.read().expect("a word of farewell").is_close());
    drop(socket);
    in_flight(0);
    assert_eq!(gateway.get("/").text(), "no socket");
}

/// Whoever drains lets its tunnels end by themselves.
#[test]
fn a_tunnel_outlives_the_rotation_of_its_task() {
    let (old, new) = (echo(1), echo(2));
    let gateway = Gateway::of(&[&old]);
    let mut socket = connect(&gateway);
    gateway.drain(&[&old, &new], &[old.id]);
    for word in ["still", "there"] {
        socket.send(word.into()).expect("it is taken");
        assert_eq!(socket.read().expect("an echo"), word.into());
    }
    let seen = gateway.until("it drains", |seen| seen.of(old.id).is_some());
    assert_eq!(seen.of(old.id).map(|seen| seen.in_flight), Some(1));
}

fn switch(_: &Message, wire: &mut Wire<'_>) {
    // The first words come in the same piece.
    wire.say([SWITCH, "first"].concat());
    let mut heard = Vec::new();
    wire.stream.read_to_end(&mut heard).expect("the client ends");
    heard.reverse();
    wire.say(heard);
    wire.close();
}

#[test]
fn one_side_may_end_before_the_other() {
    let task = Task::new(1, switch);
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let answer = client.send([UPGRADE, "early"].concat()).head();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.field("Connection"), Some("Upgrade"));
    assert_eq!(answer.field("Upgrade"), Some("raw"));
    assert_eq!(answer.field("Content-Length"), None);
    client.send(" bird").half_close();
    assert_eq!(client.rest(), ("firstdrib ylrae".to_owned(), End::Closed));
    task.until_closed(1);
    gateway.until_idle();
}

#[test]
fn much_passes_both_ways_at_once() {
    const LENGTH: usize = 20 << 20;
    let task = Task::new(1, |_, wire| {
        wire.say(SWITCH);
        let mut from = wire.stream.get_ref().try_clone().expect("a descriptor");
        thread::scope(|scope| {
            scope.spawn(|| wire.say(vec![b'a'; LENGTH]));
            let mut heard = vec![0; LENGTH];
            from.read_exact(&mut heard).expect("all of it");
            assert!(heard.iter().all(|byte| *byte == b'b'));
        });
        wire.close();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    assert_eq!(client.send(UPGRADE).head().status(), 101);
    let mut to = client.stream.get_ref().try_clone().expect("a descriptor");
    thread::scope(|scope| {
        scope.spawn(move || to.write_all(&vec![b'b'; LENGTH]).expect("it is taken"));
        let (heard, end) = client.rest();
        assert_eq!((heard.len(), end), (LENGTH, End::Closed));
    });
}

#[test]
fn a_task_that_goes_away_ends_the_tunnel() {
    let task = Task::new(1, |_, wire| {
        wire.say([SWITCH, "first"].concat());
        wire.reset();
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send(UPGRADE);
    // What had come may be lost with it.
    let _ = client.read(true);
    client.rest();
    gateway.until_idle();
}

#[test]
fn a_client_that_goes_away_ends_the_tunnel() {
    let task = echo(1);
    let gateway = Gateway::of(&[&task]);
    let socket = connect(&gateway);
    socket.get_ref().shutdown(Shutdown::Both).expect("it is open");
    drop(socket);
    task.until_closed(1);
    gateway.until_idle();
}

/// A deadline is for an answer, and a tunnel has none. This one would end after 200 ms.
#[test]
fn a_tunnel_is_closed_when_it_is_silent_and_not_when_it_is_late() {
    let task = Task::new(1, |_, wire| {
        wire.say(SWITCH);
        wire.stall();
    });
    let http = json!({ "tunnel_timeout": "400ms" });
    let gateway =
        Gateway::of_service(&json!({ "http": http, "call": { "timeout": "200ms" } }), &[&task]);
    let mut client = gateway.client();
    assert_eq!(client.send(UPGRADE).head().status(), 101);
    // A deadline would have broken it off.
    assert_eq!(client.rest(), (String::new(), End::Closed));
    task.until_closed(1);
    gateway.until_idle();
}

#[test]
fn a_task_may_decline() {
    let task = Task::new(1, |request, wire| {
        assert_eq!(request.field("Upgrade"), Some("raw"));
        wire.ok("not today");
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.send(UPGRADE).answer().text(), "not today");
    }
    assert_eq!(task.connections(), 1);
}

#[test]
fn an_upgrade_that_was_sent_is_never_sent_again() {
    let (bad, good) = (Task::new(1, |_, wire| wire.reset()), Task::good(2));
    let gateway = Gateway::of(&[&bad, &good]);
    assert_eq!(gateway.client().send(UPGRADE).answer().cause(), "task_closed");
    assert_eq!((bad.requests().len(), good.requests().len()), (1, 0));
}

#[test]
fn an_upgrade_that_was_not_sent_goes_to_another_task() {
    let (mut gone, good) = (Task::good(1), Task::good(2));
    let gateway = Gateway::of(&[&gone, &good]);
    gone.stop();
    for _ in 0..2 {
        assert_eq!(gateway.client().send(UPGRADE).answer().text(), "task-2");
    }
}

/// Nothing that was asked for: it is no answer, and what would follow is nobody's.
#[test]
fn a_change_of_protocol_nobody_asked_for_is_malformed() {
    let nameless = SWITCH.replace("Upgrade: raw\r\n", "");
    for (request, answer) in [
        (UPGRADE.replace("Connection: Upgrade\r\n", ""), SWITCH.to_owned()),
        (UPGRADE.replace("raw\r\n\r\n", "h2c\r\n\r\n"), SWITCH.to_owned()),
        (UPGRADE.replace("GET", "PUT"), SWITCH.to_owned()),
        (UPGRADE.to_owned(), nameless),
    ] {
        let task = Task::new(1, move |_, wire| wire.say(&answer));
        let gateway = Gateway::of(&[&task]);
        let answer = gateway.client().send(request).answer();
        assert_eq!((answer.status(), answer.cause()), (502, "task_malformed"));
    }
}

/// A tunnel waits for nobody else: other requests pass meanwhile, over connections of their own.
#[test]
fn a_tunnel_holds_nobody_up() {
    let gate = Gate::default();
    let open = gate.clone();
    let task = Task::new(1, move |request, wire| {
        if request.target() != "/raw" {
            return wire.ok("other");
        }
        wire.say(SWITCH);
        open.pass();
        wire.close();
    });
    let gateway = Gateway::of(&[&task]);
    let mut tunnels = [gateway.client(), gateway.client(), gateway.client(), gateway.client()];
    for client in &mut tunnels {
        assert_eq!(client.send(UPGRADE).head().status(), 101);
    }
    assert_eq!(gateway.get("/").text(), "other");
    gate.open();
    for client in &mut tunnels {
        assert_eq!(client.half_close().rest(), (String::new(), End::Closed));
    }
}
