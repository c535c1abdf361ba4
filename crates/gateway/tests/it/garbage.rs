//! Whatever clients and tasks do, the gateway goes on, and nobody gets another's answer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Gateway, Task};

const REQUESTS: [&str; 5] = [
    "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
    "PUT /b HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
    "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST /c HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nConnection: x\r\nX: y\r\nContent-Length: 1\r\n\r\n.",
];

const ANSWERS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nuntil the end",
];

/// Some of `texts` one after the other, with some bytes changed, taken out or put in.
fn mangled(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let all = prop::collection::vec(prop::sample::select(texts), 1..4);
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n\0 :,;0f\t".to_vec())];
    let change = (any::<prop::sample::Index>(), prop::option::of(byte), any::<bool>());
    (all, prop::collection::vec(change, 0..4)).prop_map(|(all, changes)| {
        let mut bytes = all.concat().into_bytes();
        for (at, byte, replaces) in changes {
            let at = at.index(bytes.len());
            match byte {
                Some(byte) if replaces => bytes[at] = byte,
                Some(byte) => bytes.insert(at, byte),
                None => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn check<T>(strategy: &impl Strategy<Value = T>, test: impl Fn(T))
where
    T: std::fmt::Debug,
{
    let config = Config { cases: 400, source_file: Some(file!()), ..Config::default() };
    let all = TestRunner::new(config).run(strategy, |value| {
        test(value);
        Ok(())
    });
    all.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_client_ends_the_gateway() {
    let task = Task::good(1);
    let gateway = Gateway::of(&[&task]);
    let input = prop_oneof![1 => any::<Vec<u8>>(), 4 => mangled(&REQUESTS)];
    check(&input, |bytes| {
        let mut client = gateway.client();
        // The gateway may have closed before the last of it is sent.
        let _ = client.try_send(&bytes);
        client.half_close();
        let (answers, _) = client.rest();
        assert!(answers.is_empty() || answers.starts_with("HTTP/1.1 "), "{answers}");
        assert_eq!(gateway.get("/good").text(), "task-1");
    });
    gateway.until_idle();
}

#[test]
fn no_task_ends_the_gateway() {
    let input = prop_oneof![1 => any::<Vec<u8>>(), 4 => mangled(&ANSWERS)];
    let bytes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let says = std::sync::Arc::clone(&bytes);
    let task = Task::new(1, move |request, wire| {
        if request.target() == "/good" {
            return wire.ok("good");
        }
        let bytes: Vec<u8> = says.lock().expect("nobody panicked").clone();
        wire.say(bytes);
        wire.close();
    });
    let gateway = Gateway::of(&[&task]);
    check(&input, |answer| {
        *bytes.lock().expect("nobody panicked") = answer;
        let mut client = gateway.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").half_close();
        let (answers, _) = client.rest();
        assert!(answers.is_empty() || answers.starts_with("HTTP/1.1 "), "{answers}");
        assert_eq!(gateway.get("/good").text(), "good");
    });
    gateway.until_idle();
}

/// Tasks that lose connections in every way, and clients that go away: a whole answer is always the
/// answer to just that request.
#[test]
fn nobody_gets_another_s_answer() {
    let task = |number| {
        let turn = AtomicU32::new(number);
        Task::new(number, move |request, wire| {
            let body = format!("{} {}", request.target(), request.text());
            let length = body.len();
            match turn.fetch_add(1, Ordering::Relaxed) % 12 {
                3 => wire.reset(),
                5 => wire.close(),
                7 => {
                    wire.say(format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                        length + 1
                    ));
                    wire.close();
                }
                9 => {
                    wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}+"));
                }
                10 => {
                    wire.ok(&body);
                    wire.close();
                }
                _ => wire.ok(&body),
            }
        })
    };
    let tasks = [task(1), task(2), task(3)];
    let gateway = Gateway::of(&[&tasks[0], &tasks[1], &tasks[2]]);
    thread::scope(|scope| {
        for number in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || one_of_many(gateway, number));
        }
    });
    gateway.until_idle();
}

fn one_of_many(gateway: &Gateway, number: usize) {
    let (mut client, mut whole) = (gateway.client(), 0);
    for n in 0..150 {
        let (target, body) = (format!("/{number}/{n}"), "x".repeat(n));
        client.send(format!(
            "PUT {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {n}\r\n\r\n{body}"
        ));
        if n % 17 == 16 {
            std::mem::replace(&mut client, gateway.client()).reset();
            continue;
        }
        match client.read(false) {
            Ok(answer) if answer.status() == 200 => {
                assert_eq!(answer.text(), format!("{target} {body}"));
                whole += 1;
            }
            Ok(answer) => assert_eq!(answer.cause(), "task_closed"),
            Err(_) => client = gateway.client(),
        }
    }
    assert!(whole > 50, "only {whole} of 150 requests were answered");
}
