//! Without a fault.

use std::io::ErrorKind;

use seaworthy_agent::clock::now;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::super::Link;
use super::harness::{Caller, accept, answering, bare, bytes, run};

#[test]
fn a_megabyte_goes_both_ways_and_so_does_the_end_of_each() {
    run(async {
        let (link, listener) = bare(7).await;
        let body = bytes(1 << 20);
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        let call = async {
            caller.write_all(&body).await.unwrap();
            caller.shutdown().await.unwrap();
            let mut answer = Vec::new();
            caller.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let serve = async {
            let (mut service, mut request) = (accept(&listener).await, Vec::new());
            service.read_to_end(&mut request).await.unwrap();
            service.write_all(&request).await.unwrap();
        };
        let (answer, ()) = tokio::join!(call, serve);
        assert!(answer == body);
        assert_eq!(link.arrivals().len(), 1, "a request is one, in however many pieces");
    });
}

#[test]
fn requests_on_one_connection_are_counted_in_order() {
    run(async {
        let (link, seen) = answering(7).await;
        let mut caller = Caller::new(&link).await;
        let begin = now();
        for _ in 0..50 {
            assert_eq!(caller.status().await.unwrap(), 200);
        }
        let arrivals = link.arrivals();
        assert_eq!((arrivals.len(), seen.count(), seen.opened()), (50, 50, 1));
        assert!(arrivals.is_sorted() && begin <= arrivals[0]);
        assert!(arrivals[49] <= seen.last());
    });
}

#[test]
fn a_reset_by_one_side_is_a_reset_for_the_other() {
    run(async {
        let (link, listener) = bare(7).await;
        for by_caller in [true, false] {
            let mut caller = TcpStream::connect(link.address()).await.unwrap();
            caller.write_all(b"a").await.unwrap();
            let mut service = accept(&listener).await;
            assert_eq!(service.read_u8().await.unwrap(), b'a');
            let (one, mut other) = if by_caller { (caller, service) } else { (service, caller) };
            one.set_zero_linger().unwrap();
            drop(one);
            let reset = other.read_u8().await.unwrap_err();
            assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_connection_waits_until_it_is_known_where_it_leads() {
    run(async {
        let link = Link::start(0, 7).unwrap();
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.write_all(b"a").await.unwrap();
        super::until(|| link.arrivals().len() == 1).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        link.forward_to(listener.local_addr().unwrap());
        let mut service = accept(&listener).await;
        assert_eq!(service.read_u8().await.unwrap(), b'a');
    });
}

#[test]
fn where_nobody_listens_a_request_is_reset() {
    run(async {
        // Bound and not listened on, so that nobody else can have it.
        let taken = TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let link = Link::start(0, 7).unwrap();
        link.forward_to(taken.local_addr().unwrap());
        let reset = Caller::new(&link).await.status().await.unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        assert_eq!(link.arrivals().len(), 1);
    });
}

#[test]
fn a_caller_that_asks_for_nothing_gets_nothing() {
    run(async {
        let (link, seen) = answering(7).await;
        let mut caller = TcpStream::connect(link.address()).await.unwrap();
        caller.shutdown().await.unwrap();
        assert_eq!(caller.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!((link.arrivals().len(), seen.opened()), (0, 0));
    });
}
