//! The gateway of a fleet: it makes way for a successor and loses nothing, it hands its sockets over,
//! says when it is ready, and minds nobody's absence.

use std::io::{self, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use seaworthy_agent::handover;

use super::PATIENCE;
use super::echo::{Echo, Message};
use super::part::Place;
use super::traffic::Client;
use crate::world::{World, eventually};

const HELD: &str = "GET /held HTTP/1.1\r\nHost: s\r\nX-Id: held\r\n\r\n";
const PLAIN: &str = "GET /plain HTTP/1.1\r\nHost: s\r\nX-Id: plain\r\n\r\n";

/// Clients that never stop asking, one request after the other.
struct Load {
    over: AtomicBool,
    answers: AtomicU64,
}

impl Load {
    /// Half of so many clients keep their connection until they are told that it ends; the others use
    /// one for each request. Every request of `during` must be answered.
    fn of<T>(address: &str, clients: usize, during: impl FnOnce(&Self) -> T) -> T {
        let load = Self { over: AtomicBool::new(false), answers: AtomicU64::new(0) };
        thread::scope(|scope| {
            for n in 0..clients {
                let load = &load;
                scope.spawn(move || load.ask(address, n % 2 == 0).expect("an answer"));
            }
            // Also when it panics, or the clients would go on for ever.
            let _ended = End(&load.over);
            during(&load)
        })
    }

    fn ask(&self, address: &str, keeps: bool) -> io::Result<()> {
        let close = if keeps { "" } else { "Connection: close\r\n" };
        let mut connection = None;
        while !self.over.load(Ordering::Relaxed) {
            let mut reader = if let Some(reader) = connection.take() {
                reader
            } else {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            };
            let request = format!("GET /load HTTP/1.1\r\nHost: s\r\nX-Id: load\r\n{close}\r\n");
            reader.get_mut().write_all(request.as_bytes())?;
            let answer = Message::read(&mut reader, true)?.ok_or(ErrorKind::UnexpectedEof)?;
            assert_eq!((&*answer.line, answer.field("x-id")), ("HTTP/1.1 200 OK", Some("load")));
            self.answers.fetch_add(1, Ordering::Relaxed);
            connection = answer.field("connection").is_none().then_some(reader);
        }
        Ok(())
    }

    /// Waits for some more answers.
    fn goes_on(&self) {
        let before = self.answers.load(Ordering::Relaxed);
        let more = || self.answers.load(Ordering::Relaxed) > before + 300;
        eventually("answers", || more().then_some(()));
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn take(place: &Place) -> Vec<(String, std::net::TcpListener)> {
    handover::take(&place.directory, PATIENCE).unwrap()
}

#[test]
fn a_gateway_makes_way_for_its_successor_and_nobody_notices() {
    let (world, echo) = (World::new(), Echo::start());
    let place = Place::new(&world, &["s"], "");
    let listeners = place.listen();
    let address = listeners[0].local_addr().unwrap().to_string();
    let first = place.ready(&world, &listeners, &echo);
    // From now on it alone has them.
    drop(listeners);
    let (mut held, mut idle) = (Client::connect(&address), Client::connect(&address));
    held.write(HELD.as_bytes());
    eventually("the request", || echo.is_reached().then_some(()));
    idle.write(PLAIN.as_bytes());
    assert_eq!(idle.read().unwrap().field("connection"), None);

    let second = Load::of(&address, 12, |load| {
        load.goes_on();
        let (services, listeners): (Vec<_>, Vec<_>) = take(&place).into_iter().unzip();
        assert_eq!(services, ["s"]);
        let second = place.ready(&world, &listeners, &echo);
        drop(listeners);
        first.retire();
        first.drain();
        load.goes_on();
        assert!(idle.read().is_none(), "it has waited for nothing, and was let go");
        load.goes_on();
        echo.release();
        let answer = held.read().unwrap();
        assert_eq!(
            (answer.field("x-id"), answer.field("connection")),
            (Some("held"), Some("close"))
        );
        let said = first.said();
        let (status, told) = first.wait().unwrap();
        assert_eq!((status.code(), told), (Some(0), 0), "its successor speaks: {said}");
        load.goes_on();
        second
    });
    // The file of the successor is not taken away with that of the first one.
    assert_eq!(take(&place)[0].1.local_addr().unwrap().to_string(), address);
    assert!(second.drain() > 0, "it speaks");
}

#[test]
fn one_gateway_after_the_other_fails_nobody() {
    let (world, echo) = (World::new(), Echo::start());
    let place = Place::new(&world, &["s", "t"], "workers = 2");
    let listeners = place.listen();
    let address = listeners[0].local_addr().unwrap().to_string();
    Load::of(&address, 12, |load| {
        let mut gateway = place.ready(&world, &listeners, &echo);
        for _ in 0..8 {
            let next = place.ready(&world, &listeners, &echo);
            load.goes_on();
            gateway.signal(Signal::TERM);
            assert_eq!(gateway.wait().unwrap().0.code(), Some(0));
            load.goes_on();
            gateway = next;
        }
        gateway.signal(Signal::TERM);
        // Nobody is left who accepts. The sockets are still there, so whoever comes now waits.
        assert_eq!(gateway.wait().unwrap().0.code(), Some(0));
        let last = place.ready(&world, &listeners, &echo);
        load.goes_on();
        // It is to outlive its clients.
        last
    });
}

#[test]
fn whoever_retires_goes_on_however_often_it_is_told_until_the_stop_timeout_is_over() {
    for (timeout, finishes) in [("1h", true), ("10ms", false)] {
        let (world, echo) = (World::new(), Echo::start());
        let place = Place::new(&world, &["s"], &format!("stop_timeout = \"{timeout}\""));
        let listeners = place.listen();
        let gateway = place.ready(&world, &listeners, &echo);
        let mut held = Client::connect(&listeners[0].local_addr().unwrap().to_string());
        held.write(HELD.as_bytes());
        eventually("the request", || echo.is_reached().then_some(()));
        gateway.retire();
        gateway.signal(Signal::TERM);
        if finishes {
            echo.release();
        }
        let answer = held.read();
        assert_eq!(answer.is_some_and(|a| a.field("x-id") == Some("held")), finishes, "{timeout}");
        let (status, _) = gateway.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{timeout}");
    }
}

#[test]
fn it_is_ready_when_every_service_has_a_task_or_wants_none() {
    let (world, echo) = (World::new(), Echo::start());
    let place = Place::new(&world, &["s", "t", "u"], "");
    let gateway = place.start(&world, &place.listen(), Stdio::null());
    gateway.publish_of("t", 1, &[]);
    gateway.publish_of("u", 1, &[&echo]);
    // It has heard both, and nothing of the third.
    eventually("both are known", || {
        gateway.agent.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = vec![0; 64 << 10];
        let length = gateway.agent.recv(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        (said.contains("\"u\"") && said.contains("\"in_rotation\":true")).then_some(())
    });
    gateway.keeper.set_nonblocking(true).unwrap();
    let silence = gateway.keeper.recv(&mut [0]).map_err(|error| error.kind());
    assert_eq!(silence, Err(ErrorKind::WouldBlock));
    gateway.keeper.set_nonblocking(false).unwrap();
    gateway.publish_of("s", 1, &[&echo]);
    gateway.until_ready();
    let names: Vec<_> = take(&place).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["s", "t", "u"]);
}

#[test]
fn it_goes_on_when_keeper_and_agent_are_gone_and_nobody_hears_it() {
    let (world, echo) = (World::new(), Echo::start());
    let place = Place::new(&world, &["s"], "");
    let listeners = place.listen();
    let mut gateway = place.start(&world, &listeners, Stdio::piped());
    gateway.stop_listening();
    let (none, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
    gateway.publish(1, &[&echo]);
    let mut client = Client::connect(&listeners[0].local_addr().unwrap().to_string());
    let mut ask = || {
        client.write(PLAIN.as_bytes());
        client.read().unwrap()
    };
    let mut good = || (ask().line == "HTTP/1.1 200 OK").then_some(());
    eventually("a task", &mut good);
    gateway.keeper = none.try_clone().unwrap();
    gateway.agent = none;
    // Meanwhile several heartbeats reach nobody.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        good().expect("it goes on");
    }
    gateway.signal(Signal::TERM);
    drop(client);
    assert_eq!(gateway.wait().unwrap().0.code(), Some(0));
}
