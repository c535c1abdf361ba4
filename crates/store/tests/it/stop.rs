//! The end of a task.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use seaworthy_store::generate::generate;
use tokio::sync::Semaphore;

use crate::server::{Answer, DEADLINE, Server};

/// A server with one request in flight, its connection, and what lets it be answered.
fn in_flight(grace: Duration) -> (Server, TcpStream, Arc<Semaphore>) {
    let allowed = Arc::new(Semaphore::new(0));
    let (begun, begins) = channel();
    let answer = {
        let allowed = Arc::clone(&allowed);
        move || async move {
            begun.send(()).unwrap();
            drop(allowed.acquire().await);
            "done"
        }
    };
    let server = Server::with(Router::new().route("/", get(answer)), grace);
    let mut connection = server.connect();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: store\r\n\r\n").unwrap();
    begins.recv_timeout(DEADLINE).unwrap();
    (server, connection, allowed)
}

fn is_refused(server: &Server) -> bool {
    let connected = TcpStream::connect(server.address);
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn a_request_in_flight_is_answered_while_nobody_new_is_let_in() {
    let (mut server, mut connection, allowed) = in_flight(DEADLINE);
    server.stop();
    let begin = Instant::now();
    while !is_refused(&server) {
        assert!(begin.elapsed() < DEADLINE, "it still accepts");
        std::thread::yield_now();
    }
    allowed.add_permits(1);
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert_eq!(Answer::read(&answer).body, "done");
    server.join();
}

#[test]
fn a_request_without_end_is_given_up_after_the_grace() {
    let (mut server, mut connection, _allowed) = in_flight(Duration::ZERO);
    server.stop();
    server.join();
    match connection.read(&mut [0; 100]) {
        Ok(length) => assert_eq!(length, 0, "it was answered"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn an_idle_connection_does_not_keep_it() {
    let mut server = Server::of(generate(5, 1).products().to_vec());
    let mut idle = server.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: store\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    server.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"}"));
    server.join();
}
