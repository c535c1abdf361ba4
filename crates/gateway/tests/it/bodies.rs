//! Bodies pass in both directions as they come, in whatever pieces, and never pile up in between.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{End, Gate, Gateway, PATIENCE, Task};

/// More than all kernel buffers between a client and a task hold.
const MORE_THAN_FITS: usize = 96 << 20;
/// A writer that gets rid of nothing for so long is stuck.
const STUCK: Duration = Duration::from_millis(300);

#[test]
fn bodies_of_either_framing_arrive_as_they_were_sent() {
    let task = Task::new(1, |request, wire| {
        let framing = match request.field("Content-Length") {
            Some(length) => format!("Content-Length: {length}"),
            None => "Transfer-Encoding: chunked".to_owned(),
        };
        wire.say(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
        wire.say(&request.raw);
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let bodies = [
        ("Content-Length: 5", "hello", "hello"),
        ("Content-Length: 0", "", ""),
        ("Content-Length: 005", "hello", "hello"),
        ("content-length:5", "\r\n\r\n\r", "\r\n\r\n\r"),
        ("Transfer-Encoding: chunked", "0\r\n\r\n", ""),
        ("Transfer-Encoding: Chunked", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        (
            "Transfer-Encoding: chunked",
            "2;a=b;c=\"d e\"\r\nhe\r\n03\r\nllo\r\n000\r\nDigest: x y\r\nA:\r\n\r\n",
            "hello",
        ),
    ];
    for (framing, raw, meant) in bodies {
        client.send(format!("POST / HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n{raw}"));
        let answer = client.answer();
        assert_eq!(answer.status(), 200, "{framing} {raw:?}: {}", answer.text());
        assert_eq!((answer.text(), answer.raw.as_slice()), (meant, raw.as_bytes()));
        let seen = task.requests().pop().expect("it came");
        assert_eq!((seen.body.as_slice(), seen.raw.as_slice()), (meant.as_bytes(), raw.as_bytes()));
    }
    assert_eq!(task.connections(), 1, "the connection was used again and again");
}

/// Request and answer cross, and the client takes the answer in little pieces.
#[test]
fn five_megabytes_pass_each_way_at_once() {
    const LENGTH: usize = 5 << 20;
    let task = Task::early(1, |_, wire| {
        wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
        let mut piece = [0; 1 << 10];
        for _ in 0..LENGTH / piece.len() {
            wire.stream.read_exact(&mut piece).expect("more of the body");
            wire.say(piece);
        }
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {LENGTH}\r\n\r\n"));
    let body: Vec<u8> =
        (0..LENGTH as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut stream, sent) =
        (client.stream.get_ref().try_clone().expect("a descriptor"), body.clone());
    let sender = thread::spawn(move || stream.write_all(&sent).expect("the gateway takes it"));
    assert_eq!(client.head().status(), 200);
    let mut received = Vec::new();
    while received.len() < LENGTH {
        let at = received.len();
        received.resize((at + 4_000).min(LENGTH), 0);
        client.stream.read_exact(&mut received[at..]).expect("more of the body");
    }
    sender.join().expect("all was sent");
    assert!(received == body, "the body came back changed");
    gateway.until_idle();
}

#[test]
fn a_task_that_does_not_read_stops_the_client() {
    let gate = Gate::default();
    let read_on = gate.clone();
    let task = Task::early(1, move |_, wire| {
        read_on.pass();
        let mut piece = vec![0; 64 << 10];
        for _ in 0..MORE_THAN_FITS / piece.len() {
            wire.stream.read_exact(&mut piece).expect("more of the body");
        }
        wire.ok("all");
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client
        .send(format!("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: {MORE_THAN_FITS}\r\n\r\n"));
    let stream = client.stream.get_mut();
    stream.set_write_timeout(Some(STUCK)).expect("an open socket");
    let sent = write_until_stuck(stream);
    assert!(sent < MORE_THAN_FITS, "the gateway took all of a body that nobody reads");
    gate.open();
    stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
    stream.write_all(&vec![b'x'; MORE_THAN_FITS - sent]).expect("the rest");
    assert_eq!(client.answer().text(), "all");
}

#[test]
fn a_client_that_does_not_read_stops_the_task() {
    let (gate, sent) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let (stuck, count) = (gate.clone(), Arc::clone(&sent));
    let task = Task::new(1, move |_, wire| {
        wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {MORE_THAN_FITS}\r\n\r\n"));
        let stream = wire.stream.get_mut();
        stream.set_write_timeout(Some(STUCK)).expect("an open socket");
        count.store(write_until_stuck(stream), Ordering::SeqCst);
        stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
        stuck.open();
        wire.say(vec![b'x'; MORE_THAN_FITS - count.load(Ordering::SeqCst)]);
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    gate.pass();
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < MORE_THAN_FITS, "the gateway took all of an answer that nobody reads");
    let body = client.answer().body;
    assert!(body.len() == MORE_THAN_FITS && body.iter().all(|byte| *byte == b'x'));
}

/// Returns how much was written.
fn write_until_stuck(stream: &mut impl Write) -> usize {
    let (piece, mut sent) = (vec![b'x'; 64 << 10], 0);
    while sent < MORE_THAN_FITS {
        match stream.write(&piece[..piece.len().min(MORE_THAN_FITS - sent)]) {
            Ok(length) => sent += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

#[test]
fn an_answer_that_comes_before_the_body_ends_the_connection() {
    for stays in [true, false] {
        let task = Task::early(1, move |_, wire| {
            wire.say("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!");
            if stays { wire.stall() } else { wire.close() }
        });
        let gateway = Gateway::of(&[&task]);
        let mut client = gateway.client();
        client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\nbeginning");
        let answer = client.answer();
        assert_eq!((answer.status(), answer.text()), (413, "no!"));
        assert_eq!(answer.field("Connection"), Some("close"));
        // What is still under way does not take the answer from the client.
        client.send(vec![b'x'; 100_000]).half_close();
        assert_eq!(client.rest(), (String::new(), End::Closed));
        task.until_closed(1);
        gateway.until_idle();
    }
}

#[test]
fn a_client_that_asks_first_hears_from_the_task() {
    let task = Task::early(1, |request, wire| {
        assert_eq!(request.field("Expect"), Some("100-continue"));
        if request.target() == "/no" {
            return wire.say("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
        }
        wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = request.clone();
        body.read_body(&mut wire.stream).expect("the body");
        wire.ok(body.text());
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let ask = |target| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
    };
    for _ in 0..2 {
        client.send(ask("/yes"));
        assert_eq!(client.head().head, "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(client.send("hello").answer().text(), "hello");
    }
    // Whether the body comes nobody knows, so nothing else can.
    assert_eq!(client.send(ask("/no")).answer().status(), 417);
    client.half_close();
    assert_eq!(client.rest(), (String::new(), End::Closed));
}

#[test]
fn interim_answers_pass_to_those_who_know_them() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 102 Processing\r\n\r\n");
        wire.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n");
        wire.ok("final");
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.head().head, "HTTP/1.1 102 Processing\r\n\r\n");
        assert_eq!(client.head().head, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        assert_eq!(client.answer().text(), "final");
    }
    assert_eq!(gateway.client().send("GET / HTTP/1.0\r\n\r\n").answer().text(), "final");
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let task = Task::new(1, |request, wire| match request.target() {
        "/204" => wire.say("HTTP/1.1 204 No Content\r\n\r\n"),
        "/204-with-length" => wire.say("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        "/304" => wire.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        _ if request.head.starts_with("GET") => wire.ok("hello"),
        "/chunked" => wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "/silent" => wire.say("HTTP/1.1 200 OK\r\n\r\n"),
        _ => wire.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let length =
        |answer: &crate::harness::Message| answer.field("Content-Length").map(str::to_owned);
    for target in ["/204", "/204-with-length"] {
        assert_eq!(length(&client.get(target)), None, "{target}");
    }
    assert_eq!(length(&client.get("/304")).as_deref(), Some("5"));
    for (target, expected) in [("/length", Some("5")), ("/chunked", None), ("/silent", None)] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let answer = client.answer_to_head();
        assert_eq!(length(&answer).as_deref(), expected, "{target}");
        assert_eq!(answer.field("Transfer-Encoding").is_some(), target == "/chunked");
        assert_eq!(client.get("/next").text(), "hello", "after {target}");
    }
    assert_eq!(task.connections(), 1);
}

#[test]
fn an_answer_may_end_with_its_connection() {
    let task = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nall ");
        wire.say("there is");
        wire.close();
    });
    let gateway = Gateway::of(&[&task]);
    for version in ["HTTP/1.1\r\nHost: test", "HTTP/1.0\r\nConnection: keep-alive"] {
        let answer = gateway.client().send(format!("GET / {version}\r\n\r\n")).answer();
        assert_eq!(answer.text(), "all there is");
        assert_eq!(answer.field("Connection"), Some("close"));
    }
}

#[test]
fn one_byte_after_the_other_means_the_same() {
    let task = Task::new(1, |request, wire| {
        let answer = format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x};a=b\r\n{}\r\n0\r\nA: b\r\n\r\n",
            request.body.len(),
            request.text()
        );
        answer.bytes().for_each(|byte| wire.say([byte]));
    });
    let gateway = Gateway::of(&[&task]);
    let mut client = gateway.client();
    let framings = [
        "Content-Length: 10\r\n\r\n0123456789",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n012\r\n07;a\r\n3456789\r\n0\r\nA: b\r\n\r\n",
    ];
    for framing in framings {
        let request = format!("\r\nPOST / HTTP/1.1\r\nHost: test\r\nX-A: b\r\n{framing}");
        for byte in request.bytes() {
            client.send([byte]);
        }
        assert_eq!(client.head().status(), 100);
        let answer = client.answer();
        assert_eq!(answer.text(), "0123456789");
        assert_eq!(answer.raw, b"a;a=b\r\n0123456789\r\n0\r\nA: b\r\n\r\n");
        assert_eq!(task.requests().pop().expect("it came").field("X-A"), Some("b"));
    }
}
